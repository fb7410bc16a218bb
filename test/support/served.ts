// What a scenario says is served → changes for a data plane.
import { parentOf, parseName, type WireName } from '../../src/dns/name.ts';
import { composeRdata } from '../../src/dns/rdata/rdata.ts';
import { parseType } from '../../src/dns/types.ts';
import type { Change, DataPlane, NameRecords, RRset } from '../../src/plane/records.ts';
import type { RecordLine, Step, Values } from './scenario.ts';

export interface Served {
  /** Everything but questions. */
  step(step: Exclude<Step, { kind: 'ask' }>): void;
  /** Sends what has changed to the plane. */
  flush(): Promise<void>;
}

const DEFAULT_POLICY = { routing: 'multivalue', maxAnswers: 0, whenAllUnhealthy: 'nodata' } as const;

export function createServed(plane: DataPlane): Served {
  const slots = new Map<string, number>();
  const names = new Map<string, Mutable<NameRecords>>();
  let changes: Change[] = [];
  let origin: WireName = parseName('.');

  const slotOf = (label: string | undefined): number => {
    if (label === undefined) return 0;
    const known = slots.get(label) ?? plane.slots.allocate();
    if (!slots.has(label)) plane.slots.set(known, true);
    slots.set(label, known);
    return known;
  };

  /** The name's records; every name above it, up to the zone, comes to exist with it. */
  const nameOf = (text: string): Mutable<NameRecords> => {
    const name = parseName(text, origin);
    for (let above = parentOf(name); above && above.length > origin.length; above = parentOf(above)) {
      const key = Buffer.from(above).toString('latin1');
      if (!names.has(key)) names.set(key, { name: above.slice(), rrsets: [] });
    }
    const key = Buffer.from(name).toString('latin1');
    const known = names.get(key) ?? { name, rrsets: [] };
    names.set(key, known);
    return known;
  };

  const addRecord = (line: RecordLine): void => {
    const owner = nameOf(line.name);
    const type = parseType(line.type);
    if (type === undefined) return;
    let rrset = owner.rrsets.find((one) => one.type === type);
    if (rrset === undefined) {
      rrset = { type, ttlSeconds: line.ttlSeconds, records: [], ...DEFAULT_POLICY };
      owner.rrsets = [...owner.rrsets, rrset];
    }
    const record = { rdata: composeRdata(type, line.value, origin), slot: slotOf(line.slot), weight: line.weight };
    replaceRRset(owner, type, { ...rrset, records: [...rrset.records, record] });
  };

  const setPolicy = (text: string, type: number, values: Values): void => {
    const owner = nameOf(text);
    const rrset = owner.rrsets.find((one) => one.type === type);
    if (rrset === undefined) throw new Error(`policy for ${text}, which has no such records (yet)`);
    replaceRRset(owner, type, {
      ...rrset,
      routing: (values.routing ?? rrset.routing) as RRset['routing'],
      maxAnswers: Number(values.maxAnswers ?? rrset.maxAnswers),
      whenAllUnhealthy: (values.whenAllUnhealthy ?? rrset.whenAllUnhealthy) as RRset['whenAllUnhealthy'],
    });
  };

  const addZone = (text: string, words: readonly string[]): void => {
    origin = parseName(text);
    const fallthrough = words
      .filter((word) => word.startsWith('fallthrough='))
      .map((word) => parseName(word.slice(12)));
    const zone = { name: origin, ready: !words.includes('not-ready'), stale: words.includes('stale'), fallthrough };
    changes.push({ kind: 'replace-zone', zone });
    if (words.includes('bare')) return;
    addRecord({
      name: '@',
      ttlSeconds: 3600,
      type: 'SOA',
      value: 'ns hostmaster 1 7200 1800 86400 30',
      slot: undefined,
      weight: 1,
    });
  };

  return {
    step(step) {
      if (step.kind === 'zone') addZone(step.name, step.words);
      else if (step.kind === 'remove-zone') changes.push({ kind: 'remove-zone', name: parseName(step.name) });
      else if (step.kind === 'record') addRecord(step.line);
      else if (step.kind === 'policy') setPolicy(step.name, step.type, step.values);
      else if (step.kind === 'pods') {
        const { ttlSeconds, verified } = step;
        const isVerified = verified.length > 0;
        nameOf(step.name).synthesizesPodAddresses = { ttlSeconds, isVerified };
        for (const pod of verified)
          changes.push({ kind: 'pod-name', name: parseName(`${pod}.${step.name}`, origin), exists: true });
      } else for (const label of step.labels) plane.slots.set(slotOf(label), step.up);
    },
    async flush() {
      const replaced = [...names.values()].map((records): Change => ({ kind: 'replace-name', records }));
      await plane.apply([...changes, ...replaced]);
      changes = [];
    },
  };
}

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

function replaceRRset(owner: Mutable<NameRecords>, type: number, rrset: RRset): void {
  owner.rrsets = owner.rrsets.map((one) => (one.type === type ? rrset : one));
}

/** Takes away all names and zones that scenarios made, so that the next begins with nothing. */
export function clearing(plane: DataPlane): DataPlane & { clear(): Promise<void> } {
  let made: Change[] = [];
  return {
    slots: plane.slots,
    apply(changes) {
      for (const change of changes) {
        if (change.kind === 'replace-name') made.push({ kind: 'remove-name', name: change.records.name });
        if (change.kind === 'pod-name') made.push({ ...change, exists: false });
        if (change.kind === 'replace-zone') made.push({ kind: 'remove-zone', name: change.zone.name });
      }
      return plane.apply(changes);
    },
    async clear() {
      const removals = made;
      made = [];
      await plane.apply(removals);
    },
  };
}
