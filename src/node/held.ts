// What a node holds of its zones: RRsets that it is subscribed to. While the session lives they are what the replica says at
// this moment; from its loss on they age by their TTLs, until a new session has replaced them or they expire.
import type { Clock, Random } from '../clock.ts';
import type { HoldConfig } from '../config/node-config.ts';
import type { Change as RecordChange } from '../dns/dso/push.ts';
import type { ExtendedError } from '../dns/message/opt.ts';
import { isSubdomain, lowerCased, sameName, type WireName } from '../dns/name.ts';
import { type HashSeed, hashName } from '../dns/name-hash.ts';
import { CLASS, TYPE } from '../dns/types.ts';
import { ALWAYS_ANSWERED, type Change, type RRset } from '../plane/records.ts';
import { latin1, unpackRecords, withoutRecords, withRecords } from './packed-records.ts';

/** What a PUSH says. */
export interface Delivery {
  readonly name: WireName;
  /** Of the subscription; undefined: the server does not tell. */
  readonly type: number | undefined;
  /** More of the same state follows: it is not whole before the last. */
  readonly isPartial: boolean;
  readonly changes: readonly RecordChange[];
  /** undefined: the server does not tell. */
  readonly policy: HeldPolicy | undefined;
  /** Of the ordinary answer (RFC 8914). */
  readonly errors: readonly ExtendedError[];
}

export type HeldPolicy = Pick<RRset, 'routing' | 'maxAnswers'>;

/** The session, as far as it concerns what is held. */
export interface Subscriber {
  /** Returns the message ID of the subscription; undefined: there is no session, or no room in it. */
  subscribe(name: WireName, type: number): number | undefined;
  unsubscribe(id: number): void;
}

export interface HeldDeps {
  readonly clock: Pick<Clock, 'monotonicMs'>;
  readonly random: Random;
  readonly hashSeed: HashSeed;
  readonly limits: HoldConfig;
  readonly zones: readonly WireName[];
  readonly subscriber: Subscriber;
  /** Replaces or removes a name in the table that answers. */
  publish(change: Change): void;
}

export interface HeldCounts {
  evicted: number;
  unused: number;
  expired: number;
  refused: number;
  /** Records of names that no subscription asks for, in our zones and outside. */
  unasked: number;
  foreign: number;
}

/** A held RRset, as people and the audit see it. */
export interface HeldView extends HeldPolicy {
  readonly name: WireName;
  readonly type: number;
  readonly state: 'fresh' | 'ageing' | 'asked' | 'empty' | 'expired';
  /** Left, if it ages. */
  readonly ttlSeconds: number;
  readonly unusedMs: number;
  readonly records: readonly { readonly rdata: Uint8Array; readonly weight: number }[];
}

/** Others (SOA, NS, DNAME, ANY …) are asked each time: what they mean for names below is the replica's to say. */
const HELD_TYPES: readonly number[] = [
  TYPE.A,
  TYPE.AAAA,
  TYPE.CNAME,
  TYPE.SRV,
  TYPE.PTR,
  TYPE.TXT,
  TYPE.MX,
  TYPE.SVCB,
  TYPE.HTTPS,
];
/** Of an entry: its object, its place in the map, its block in the table. */
const ENTRY_BYTES = 400;
/** How often `age` is to be called. */
export const AGE_MS = 1_000;
const USED_SLOTS = 1 << 16;
/** How many entries are looked at to make room for one: as with CLOCK, those in use go to the end. */
const EVICTION_LOOKS = 64;
const NO_ID = 0;
const FRESH = -1;
/** Of subscriptions that a replica refuses. */
const MAX_REFUSALS = 1000;
const LEAST_REFUSAL_MS = 5000;
/** A replica pushes no RRset of more records. */
const MAX_PENDING = 20_000;
const NOTHING: readonly RecordChange[] = [];
const ANSWERED_ALL: HeldPolicy = { routing: 'multivalue', maxAnswers: 0 };

interface Entry {
  readonly key: string;
  readonly type: number;
  /** Where it is noted that its name was asked for. */
  readonly usedSlot: number;
  /** Of its subscription; NO_ID: an alias that another type's subscription brought, or there is no session. */
  id: number;
  ttlSeconds: number;
  policy: HeldPolicy;
  /** What is answered; '': nothing. */
  records: string;
  /** The first set of a new subscription is awaited, which replaces what is held. */
  isAwaited: boolean;
  /** Changes of a state that is not whole yet. */
  pending: readonly RecordChange[];
  usedMs: number;
  /** When the replica was last heard of; FRESH: the session lives. */
  lostMs: number;
}

export interface Held {
  /** Notes each name that is asked for, by `usedSlotOf`. */
  readonly used: Uint8Array;
  /** A replica answered this question with records: from now on it is to be held. */
  want(name: WireName, type: number): void;
  /** The reply to SUBSCRIBE: there are no records, and no PUSH will follow. */
  isEmpty(id: number): void;
  /** The replica does not accept the subscription, or ends it; not to be tried again before `retryMs`. */
  refused(id: number, retryMs: number): void;
  deliver(delivery: Delivery): void;
  /** The session is lost; the replica was last heard of then. */
  lost(lastHeardMs: number): void;
  /** Subscribes to everything anew, some at a time; false: all is done. */
  resubscribe(most: number): boolean;
  /** Lets some of what is lost age; undefined: call again at once, there is more; else whether anything is still lost. */
  age(most: number): boolean | undefined;
  /** Gives up what nobody asks for. */
  sweep(): void;
  /** Of names at this one; undefined: a random sample of all that are fresh. */
  view(name: WireName): HeldView[];
  sample(most: number): HeldView[];
  /** Subscribes to it anew, because what it holds is wrong. */
  renew(name: WireName, type: number): void;
  readonly counts: HeldCounts;
  rrsets(): number;
  bytes(): number;
  /** When the oldest of what is lost was true; undefined: nothing is lost. */
  oldestMs(): number | undefined;
}

export const usedSlotOf = (hash: number): number => (hash ^ (hash >>> 16)) & (USED_SLOTS - 1);

export const mayBeHeld = (type: number): boolean => HELD_TYPES.includes(type);

export function createHeld(deps: HeldDeps): Held {
  return new HeldRRsets(deps);
}

class HeldRRsets implements Held {
  readonly used = new Uint8Array(USED_SLOTS);
  readonly counts: HeldCounts = { evicted: 0, unused: 0, expired: 0, refused: 0, unasked: 0, foreign: 0 };
  private readonly deps: HeldDeps;
  private readonly entries = new Map<string, Entry>();
  private readonly byId = new Map<number, Entry>();
  /** Subscriptions that were refused, and until when they are not tried again. */
  private readonly refusals = new Map<string, number>();
  private waiting: Entry[] = [];
  /** Entries that this round of ageing has not reached yet, and whether one before them is lost. */
  private ageing: { readonly rest: Iterator<Entry>; isLost: boolean } | undefined;
  private size = 0;

  constructor(deps: HeldDeps) {
    this.deps = deps;
  }

  want(name: WireName, type: number): void {
    if (!mayBeHeld(type) || !this.isOfZones(name)) return;
    const key = keyOf(latin1(name), type);
    const known = this.entries.get(key);
    if (known !== undefined) {
      if (known.id === NO_ID) this.subscribe(known);
      return;
    }
    if (this.isRefused(key)) return;
    const entry = this.newEntry(key, name, type);
    this.makeRoom(1, bytesOf(entry));
    this.subscribe(entry);
    if (entry.id !== NO_ID) this.add(entry);
  }

  isEmpty(id: number): void {
    const entry = this.byId.get(id);
    if (entry !== undefined) this.settle(entry, []);
  }

  refused(id: number, retryMs: number): void {
    const entry = this.byId.get(id);
    if (entry === undefined) return;
    this.counts.refused++;
    if (this.refusals.size >= MAX_REFUSALS) this.refusals.clear();
    this.refusals.set(entry.key, this.deps.clock.monotonicMs() + Math.max(LEAST_REFUSAL_MS, retryMs));
    this.byId.delete(id);
    entry.id = NO_ID;
    this.giveUp(entry);
  }

  deliver(delivery: Delivery): void {
    const { name, type, changes } = delivery;
    if (!this.isOfZones(name)) {
      this.counts.foreign += changes.length;
      return;
    }
    const own = changes.filter((change) => change.class === CLASS.IN && sameName(change.name, name));
    const entries = this.subscribedAt(latin1(name), type, own);
    if (entries.length === 0) this.counts.unasked += changes.length;
    else this.counts.unasked += changes.length - own.length;
    for (const entry of entries) {
      if (delivery.policy !== undefined) entry.policy = policyOf(delivery.policy);
      entry.pending = [...entry.pending, ...own];
      if (!delivery.isPartial) this.settle(entry, entry.pending);
      else if (entry.pending.length > MAX_PENDING) this.decline(entry);
    }
  }

  lost(lastHeardMs: number): void {
    this.byId.clear();
    this.waiting = [];
    this.ageing = undefined;
    for (const entry of this.entries.values()) {
      entry.id = NO_ID;
      entry.isAwaited = false;
      entry.pending = NOTHING;
      if (entry.lostMs === FRESH) entry.lostMs = lastHeardMs;
    }
  }

  resubscribe(most: number): boolean {
    if (this.waiting.length === 0) {
      const all = [...this.entries.values()].filter((entry) => entry.id === NO_ID && !this.isImplied(entry));
      // The most recently used first.
      this.waiting = all.sort((a, b) => a.usedMs - b.usedMs);
    }
    for (let i = 0; i < most; i++) {
      const entry = this.waiting.pop();
      if (entry === undefined) return false;
      if (this.entries.get(entry.key) === entry && entry.id === NO_ID) this.subscribe(entry);
    }
    return this.waiting.length > 0;
  }

  age(most: number): boolean | undefined {
    const nowMs = this.deps.clock.monotonicMs();
    const names = new Set<string>();
    this.ageing ??= { rest: this.entries.values(), isLost: false };
    let next = this.ageing.rest.next();
    for (; !next.done; next = this.ageing.rest.next()) {
      const entry = next.value;
      if (entry.lostMs === FRESH || entry.records === '') continue;
      if (ttlOf(entry, nowMs) <= 0) {
        this.counts.expired++;
        this.setRecords(entry, '');
      } else this.ageing.isLost = true;
      names.add(nameOf(entry.key));
      if (names.size >= most) break;
    }
    for (const name of names) this.publish(name);
    if (!next.done) return undefined;
    const { isLost } = this.ageing;
    this.ageing = undefined;
    return isLost;
  }

  sweep(): void {
    const nowMs = this.deps.clock.monotonicMs();
    const { used } = this;
    // What an alias leads to is asked for with it.
    for (const entry of this.entries.values()) {
      if (entry.type !== TYPE.CNAME || used[entry.usedSlot] === 0) continue;
      for (const { rdata } of unpackRecords(entry.records)) used[this.slotOf(Buffer.from(rdata, 'latin1'))] = 1;
    }
    const unusedMs = this.deps.limits.unusedSeconds * 1000;
    for (const entry of this.entries.values()) {
      if (used[entry.usedSlot] !== 0) entry.usedMs = nowMs;
      else if (nowMs - entry.usedMs >= unusedMs && !this.isImplied(entry)) {
        this.counts.unused++;
        this.giveUp(entry);
      }
    }
    used.fill(0);
  }

  view(name: WireName): HeldView[] {
    return this.entriesAt(latin1(lowerCased(name))).map((entry) => this.viewOf(entry));
  }

  sample(most: number): HeldView[] {
    const chosen: Entry[] = [];
    let seen = 0;
    for (const entry of this.entries.values()) {
      if (entry.lostMs !== FRESH || entry.records === '' || entry.id === NO_ID) continue;
      seen++;
      if (chosen.length < most) chosen.push(entry);
      else {
        const place = Math.floor(this.deps.random() * seen);
        if (place < most) chosen[place] = entry;
      }
    }
    return chosen.map((entry) => this.viewOf(entry));
  }

  renew(name: WireName, type: number): void {
    const entry = this.entries.get(keyOf(latin1(name), type));
    if (entry === undefined || entry.id === NO_ID) return;
    this.unsubscribe(entry);
    this.setRecords(entry, '');
    this.publish(latin1(name));
    this.subscribe(entry);
  }

  rrsets(): number {
    return this.entries.size;
  }

  bytes(): number {
    return this.size;
  }

  oldestMs(): number | undefined {
    let oldest: number | undefined;
    for (const { lostMs, records } of this.entries.values())
      if (lostMs !== FRESH && records !== '' && (oldest === undefined || lostMs < oldest)) oldest = lostMs;
    return oldest;
  }

  /** The subscriptions that a PUSH is for. */
  private subscribedAt(name: string, type: number | undefined, changes: readonly RecordChange[]): Entry[] {
    const all = this.entriesAt(name).filter(({ id }) => id !== NO_ID);
    if (type !== undefined) return all.filter((entry) => entry.type === type);
    const isAlias = changes.some((change) => change.type === TYPE.CNAME || change.type === TYPE.ANY);
    return isAlias ? all : all.filter((entry) => changes.some((change) => change.type === entry.type));
  }

  /** A state is whole: of a new subscription it replaces what was held. An alias comes with any type (RFC 8765 6.3.1). */
  private settle(entry: Entry, changes: readonly RecordChange[]): void {
    const name = nameOf(entry.key);
    const isFirst = entry.isAwaited;
    const isOf = (type: number) => (change: RecordChange) => change.type === type || change.type === TYPE.ANY;
    this.change(entry, changes.filter(isOf(entry.type)), isFirst);
    entry.isAwaited = false;
    entry.pending = NOTHING;
    if (entry.type !== TYPE.CNAME) this.changeAlias(name, changes.filter(isOf(TYPE.CNAME)), isFirst);
    this.publish(name);
    this.wantTargets(name);
    // What came may need more room than was made when it was asked for.
    if (bytesOf(entry) > this.deps.limits.bytes) this.decline(entry);
    else this.makeRoom(0, 0);
  }

  /** More than may be held: from now on it is asked for. */
  private decline(entry: Entry): void {
    const { id } = entry;
    if (id !== NO_ID) this.deps.subscriber.unsubscribe(id);
    this.refused(id, 0);
  }

  private changeAlias(name: string, changes: readonly RecordChange[], isFirst: boolean): void {
    const key = keyOf(name, TYPE.CNAME);
    let alias = this.entries.get(key);
    // One that is subscribed itself gets the same changes.
    if (alias !== undefined && alias.id !== NO_ID) return;
    if (alias === undefined) {
      if (!changes.some(({ action }) => action === 'add')) return;
      alias = this.newEntry(key, Buffer.from(name, 'latin1'), TYPE.CNAME);
      this.add(alias);
    }
    this.change(alias, changes, isFirst);
    if (alias.records === '') this.forget(alias);
  }

  private change(entry: Entry, changes: readonly RecordChange[], isFirst: boolean): void {
    let records = isFirst || changes.some(({ action }) => action === 'remove-all') ? '' : entry.records;
    const removed = changes.filter(({ action }) => action === 'remove');
    const added = changes.filter(({ action }) => action === 'add');
    if (removed.length > 0)
      records = withoutRecords(
        records,
        removed.map(({ rdata }) => latin1(rdata)),
      );
    if (added.length > 0) {
      entry.ttlSeconds = added[0].ttlSeconds;
      const weighed = added.map(({ rdata, weight }) => ({ rdata: latin1(rdata), weight }));
      records = withRecords(records, weighed);
    }
    entry.lostMs = FRESH;
    this.setRecords(entry, records);
  }

  /** The names that an alias leads to, for the types that are asked for at its own. */
  private wantTargets(name: string): void {
    const alias = this.entries.get(keyOf(name, TYPE.CNAME));
    if (alias === undefined || alias.records === '') return;
    const types = this.entriesAt(name).filter(({ type, id }) => type !== TYPE.CNAME && id !== NO_ID);
    for (const { rdata } of unpackRecords(alias.records))
      for (const { type } of types) this.want(lowerCased(Buffer.from(rdata, 'latin1')), type);
  }

  private isRefused(key: string): boolean {
    const untilMs = this.refusals.get(key);
    if (untilMs === undefined) return false;
    if (untilMs > this.deps.clock.monotonicMs()) return true;
    this.refusals.delete(key);
    return false;
  }

  private subscribe(entry: Entry): void {
    const id = this.deps.subscriber.subscribe(wireName(entry), entry.type);
    if (id === undefined) return;
    entry.id = id;
    entry.isAwaited = true;
    entry.pending = NOTHING;
    this.byId.set(id, entry);
  }

  private unsubscribe(entry: Entry): void {
    if (entry.id === NO_ID) return;
    this.byId.delete(entry.id);
    this.deps.subscriber.unsubscribe(entry.id);
    entry.id = NO_ID;
  }

  private newEntry(key: string, name: WireName, type: number): Entry {
    return {
      key,
      type,
      usedSlot: this.slotOf(name),
      id: NO_ID,
      ttlSeconds: 0,
      policy: ANSWERED_ALL,
      records: '',
      isAwaited: false,
      pending: NOTHING,
      usedMs: this.deps.clock.monotonicMs(),
      lostMs: FRESH,
    };
  }

  private add(entry: Entry): void {
    this.entries.set(entry.key, entry);
    this.size += bytesOf(entry);
  }

  private setRecords(entry: Entry, records: string): void {
    this.size += 2 * (records.length - entry.records.length);
    entry.records = records;
  }

  /** Gives up the least recently used of some entries until there is room for so many more. */
  private makeRoom(rrsets: number, bytes: number): void {
    const { limits } = this.deps;
    const isFull = () => this.entries.size + rrsets > limits.rrsets || this.size + bytes > limits.bytes;
    while (this.entries.size > 0 && isFull()) {
      let oldest: Entry | undefined;
      let oldestMs = Number.POSITIVE_INFINITY;
      let looks = 0;
      for (const entry of this.entries.values()) {
        if (looks++ === EVICTION_LOOKS) break;
        // Entries that are moved come up again at the end.
        this.entries.delete(entry.key);
        this.entries.set(entry.key, entry);
        const usedMs = this.used[entry.usedSlot] !== 0 ? Number.MAX_VALUE : entry.usedMs;
        if (usedMs >= oldestMs) continue;
        oldest = entry;
        oldestMs = usedMs;
      }
      this.counts.evicted++;
      this.giveUp(oldest!);
    }
  }

  /** With the alias that came with it, if it was the last subscription at its name. */
  private giveUp(entry: Entry): void {
    const name = nameOf(entry.key);
    this.unsubscribe(entry);
    this.forget(entry);
    const rest = this.entriesAt(name);
    if (rest.every(({ id, lostMs }) => id === NO_ID && lostMs === FRESH)) for (const one of rest) this.forget(one);
    this.publish(name);
  }

  private forget(entry: Entry): void {
    if (this.entries.delete(entry.key)) this.size -= bytesOf(entry);
  }

  /** An alias that came with the subscriptions to other types. */
  private isImplied(entry: Entry): boolean {
    if (entry.type !== TYPE.CNAME || entry.id !== NO_ID) return false;
    return this.entriesAt(nameOf(entry.key)).length > 1;
  }

  private entriesAt(name: string): Entry[] {
    return HELD_TYPES.flatMap((type) => this.entries.get(keyOf(name, type)) ?? []);
  }

  private publish(name: string): void {
    const nowMs = this.deps.clock.monotonicMs();
    const wire = Buffer.from(name, 'latin1');
    const rrsets = this.entriesAt(name)
      .filter(({ records }) => records !== '')
      .map((entry) => rrsetOf(entry, nowMs));
    if (rrsets.length === 0) this.deps.publish({ kind: 'remove-name', name: wire });
    else this.deps.publish({ kind: 'replace-name', records: { name: wire, rrsets } });
  }

  private viewOf(entry: Entry): HeldView {
    const nowMs = this.deps.clock.monotonicMs();
    return {
      ...entry.policy,
      name: wireName(entry),
      type: entry.type,
      state: stateOf(entry),
      ttlSeconds: Math.max(0, ttlOf(entry, nowMs)),
      unusedMs: this.used[entry.usedSlot] !== 0 ? 0 : nowMs - entry.usedMs,
      records: recordsOf(entry),
    };
  }

  private slotOf(name: Uint8Array): number {
    return usedSlotOf(hashName(name, this.deps.hashSeed));
  }

  private isOfZones(name: WireName): boolean {
    return this.deps.zones.some((zone) => isSubdomain(name, zone));
  }
}

/** The type, which is below 256, before the name. */
const keyOf = (name: string, type: number): string => String.fromCharCode(type) + name;
const nameOf = (key: string): string => key.slice(1);
const wireName = ({ key }: Entry): WireName => Buffer.from(nameOf(key), 'latin1');
const bytesOf = ({ key, records }: Entry): number => ENTRY_BYTES + 2 * key.length + 2 * records.length;

/** Most are shared. */
const policyOf = ({ routing, maxAnswers }: HeldPolicy): HeldPolicy =>
  routing === 'multivalue' && maxAnswers === 0 ? ANSWERED_ALL : { routing, maxAnswers };

/** What is left of the TTL until it is looked at again: counted from when the replica was last heard of. */
function ttlOf({ ttlSeconds, lostMs }: Entry, nowMs: number): number {
  return lostMs === FRESH ? ttlSeconds : ttlSeconds - Math.ceil((nowMs + AGE_MS - lostMs) / 1000);
}

function stateOf({ isAwaited, records, lostMs }: Entry): HeldView['state'] {
  if (isAwaited && records === '') return 'asked';
  if (lostMs === FRESH) return records === '' ? 'empty' : 'fresh';
  return records === '' ? 'expired' : 'ageing';
}

function rrsetOf(entry: Entry, nowMs: number): RRset {
  return {
    ...entry.policy,
    type: entry.type,
    ttlSeconds: ttlOf(entry, nowMs),
    records: recordsOf(entry).map((record) => ({ ...record, slot: ALWAYS_ANSWERED })),
    // The replica sends what may be answered.
    whenAllUnhealthy: 'nodata',
  };
}

const recordsOf = ({ records }: Entry) =>
  unpackRecords(records).map(({ rdata, weight }) => ({ rdata: Buffer.from(rdata, 'latin1'), weight }));
