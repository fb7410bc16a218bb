// The registry said in DNS: listens to it, and tells the data plane what differs.
import { isDeepStrictEqual } from 'node:util';
import type { Clock, Random } from '../clock.ts';
import type { ZoneConfig } from '../config/config.ts';
import { parseName } from '../dns/name.ts';
import type { Change, DataPlane } from '../plane/records.ts';
import type { Registry } from '../registry/registry.ts';
import { explainName, type NameExplanation } from './explain/explain.ts';
import { createPublication } from './publish/publication.ts';
import { refillChanges } from './publish/refill.ts';
import type { Node } from './publish/tree.ts';
import {
  bumpSerial,
  createZoneTable,
  type Readiness,
  readinessOf,
  type ZoneEntry,
  zoneState,
} from './publish/zone-table.ts';

export interface ZonesSettings {
  readonly registry: Pick<Registry, 'service' | 'services' | 'onChange' | 'takeRemovedSlots'>;
  readonly plane: DataPlane;
  readonly zones: readonly ZoneConfig[];
  readonly clock: Pick<Clock, 'now'>;
  readonly random: Random;
  /** Addresses of this server: A and AAAA of name servers that are inside a zone and have no records there. */
  readonly nameServerAddresses?: readonly string[];
  /** Called when there is something to flush, once until the flush has begun. Schedule one; do not flush at once. */
  readonly onDirty?: () => void;
  /** Something is left out of DNS: a name that is none, an address that is none. Told once for each. */
  readonly leftOut?: (owner: string, problem: string) => void;
  /** Names compiled between two turns of the event loop; a service is never cut in two. */
  readonly namesPerPass?: number;
  /** Services of so many instances or more keep what was compiled of them until the next time; see kept-endpoints.ts. */
  readonly keptFrom?: number;
  /** Lets others run between two passes: a turn of the event loop. Without it a flush is one turn. */
  readonly pause?: () => Promise<void>;
}

export interface Zones {
  /**
   * Compiles what is dirty and resolves when every data thread has applied it and all that was said before. The first pass
   * is done before it returns. Judge health before: new names are answered at once. Rejects when the data plane does.
   */
  flush(): Promise<void>;
  /**
   * Takes effect with the next flush: "ready" after the names that were dirty when it began, never before they are there;
   * "not ready" before them.
   */
  setState(zoneName: string, readiness: Readiness): void;
  /** The verdicts of a service's instances changed: matters to `ignoreEmpty` services only, cheap for others. */
  verdictChanged(serviceKey: string): void;
  explain(name: string): NameExplanation;
  /** Everything that is published now, for a data thread that was replaced. */
  refill(): Iterable<Change>;
  /** The zones of a new configuration; what is gone is removed with the next flush. */
  reload(zones: readonly ZoneConfig[], nameServerAddresses?: readonly string[]): void;
  size(): { readonly zones: number; readonly names: number; readonly dirty: number; readonly bytes: number };
}

const ROUNDS_PER_FLUSH = 8;

export function createZones(settings: ZonesSettings): Zones {
  const { registry, plane, clock, namesPerPass = 500 } = settings;
  const pause = settings.pause ?? (() => Promise.resolve());
  let addresses = settings.nameServerAddresses ?? [];
  let table: ReadonlyMap<string, ZoneEntry> = new Map();
  let dirty = new Set<string>();
  let removedZones: ZoneEntry[] = [];
  let touched = new Set<Node>();
  let running: Promise<void> | undefined;
  let queued: Promise<void> | undefined;

  /** An owner has won or lost a name since the round began. */
  let isUnsettled = false;

  const markDirty = (key: string) => {
    dirty.add(key);
    wake();
  };
  const markContested = (key: string) => {
    isUnsettled = true;
    markDirty(key);
  };
  let told = false;
  const wake = () => {
    if (told) return;
    told = true;
    settings.onDirty?.();
  };

  const publication = createPublication({
    registry,
    random: settings.random,
    keptFrom: settings.keptFrom,
    isAnswered: (slot) => plane.slots.get(slot),
    zone: (name) => table.get(name),
    contested: markContested,
    leftOut: (owner, problem) => settings.leftOut?.(owner, problem),
  });
  const { tree, owners, settler, apexes } = publication;

  function load(zones: readonly ZoneConfig[]): void {
    const leftOut = (zone: string, problem: string) => settings.leftOut?.(zone, problem);
    const previous = table;
    table = createZoneTable({ zones, nameServerAddresses: addresses, nowMs: clock.now(), leftOut }, previous);
    for (const entry of previous.values()) if (!table.has(entry.config.name)) removeZone(entry);
    for (const entry of table.values()) {
      apexes.add(tree.ensure(entry.name, (node) => touched.add(node)));
      markDirty(owners.ensureStatic(entry.config.name).key);
    }
    const different = [...previous.values(), ...table.values()].filter(
      ({ config: { name } }) => !previous.has(name) || !table.has(name),
    );
    if (different.length > 0) touchAround(different);
    for (const { key } of registry.services()) markDirty(key);
  }

  /** What zones that came or went change beyond their own names: they take from the zone above them, or give to it. */
  function touchAround(different: readonly ZoneEntry[]): void {
    for (const { name } of different) {
      const above = settler.apexOf(tree.parentOf(tree.find(name)));
      if (above !== undefined) touched.add(above);
    }
    // Empty non-terminals may have come into a zone, or have left all, and no owner speaks for them.
    for (const node of tree.nodes()) {
      const isServed = settler.apexOf(node) !== undefined;
      if (isServed !== settler.isSent(node) && !publication.ownership.isOwned(node)) touched.add(node);
    }
  }

  function removeZone(entry: ZoneEntry): void {
    removedZones.push(entry);
    const apex = tree.find(entry.name);
    apexes.delete(apex);
    touched.add(apex);
    markDirty(owners.ensureStatic(entry.config.name).key);
  }

  /**
   * New zones before their names, and zones that are not ready any more before their names go: a name that is not there
   * must not be NXDOMAIN.
   */
  function announceZones(): Change[] {
    const changes: Change[] = [];
    for (const entry of table.values()) {
      if (entry.sent !== undefined && (!entry.sent.ready || readinessOf(entry, table).ready)) continue;
      entry.sent = zoneState(entry, { ready: false, stale: false });
      changes.push({ kind: 'replace-zone', zone: entry.sent });
    }
    return changes;
  }

  function settleZones(wanted: ReadonlyMap<ZoneEntry, Readiness>, removed: readonly ZoneEntry[]): Change[] {
    const gone = removed.filter(({ config }) => !table.has(config.name));
    const changes: Change[] = gone.map(({ name }) => ({ kind: 'remove-zone', name }));
    for (const [entry, readiness] of wanted) {
      const present = readinessOf(entry, table);
      const zone = zoneState(entry, present.ready ? readiness : present);
      if (table.get(entry.config.name) !== entry || isDeepStrictEqual(entry.sent, zone)) continue;
      entry.sent = zone;
      changes.push({ kind: 'replace-zone', zone });
    }
    return changes;
  }

  function newSerials(changedZones: ReadonlySet<Node>): Change[] {
    const changes: Change[] = [];
    for (const entry of table.values()) {
      const apex = tree.find(entry.name);
      // The apex of a zone that came meanwhile is said in its turn: what is not known as sent would never be taken back.
      if (!changedZones.has(apex) || !settler.isSent(apex)) continue;
      bumpSerial(entry, clock.now());
      const records = settler.contentOf(apex, publication.recordsOnDemand());
      if (records !== undefined) changes.push({ kind: 'replace-name', records });
    }
    return changes;
  }

  /** One round: everything that is dirty now. Returns when the data plane has it. */
  async function round(): Promise<void> {
    told = false;
    isUnsettled = false;
    const slots = registry.takeRemovedSlots();
    const batch = dirty;
    dirty = new Set();
    const wanted = new Map([...table.values()].map((entry) => [entry, readinessOf(entry, table)]));
    const removed = removedZones;
    removedZones = [];
    const changedZones = new Set<Node>();
    let changes: Change[] = [];
    let applied: Promise<void> = Promise.resolve();
    do {
      changes = changes.concat(announceZones());
      const result = publication.pass(batch, namesPerPass, touched);
      touched = new Set();
      for (const zone of result.changedZones) changedZones.add(zone);
      changes = changes.concat(result.changes);
      if (batch.size === 0) break;
      // The threads apply one pass while the next is compiled.
      const earlier = applied;
      if (changes.length > 0) applied = plane.apply(changes);
      applied.catch(() => {}); // waited for in the next pass, or at the end
      changes = [];
      await Promise.all([earlier, pause()]);
    } while (batch.size > 0);
    changes = changes.concat(newSerials(changedZones), settleZones(wanted, removed));
    if (changes.length > 0) applied = plane.apply(changes);
    for (const slot of slots) plane.slots.release(slot, applied);
    await applied;
  }

  /**
   * Owners that have won or lost a name in one round are settled in the next. What sources say meanwhile waits for the next
   * flush: a source that never rests must not keep anyone waiting for this one.
   */
  async function run(): Promise<void> {
    for (let rounds = 0; rounds === 0 || (isUnsettled && rounds < ROUNDS_PER_FLUSH); rounds++) await round();
  }

  function start(): Promise<void> {
    running = run().finally(() => {
      running = undefined;
    });
    return running;
  }

  registry.onChange((key, what) => {
    if (what === 'structure') markDirty(key);
  });
  load(settings.zones);

  return {
    flush() {
      if (running === undefined) return start();
      const again = () => {
        queued = undefined;
        return start();
      };
      queued ??= running.then(again, again);
      return queued;
    },
    setState(zoneName, readiness) {
      const entry = table.get(zoneName);
      if (entry === undefined) throw new RangeError(`${zoneName} is not a zone that is served`);
      entry.readiness = readiness;
      wake();
    },
    verdictChanged(key) {
      if (registry.service(key)?.service?.ignoreEmpty) markDirty(key);
    },
    explain: (name) =>
      explainName({ publication, table, registry, isAnswered: (slot) => plane.slots.get(slot) }, parseName(name)),
    refill: () => refillChanges(publication, () => table),
    reload(zones, nameServerAddresses = addresses) {
      addresses = nameServerAddresses;
      load(zones);
    },
    size: () => ({
      zones: table.size,
      names: tree.size(),
      dirty: dirty.size,
      bytes: tree.bytes() + publication.ownership.bytes() + publication.claims.bytes(),
    }),
  };
}
