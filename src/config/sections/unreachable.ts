// Warnings of static records that cannot be of use: records below a DNAME, and delegations to a server that nobody can reach.
import { formatName, parentOf } from '../../dns/name.ts';
import type { Path, Reporter } from '../../reading/problem.ts';
import type { ZoneConfig } from '../config.ts';
import { absoluteName, expandTemplate, isInZone, wireName } from './names.ts';
import { canonicalValue, type RecordInput, typeOf } from './records.ts';

/** `records` are those that `zone` was built from, without problems; `zones` are all zones of the file. */
export function warnOfUnreachable(
  zone: ZoneConfig,
  records: readonly RecordInput[],
  zones: readonly ZoneConfig[],
  path: Path,
  reporter: Reporter,
): void {
  warnOfOccluded(zone, records, path, reporter);
  warnOfMissingGlue(zone, records, zones, path, reporter);
}

/** RFC 6672 section 2.4: nothing below a DNAME is answered. */
function warnOfOccluded(zone: ZoneConfig, records: readonly RecordInput[], path: Path, reporter: Reporter): void {
  const dnames = new Set(zone.records.filter(({ type }) => type === 'DNAME').map(({ name }) => name));
  if (dnames.size === 0) return;
  for (const [i, record] of records.entries()) {
    const name = absoluteName(record.name, zone.name);
    const dname = nameAbove(name, zone.name, dnames);
    if (dname !== undefined)
      reporter.warning(
        [...path, i, 'name'],
        `${name} ${typeOf(record)} is never answered: the DNAME of ${dname} redirects all names below it (RFC 6672)`,
      );
  }
}

function nameAbove(name: string, zone: string, names: ReadonlySet<string>): string | undefined {
  let above = name;
  while (above !== zone) {
    above = formatName(parentOf(wireName(above))!);
    if (names.has(above)) return above;
  }
  return undefined;
}

function warnOfMissingGlue(
  zone: ZoneConfig,
  records: readonly RecordInput[],
  zones: readonly ZoneConfig[],
  path: Path,
  reporter: Reporter,
): void {
  if (!zone.records.some(({ type }) => type === 'NS')) return;
  const addressed = new Set([
    ...zone.records.filter(({ type }) => type === 'A' || type === 'AAAA').map(({ name }) => name),
    ...zone.services.flatMap(({ names, name, namespace }) =>
      names.map((template) => expandTemplate(template, name, namespace, zone.name)),
    ),
  ]);
  const isServedBelow = (name: string) =>
    zones.some((other) => other !== zone && isInZone(other.name, zone.name) && isInZone(name, other.name));
  for (const [i, record] of records.entries()) {
    if (typeOf(record) !== 'NS') continue;
    const cut = absoluteName(record.name, zone.name);
    for (const [j, value] of [record.value].flat().entries()) {
      const server = absoluteName(canonicalValue(record.type, value, zone.name));
      if (!isInZone(server, cut) || addressed.has(server) || isServedBelow(server)) continue;
      reporter.warning(
        Array.isArray(record.value) ? [...path, i, 'value', j] : [...path, i, 'value'],
        `${cut} is delegated to ${server}, which is inside of it and has no A or AAAA record: nobody can reach that server; add its address as a record (glue)`,
      );
    }
  }
}
