import { formatName } from '../../src/dns/name.ts';
import { formatRdata } from '../../src/dns/rdata/rdata.ts';
import { TYPE, typeName } from '../../src/dns/types.ts';
import type { Change, DataPlane, NameRecords, RRset, ZoneState } from '../../src/plane/records.ts';
import { createSlots, type SharedSlots } from '../../src/plane/slots.ts';

/** A data plane that only keeps what it is told, by name, as the table of a real one would. */
export interface ModelPlane extends DataPlane {
  readonly slots: SharedSlots;
  readonly names: Map<string, NameRecords>;
  readonly zones: Map<string, ZoneState>;
  /** Every change since the last `log.length = 0`, as "replace api.production.local.". */
  readonly log: string[];
  /** What it has, as zone text: see `zoneText`. */
  text(): string;
}

export function modelPlane(): ModelPlane {
  const names = new Map<string, NameRecords>();
  const zones = new Map<string, ZoneState>();
  const log: string[] = [];
  const slots = createSlots(100_000);

  return {
    slots,
    names,
    zones,
    log,
    async apply(changes) {
      for (const change of changes) applyChange(change, names, zones, log);
    },
    text: () => zoneText(names.values()),
  };
}

export function applyChange(
  change: Change,
  names: Map<string, NameRecords>,
  zones: Map<string, ZoneState>,
  log: string[] = [],
): void {
  const name = formatName(nameOf(change));
  log.push(`${change.kind} ${name}`);
  if (change.kind === 'replace-name') names.set(name, change.records);
  else if (change.kind === 'remove-name') names.delete(name);
  else if (change.kind === 'replace-zone') zones.set(name, change.zone);
  else zones.delete(name);
}

function nameOf(change: Change): Uint8Array {
  if (change.kind === 'replace-name') return change.records.name;
  return change.kind === 'replace-zone' ? change.zone.name : change.name;
}

/**
 * One line a record, sorted and each once: "api.production.local. 5 A 10.0.0.1". Names without records are "name -", synthesized pod
 * names "name TTL pod-addresses". Serials are 0; slots are left out.
 */
export function zoneText(names: Iterable<NameRecords>): string {
  const lines: string[] = [];
  for (const { name, rrsets, synthesizesPodAddresses } of names) {
    const owner = formatName(name);
    if (synthesizesPodAddresses) lines.push(`${owner} ${synthesizesPodAddresses.ttlSeconds} pod-addresses`);
    else if (rrsets.length === 0) lines.push(`${owner} -`);
    for (const rrset of rrsets) lines.push(...rrsetLines(owner, rrset));
  }
  return [...new Set(lines)].sort().join('\n');
}

function rrsetLines(owner: string, { type, ttlSeconds, records, whenAllUnhealthy }: RRset): string[] {
  if (records.length === 0) return [`${owner} ${ttlSeconds} ${typeName(type)} (${whenAllUnhealthy})`];
  return records.map(({ rdata }) => {
    const text = formatRdata(type, rdata);
    return `${owner} ${ttlSeconds} ${typeName(type)} ${type === TYPE.SOA ? text.replace(/ \d+ /, ' 0 ') : text}`;
  });
}

/** The lines of a test's expectation: without indentation, sorted. */
export function lines(text: string): string {
  return text
    .split('\n')
    .map((line) => line.trim().replace(/\s+/g, ' '))
    .filter((line) => line !== '')
    .sort()
    .join('\n');
}
