import { formatName } from '../../src/dns/name.ts';
import { formatRdata } from '../../src/dns/rdata/rdata.ts';
import { TYPE, typeName } from '../../src/dns/types.ts';
import { unpackNames } from '../../src/plane/packed-names.ts';
import type { Change, DataPlane, NameRecords, RRset, ZoneState } from '../../src/plane/records.ts';
import { createSlots, type SharedSlots } from '../../src/plane/slots.ts';

/** What a table has: by name, as text. */
export interface Content {
  readonly names: Map<string, NameRecords>;
  readonly zones: Map<string, ZoneState>;
  /** Names of verified pods. */
  readonly pods: Set<string>;
  take(change: Change): void;
}

/** A data plane that only keeps what it is told, by name, as the table of a real one would. */
export interface ModelPlane extends DataPlane {
  readonly slots: SharedSlots;
  readonly content: Content;
  readonly names: Map<string, NameRecords>;
  readonly zones: Map<string, ZoneState>;
  /** Every change since the last `log.length = 0`, as "replace api.production.local.". */
  readonly log: string[];
  /** What it has, as zone text: see `zoneText`. */
  text(): string;
  /** One more thread: it has nothing, and hears of every change from now on. */
  join(): Content;
  /** Of all threads. */
  contents(): readonly Content[];
}

/** `isLate`: what is sent arrives, in order, in a later turn of the event loop. */
export function modelPlane(isLate = false): ModelPlane {
  const content = emptyContent();
  const members = [content];
  const log: string[] = [];
  const slots = createSlots(100_000);
  let arrived: Promise<void> = Promise.resolve();

  function arrive(changes: readonly Change[]): void {
    for (const change of changes.flatMap(singly)) {
      if (change.kind === 'replace-reason') continue;
      log.push(`${change.kind} ${formatName(nameOf(change))}`);
      for (const member of members) member.take(change);
    }
  }

  return {
    slots,
    content,
    names: content.names,
    zones: content.zones,
    log,
    async apply(changes) {
      if (!isLate) return arrive(changes);
      arrived = arrived.then(() => new Promise((resolve) => setImmediate(resolve))).then(() => arrive(changes));
      return arrived;
    },
    text: () => zoneText(content.names.values()),
    join() {
      const member = emptyContent();
      members.push(member);
      return member;
    },
    contents: () => members,
  };
}

export function emptyContent(): Content {
  const names = new Map<string, NameRecords>();
  const zones = new Map<string, ZoneState>();
  const pods = new Set<string>();
  const parts = new Map<string, ReadonlyMap<number, readonly RRset[]>>();
  return {
    names,
    zones,
    pods,
    take(change) {
      if (change.kind === 'replace-names') for (const one of singly(change)) this.take(one);
      if (change.kind === 'replace-reason' || change.kind === 'replace-names') return;
      const name = formatName(nameOf(change));
      if (change.kind === 'pod-name') {
        if (change.exists) pods.add(name);
        else pods.delete(name);
      } else if (change.kind === 'replace-name') names.set(name, change.records);
      else if (change.kind === 'replace-parts') {
        const before = change.isWhole ? undefined : parts.get(name);
        const after = new Map(before);
        for (const { part, rrsets } of change.parts) after.set(part, rrsets);
        for (const { part, rrsets } of change.parts) if (rrsets.length === 0) after.delete(part);
        parts.set(name, after);
        names.set(name, { name: change.name, rrsets: joinedRRsets([...after.values()].flat()) });
        return;
      } else if (change.kind === 'remove-name') names.delete(name);
      else if (change.kind === 'replace-zone') zones.set(name, change.zone);
      else zones.delete(name);
      if (change.kind === 'replace-name' || change.kind === 'remove-name') parts.delete(name);
    },
  };
}

/** Of all parts of a name. */
function joinedRRsets(rrsets: readonly RRset[]): RRset[] {
  const byType = new Map<number, RRset>();
  for (const rrset of rrsets) {
    const known = byType.get(rrset.type);
    byType.set(rrset.type, known ? { ...known, records: [...known.records, ...rrset.records] } : rrset);
  }
  return [...byType.values()];
}

type Single = Exclude<Change, { kind: 'replace-names' }>;

/** Many names in one change as a change each. */
function singly(change: Change): Single[] {
  if (change.kind !== 'replace-names') return [change];
  return [...unpackNames(change.packed)].map((records) => ({ kind: 'replace-name', records }));
}

function nameOf(change: Exclude<Single, { kind: 'replace-reason' }>): Uint8Array {
  if (change.kind === 'replace-name') return change.records.name;
  return change.kind === 'replace-zone' ? change.zone.name : change.name;
}

/**
 * One line a record, sorted and each once: "api.production.local. 5 A 10.0.0.1". Names without records are "name -", synthesized pod
 * names "name TTL pod-addresses" or "verified-pod-addresses". Serials are 0; slots are left out.
 */
export function zoneText(names: Iterable<NameRecords>): string {
  const lines: string[] = [];
  for (const { name, rrsets, synthesizesPodAddresses } of names) {
    const owner = formatName(name);
    if (synthesizesPodAddresses) {
      const { ttlSeconds, isVerified } = synthesizesPodAddresses;
      lines.push(`${owner} ${ttlSeconds} ${isVerified ? 'verified-' : ''}pod-addresses`);
    } else if (rrsets.length === 0) lines.push(`${owner} -`);
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
