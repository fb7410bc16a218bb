// Warnings about unreachable name servers.
import { formatName, isSubdomain } from '../../dns/name.ts';
import { TYPE } from '../../dns/types.ts';
import type { ZoneConfig } from '../config.ts';
import { hasType } from '../static-records.ts';
import { expandTemplate, isInZone } from './names.ts';
import type { ZoneRecords } from './zone-records.ts';

/** `zones` are all zones of the file. */
export function warnOfMissingGlue(
  zone: ZoneConfig,
  { delegations, reporter }: ZoneRecords,
  zones: readonly ZoneConfig[],
): void {
  if (delegations.length === 0) return;
  const services = new Set(
    zone.services.flatMap(({ names, name, namespace }) =>
      names.map((template) => expandTemplate(template, name, namespace, zone.name)),
    ),
  );
  const isServedBelow = (name: string) =>
    zones.some((other) => other !== zone && isInZone(other.name, zone.name) && isInZone(name, other.name));
  for (const { cut, server, place } of delegations) {
    if (!isSubdomain(server, cut) || hasType(zone.records.find(server), TYPE.A, TYPE.AAAA)) continue;
    const name = formatName(server);
    if (services.has(name) || isServedBelow(name)) continue;
    const missing = 'has no A or AAAA record: that server is unreachable; add its address as a record';
    const message =
      formatName(cut) === zone.name
        ? `the name server ${name} ${missing}`
        : `${formatName(cut)} is delegated to ${name}, which is inside of it and ${missing} (glue)`;
    reporter.warning(place, 'value', message);
  }
}
