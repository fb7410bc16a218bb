// The registry as DNS: listens to its changes, and sends the differences to the data plane.
import { isDeepStrictEqual } from 'node:util';
import type { Clock, Random } from '../clock.ts';
import type { ZoneConfig } from '../config/config.ts';
import { parseName, type WireName } from '../dns/name.ts';
import type { Change, DataPlane } from '../plane/records.ts';
import type { InstanceState, Verdict } from '../registry/model.ts';
import type { Registry } from '../registry/registry.ts';
import { explainName, type NameExplanation } from './explain/explain.ts';
import { PodPublication } from './publish/pod-publication.ts';
import { Publication } from './publish/publication.ts';
import { Reasons } from './publish/reasons.ts';
import { refillChanges } from './publish/refill.ts';
import type { Node } from './publish/tree.ts';
import {
  bumpSerial,
  changedBuckets,
  createZoneTable,
  type Readiness,
  readinessOf,
  type ZoneEntry,
  zoneState,
} from './publish/zone-table.ts';

export interface ZonesSettings {
  readonly registry: Pick<
    Registry,
    'service' | 'services' | 'onChange' | 'takeRemovedSlots' | 'podAddresses' | 'onPodAddress'
  >;
  readonly plane: DataPlane;
  readonly zones: readonly ZoneConfig[];
  readonly clock: Pick<Clock, 'now'>;
  readonly random: Random;
  /** Addresses of this server: A and AAAA of name servers that are inside a zone and have no records there. */
  readonly nameServerAddresses?: readonly string[];
  /** Called when a flush is needed, once until it has begun. Schedule the flush; do not flush synchronously. */
  readonly onDirty?: () => void;
  /** Called once for each name or address that cannot be expressed in DNS and is left out. */
  readonly leftOut?: (owner: string, problem: string) => void;
  /** Names compiled between two turns of the event loop; a service that is not published in parts is never split. */
  readonly namesPerPass?: number;
  /** Services with at least this many instances are published in parts; see publish/split-services.ts. */
  readonly splitFrom?: number;
  /** A turn of the event loop, between two passes. Without it a flush is one turn. */
  readonly pause?: () => Promise<void>;
}

export interface ZonesSize {
  readonly zones: number;
  readonly names: number;
  /** Owners whose names wait to be compiled. */
  readonly dirty: number;
  /** Services that have lost their name to another. */
  readonly conflicts: number;
  readonly bytes: number;
}

const ROUNDS_PER_FLUSH = 8;
const NAMES_PER_PASS = 500;

export class Zones {
  private readonly settings: ZonesSettings;
  private readonly publication: Publication;
  private addresses: readonly string[];
  private table: ReadonlyMap<string, ZoneEntry> = new Map();
  /** Keys of owners to compile. */
  private dirty = new Set<string>();
  private touched = new Set<Node>();
  /** Apexes of zones that have lost names to a zone below, or won them. */
  private rezoned = new Set<Node>();
  private removedZones: ZoneEntry[] = [];
  /** See setClaimed; `sentClaims` are those that the data plane knows of. */
  private claimed: readonly string[] = [];
  private readonly sentClaims = new Set<string>();
  private readonly reasons = new Reasons();
  private readonly pods: PodPublication;
  private isAnnounced = false;
  private running: Promise<void> | undefined;
  private queued: Promise<void> | undefined;

  constructor(settings: ZonesSettings) {
    this.settings = settings;
    const { registry, plane, random, splitFrom, leftOut = () => {} } = settings;
    this.addresses = settings.nameServerAddresses ?? [];
    this.publication = new Publication({
      ...{ registry, random, splitFrom, leftOut },
      isAnswered: (slot) => plane.slots.get(slot),
      zone: (name) => this.table.get(name),
    });
    this.pods = new PodPublication(random);
    registry.onPodAddress((key, address, isGained) => {
      if (this.pods.change(key, address, isGained)) this.announce();
    });
    registry.onChange((key, what, concerned) => {
      if (what === 'structure') for (const owner of this.publication.keysFor(key, concerned)) this.markDirty(owner);
    });
    this.load(settings.zones);
  }

  /**
   * Compiles what is dirty and resolves when every data thread has applied it and everything before. The first pass is done
   * before it returns. Judge health before: new names are answered at once. Rejects when the data plane does.
   */
  flush(): Promise<void> {
    if (this.running === undefined) return this.start();
    const again = () => {
      this.queued = undefined;
      return this.start();
    };
    this.queued ??= this.running.then(again, again);
    return this.queued;
  }

  /**
   * Takes effect with the next flush: "ready" after the names that were dirty when it began, never before they are there;
   * "not ready" before them.
   */
  setState(zoneName: string, readiness: Readiness): void {
    const entry = this.table.get(zoneName);
    if (entry === undefined) throw new RangeError(`${zoneName} is not a zone that is served`);
    entry.readiness = readiness;
    this.announce();
  }

  /**
   * Below these names our zones are not known yet: names outside all zones are SERVFAIL there. Takes effect with the next
   * flush: a claim that ends, after the names that were dirty when it began.
   */
  setClaimed(names: readonly string[]): void {
    if (isDeepStrictEqual(names, this.claimed)) return;
    this.claimed = names;
    this.announce();
  }

  /** The verdicts of a service's instances changed: matters to `ignoreEmpty` services only, cheap for others. */
  verdictChanged(key: string): void {
    if (this.settings.registry.service(key)?.service?.ignoreEmpty) this.markDirty(key);
  }

  /** The reason for which an instance is not answered has changed. Returns whether `sendReasons` has something to send. */
  noteReason(state: InstanceState, verdict: Verdict): boolean {
    return this.reasons.note(state, verdict);
  }

  /** Sends reasons that have changed, for the text of extended errors. Returns whether more wait. */
  sendReasons(): boolean {
    const changes = this.reasons.take();
    if (changes.length > 0) this.settings.plane.apply(changes).catch(() => {}); // a closed plane needs none
    return this.reasons.isWaiting();
  }

  /** Off: extended errors have no text that says why instances are not answered. */
  setReasons(isOn: boolean): void {
    this.reasons.setOn(isOn, this.instances());
  }

  private *instances(): Generator<InstanceState> {
    for (const { instances } of this.settings.registry.services()) yield* instances.values();
  }

  explain(name: string): NameExplanation {
    const { publication, table, settings } = this;
    const { registry, plane } = settings;
    const isAnswered = (slot: number) => plane.slots.get(slot);
    const podsNamed = (pod: WireName) => this.pods.named(pod, registry.podAddresses());
    return explainName({ publication, table, registry, isAnswered, podsNamed }, parseName(name));
  }

  /** Everything published now, for a replaced data thread. */
  *refill(): Iterable<Change> {
    for (const name of this.sentClaims) yield claimOf(name);
    yield* refillChanges(this.publication, () => this.table);
    yield* this.pods.refill(this.settings.registry.podAddresses());
    yield* this.reasons.refill();
  }

  /** The zones of a new configuration; zones that are gone are removed with the next flush. */
  reload(zones: readonly ZoneConfig[], nameServerAddresses = this.addresses): void {
    this.addresses = nameServerAddresses;
    this.load(zones);
  }

  size(): ZonesSize {
    const { table, publication, dirty } = this;
    const { tree, conflicts } = publication;
    const names = tree.size() + this.pods.size;
    const bytes = publication.bytes() + this.pods.bytes;
    return { zones: table.size, names, dirty: dirty.size, conflicts, bytes };
  }

  private markDirty(key: string): void {
    this.dirty.add(key);
    this.announce();
  }

  /** After everything that is already dirty. */
  private markDirtyLast(key: string): void {
    this.dirty.delete(key);
    this.markDirty(key);
  }

  private announce(): void {
    if (this.isAnnounced) return;
    this.isAnnounced = true;
    this.settings.onDirty?.();
  }

  private load(zones: readonly ZoneConfig[]): void {
    const { clock, registry } = this.settings;
    const { tree, apexes, owners } = this.publication;
    const previous = this.table;
    const input = { zones, nameServerAddresses: this.addresses, nowMs: clock.now() };
    this.table = createZoneTable(input, previous);
    for (const entry of previous.values()) if (!this.table.has(entry.config.name)) this.removeZone(entry);
    for (const entry of this.table.values()) {
      apexes.add(tree.ensure(entry.name, (node) => this.touched.add(node)));
      this.markDirty(owners.ensureStatic(entry.config.name).key);
    }
    const different = [...previous.values(), ...this.table.values()].filter(
      ({ config: { name } }) => !previous.has(name) || !this.table.has(name),
    );
    this.markRecords(previous, different.length > 0);
    if (different.length > 0) this.touchAround(different);
    for (const { key } of registry.services()) this.markDirty(key);
  }

  /** The static records that differ; all, if zones were added or removed: names may be in another zone now. */
  private markRecords(previous: ReadonlyMap<string, ZoneEntry>, all: boolean): void {
    const { owners } = this.publication;
    for (const zone of new Set([...previous.keys(), ...this.table.keys()])) {
      const [before, after] = [previous.get(zone), this.table.get(zone)];
      for (const bucket of changedBuckets(before, after)) this.markDirtyLast(owners.ensureStatic(zone, bucket).key);
      if (!all || after === undefined) continue;
      for (const bucket of after.config.records.buckets()) this.markDirty(owners.ensureStatic(zone, bucket).key);
    }
  }

  /** The effect of added or removed zones beyond their own names: names move from or to the zone above. */
  private touchAround(different: readonly ZoneEntry[]): void {
    const { tree, claims } = this.publication;
    for (const { name } of different) {
      const above = this.publication.apexOf(tree.parentOf(tree.find(name)));
      if (above !== undefined) this.rezoned.add(above);
    }
    // Empty non-terminals, which have no owner, may have come into a zone or left all.
    for (const node of tree.nodes()) {
      const isServed = this.publication.apexOf(node) !== undefined;
      if (isServed !== this.publication.isSent(node) && !claims.isOwned(node)) this.touched.add(node);
    }
  }

  private removeZone(entry: ZoneEntry): void {
    const { tree, apexes, owners } = this.publication;
    this.removedZones.push(entry);
    const apex = tree.find(entry.name);
    apexes.delete(apex);
    this.touched.add(apex);
    this.markDirty(owners.ensureStatic(entry.config.name).key);
  }

  private start(): Promise<void> {
    this.running = this.run().finally(() => {
      this.running = undefined;
    });
    return this.running;
  }

  /**
   * Owners that have won or lost a name in one round are settled in the next. Changes of sources meanwhile wait for the next
   * flush: a source that never rests must not delay this one.
   */
  private async run(): Promise<void> {
    for (let rounds = 0; rounds < ROUNDS_PER_FLUSH; rounds++) if (!(await this.round())) return;
  }

  /** Publishes everything dirty. Resolves, once applied, to whether owners have won or lost a name. */
  private async round(): Promise<boolean> {
    const { registry, plane, namesPerPass = NAMES_PER_PASS, pause = () => Promise.resolve() } = this.settings;
    this.isAnnounced = false;
    const slots = registry.takeRemovedSlots();
    const batch = this.dirty;
    this.dirty = new Set();
    const wanted = new Map([...this.table.values()].map((entry) => [entry, readinessOf(entry, this.table)]));
    const removed = this.removedZones;
    const { claimed } = this;
    this.removedZones = [];
    const changedZones = this.rezoned;
    this.rezoned = new Set();
    let isContested = false;
    let changes: Change[] = this.reasons.forget(slots);
    let applied: Promise<void> = Promise.resolve();
    do {
      changes = changes.concat(this.announceZones(), this.podChanges(changedZones));
      const touched = this.touched;
      this.touched = new Set();
      const pass = this.publication.pass(batch, namesPerPass, touched);
      for (const key of pass.contested) this.markDirty(key);
      isContested ||= pass.contested.size > 0;
      for (const zone of pass.changedZones) changedZones.add(zone);
      changes = changes.concat(pass.changes);
      if (batch.size === 0) break;
      // The threads apply one pass while the next is compiled.
      const earlier = applied;
      if (changes.length > 0) applied = plane.apply(changes);
      applied.catch(() => {}); // waited for in the next pass, or at the end
      changes = [];
      await Promise.all([earlier, pause()]);
    } while (batch.size > 0);
    changes = changes.concat(this.newSerials(changedZones), this.settleZones(wanted, removed), this.endClaims(claimed));
    if (changes.length > 0) applied = plane.apply(changes);
    for (const slot of slots) plane.slots.release(slot, applied);
    await applied;
    return isContested;
  }

  /**
   * New zones before their names, and zones that are not ready any more before their names go: a name that is missing must
   * not be NXDOMAIN.
   */
  private announceZones(): Change[] {
    const changes: Change[] = [];
    for (const name of this.claimed) {
      if (this.sentClaims.has(name) || this.table.get(name)?.sent !== undefined) continue;
      this.sentClaims.add(name);
      changes.push(claimOf(name));
    }
    for (const entry of this.table.values()) {
      if (entry.sent !== undefined && (!entry.sent.ready || readinessOf(entry, this.table).ready)) continue;
      entry.sent = zoneState(entry, { ready: false, stale: false });
      changes.push({ kind: 'replace-zone', zone: entry.sent });
    }
    return changes;
  }

  private podChanges(changedZones: Set<Node>): readonly Change[] {
    const { changes, zones } = this.pods.take();
    for (const zone of zones) changedZones.add(this.publication.tree.find(zone));
    return changes;
  }

  private newSerials(changedZones: ReadonlySet<Node>): Change[] {
    const { publication } = this;
    const changes: Change[] = [];
    for (const entry of this.table.values()) {
      const apex = publication.tree.find(entry.name);
      // The apex of a zone that came meanwhile is sent in its turn: a zone that is not recorded as sent would never be removed.
      if (!changedZones.has(apex) || !publication.isSent(apex)) continue;
      bumpSerial(entry, this.settings.clock.now());
      const change = publication.resend(apex);
      if (change !== undefined) changes.push(change);
    }
    return changes;
  }

  /** Those that had ended when the round began, and still have. */
  private endClaims(claimed: readonly string[]): Change[] {
    const ended = [...this.sentClaims].filter((name) => !claimed.includes(name) && !this.claimed.includes(name));
    for (const name of ended) this.sentClaims.delete(name);
    return ended
      .filter((name) => this.table.get(name)?.sent === undefined)
      .map((name) => ({ kind: 'remove-zone', name: parseName(name) }));
  }

  private settleZones(wanted: ReadonlyMap<ZoneEntry, Readiness>, removed: readonly ZoneEntry[]): Change[] {
    const { table } = this;
    const gone = removed.filter(({ config }) => !table.has(config.name));
    const changes: Change[] = gone.map(({ name }) => ({ kind: 'remove-zone', name }));
    for (const { config } of gone) this.sentClaims.delete(config.name); // claimed again with the next round
    for (const [entry, readiness] of wanted) {
      const present = readinessOf(entry, table);
      const zone = zoneState(entry, present.ready ? readiness : present);
      if (table.get(entry.config.name) !== entry || isDeepStrictEqual(entry.sent, zone)) continue;
      entry.sent = zone;
      changes.push({ kind: 'replace-zone', zone });
    }
    return changes;
  }
}

const CLAIMED = 'not ready: a source that may have a zone for this name has not been read';

/** A zone without names that is not ready: whatever is asked below it and belongs to no other zone is not known yet. */
const claimOf = (name: string): Change => ({
  kind: 'replace-zone',
  zone: { name: parseName(name), ready: false, stale: false, fallthrough: [], why: CLAIMED },
});
