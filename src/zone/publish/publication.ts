// The publication of names. Owners claim names; the content of a name is merged from the claims on it; differences from the
// data plane are sent. Everything follows from the current registry and zones: no compiled data is kept.
import type { Random } from '../../clock.ts';
import { MAX_NAME_BYTES } from '../../dns/limits.ts';
import { formatName, type WireName } from '../../dns/name.ts';
import { grown, growth } from '../../memory/runs.ts';
import { nameEnd, packedHash } from '../../plane/packed-names.ts';
import type { Change, NamePart, NameRecords } from '../../plane/records.ts';
import type { InstanceState } from '../../registry/model.ts';
import type { Registry } from '../../registry/registry.ts';
import { type CompiledService, compileService, type Scope } from '../names/compile.ts';
import { contentHash, NO_BASE, type PublishedName, published } from '../names/published-name.ts';
import { Claims } from './claims.ts';
import { HeldNames } from './held-names.ts';
import { type Claim, hasCnameConflict, mergeClaims } from './merge.ts';
import {
  areOneService,
  bucketOfKey,
  compareOwners,
  createOwners,
  excludes,
  NO_PROBLEMS,
  type Owner,
  serviceKeyOf,
  titleOf,
} from './owner.ts';
import { SplitNames } from './split-names.ts';
import { InstancesByPart, SplitServices } from './split-services.ts';
import { isReverse, NameTree, NO_NODE, type Node, ROOT_NODE } from './tree.ts';
import { generatedNamesOf, staticNamesOf, type ZoneEntry } from './zone-table.ts';

export interface PublicationSettings {
  readonly registry: Pick<Registry, 'service'>;
  readonly random: Random;
  /** Services with at least this many instances are published in parts. */
  readonly splitFrom?: number;
  readonly isAnswered: (slot: number) => boolean;
  readonly zone: (name: string) => ZoneEntry | undefined;
  /** Called once for each text when a part of an owner is skipped. */
  readonly leftOut: (owner: string, problem: string) => void;
}

/** The result of one pass. */
export interface Pass {
  readonly changes: readonly Change[];
  /** Apexes of the zones in which something changed. */
  readonly changedZones: ReadonlySet<Node>;
  /** Owners that have won or lost a name to one of this pass, and must be compiled again. */
  readonly contested: ReadonlySet<string>;
}

/** A pass while it runs. `touched`: nodes whose content may differ from what was sent. */
class Work implements Pass {
  readonly changes: Change[] = [];
  readonly changedZones = new Set<Node>();
  readonly contested = new Set<string>();
  readonly touched: Set<Node>;

  constructor(touched: Set<Node>) {
    this.touched = touched;
  }
}

interface Content {
  readonly records: NameRecords;
  readonly hash: number;
}

/** In place of a hash: threads may have different content. */
const DIFFERENT = -1;
/** In place of a hash: the data plane has the name in parts, see split-names.ts. */
const IN_PARTS = -2;

export class Publication {
  readonly tree: NameTree;
  readonly owners = createOwners();
  readonly claims = new Claims();
  private readonly held = new HeldNames();
  /** Apexes of the zones that are served. */
  readonly apexes = new Set<Node>();
  /** Number of passes. */
  passes = 0;
  private readonly settings: PublicationSettings;
  readonly splitServices: SplitServices;
  readonly splitNames = new SplitNames();
  /** Numbers of owners whose own name another owner has. */
  private readonly losers = new Set<number>();
  /** Zones whose static records have room in the tree. */
  private readonly expected = new WeakSet<ZoneEntry>();
  /** By node: the hash of what the data plane has, 0 for nothing. */
  private sent = new Float64Array(64);

  constructor(settings: PublicationSettings) {
    this.settings = settings;
    this.tree = new NameTree(settings.random);
    this.splitServices = new SplitServices(settings.splitFrom);
  }

  /** Takes owners from `keys` until `budget` names are compiled; then sends what differs at their names and at `touched`. */
  pass(keys: Set<string>, budget: number, touched: Set<Node>): Pass {
    this.passes++;
    const current = new CurrentNames(this);
    const work = new Work(touched);
    const idle: Owner[] = [];
    /** Of a service that is published and is being split or put together: its names are never missing meanwhile. */
    const together = new Set<string>();
    let left = budget;
    for (const key of keys) {
      if (left <= 0 && together.size === 0) break;
      if (left <= 0 && !together.has(key)) continue;
      keys.delete(key);
      if (this.isBeforeItsService(key, keys)) continue;
      together.delete(key);
      const owner = this.ownerOf(key, work);
      if (owner === undefined) continue;
      if (!owner.isStatic && owner.bucket === undefined) this.splitUp(owner, keys, together);
      const fresh = this.freshRecordsOf(owner);
      if (fresh !== undefined) {
        left -= this.claimFresh(owner, fresh, work) / FRESH_NAMES;
        continue;
      }
      left -= 1 + this.claims.nodesOf(owner).length;
      const compiled = current.of(owner);
      left -= compiled.names.length;
      current.note(owner, this.claim(owner, compiled, work));
      if (compiled.names.length + compiled.held.length === 0) idle.push(owner);
    }
    for (const node of touched) this.settle(node, current, work);
    for (const owner of idle) if (owner.problems.size === 0) this.forget(owner);
    return work;
  }

  /** Whether a service is split is decided with the service: a part before it in `keys` is moved behind it. */
  private isBeforeItsService(key: string, keys: Set<string>): boolean {
    const service = serviceKeyOf(key);
    if (service === key || !keys.has(service)) return false;
    keys.add(key);
    return true;
  }

  /** The owners to compile because these instances of a service have changed; undefined: possibly all. */
  keysFor(serviceKey: string, changed: readonly InstanceState[] | undefined): string[] {
    return this.splitServices.keysFor(serviceKey, this.settings.registry.service(serviceKey), changed);
  }

  /** Adds the parts of a service to `keys`, and to `together` those that must not wait. */
  private splitUp(owner: Owner, keys: Set<string>, together: Set<string>): void {
    const wasSplit = this.splitServices.has(owner.key);
    const parts = this.splitServices.update(owner.key, this.settings.registry.service(owner.key));
    const isSplit = this.splitServices.has(owner.key);
    const isMoving = isSplit !== wasSplit && (wasSplit || this.claims.nodesOf(owner).length > 0);
    for (const part of parts) {
      keys.add(part);
      if (isMoving) together.add(part);
    }
  }

  private forget(owner: Owner): void {
    // Its parts are found by it.
    if (this.splitServices.has(owner.key)) return;
    if (!owner.isStatic && owner.bucket !== undefined) this.splitServices.forgetPart(owner.key, owner.bucket);
    this.owners.forget(owner);
  }

  /** The owner of a key. If its rank has changed, the old owner gives up its names first. */
  private ownerOf(key: string, work: Work): Owner | undefined {
    const known = this.owners.ofKey(key);
    const service = this.settings.registry.service(serviceKeyOf(key))?.service;
    if (known?.isStatic || service === undefined) return known;
    const owner = this.owners.ensureService(service, bucketOfKey(key));
    if (known !== undefined && known !== owner) this.claim(known, NOTHING, work);
    return owner;
  }

  /** The current names of an owner. */
  compile(owner: Owner, instances: InstancesByPart, scope: Scope): Compiled {
    if (owner.isStatic) return { names: this.namesOfStatic(owner), held: [] };
    // Its problems are those of all its names.
    if (scope === 'shared') return this.compileService(owner, () => {}, instances, scope);
    const problems = new Set<string>();
    const leftOut = (problem: string) => {
      if (!problems.has(problem) && !this.isReported(owner, problem)) this.settings.leftOut(titleOf(owner), problem);
      problems.add(problem);
    };
    const compiled = this.compileService(owner, leftOut, instances, scope);
    owner.problems = problems.size > 0 ? problems : NO_PROBLEMS;
    return compiled;
  }

  /** Of this owner, or of another part of the same service. */
  private isReported(owner: Owner, problem: string): boolean {
    if (owner.problems.has(problem) || owner.bucket === undefined) return owner.problems.has(problem);
    const parts = this.splitServices.partsOf(serviceKeyOf(owner.key));
    return parts.some((key) => this.owners.ofKey(key)?.problems.has(problem) === true);
  }

  private namesOfStatic({ zone, bucket }: Owner): PublishedName[] {
    const entry = this.settings.zone(zone);
    return bucket === undefined ? generatedNamesOf(entry) : staticNamesOf(entry, bucket);
  }

  private compileService(
    owner: Owner,
    leftOut: (problem: string) => void,
    instances: InstancesByPart,
    scope: Scope,
  ): Compiled {
    const { registry, isAnswered } = this.settings;
    const state = registry.service(serviceKeyOf(owner.key));
    const zone = state?.service && this.settings.zone(state.service.zone);
    const isSplit = state !== undefined && this.splitServices.has(state.key);
    if (state === undefined || zone === undefined || (owner.bucket !== undefined && !isSplit)) {
      this.losers.delete(owner.number);
      if (owner.bucket === undefined && state?.service && state.service.names.length > 0)
        leftOut(`it is published in the zone ${state.service.zone}, which is not served`);
      return NOTHING;
    }
    const context = { zone: zone.name, reverseZones: zone.reverseZones, isAnswered, leftOut };
    if (!isSplit) return this.withoutLostNames(owner, compileService(state, context), leftOut);
    if (owner.bucket === undefined)
      return this.withoutLostNames(owner, compileService(state, context, 'common'), leftOut);
    const some = instances.in(state, owner.bucket);
    if (some.length === 0) return NOTHING;
    // The service reports the names that it has lost.
    return this.withoutLostNames(owner, compileService(state, context, some, scope), () => {});
  }

  /** An owner that lost a name publishes nothing below it, or it would be half of one service and half of another. */
  private withoutLostNames(
    owner: Owner,
    { bases, names, held }: CompiledService,
    leftOut: (problem: string) => void,
  ): Compiled {
    const winners = bases.map((base) => this.winnerOver(owner, base));
    if (!winners.some((winner) => winner !== undefined)) {
      this.losers.delete(owner.number);
      return { names, held };
    }
    if (owner.bucket === undefined) this.losers.add(owner.number);
    winners.forEach((winner, i) => {
      if (winner) leftOut(`${formatName(bases[i])} is answered from ${titleOf(winner)}, which comes first`);
    });
    return { names: names.filter(({ below }) => below === NO_BASE || winners[below] === undefined), held };
  }

  /** The first owner that wins the name over this one. */
  private winnerOver(owner: Owner, name: WireName): Owner | undefined {
    const claiming = this.claims.ownersOf(this.tree.find(name)).map((number) => this.owners.ofNumber(number));
    return [...claiming, ...this.held.ownersOf(name)]
      .filter((other) => excludes(other, owner) && compareOwners(other, owner) < 0)
      .sort(compareOwners)[0];
  }

  /** Makes `names` all that the owner claims. Returns those whose name was not sent with that content. */
  private claim(owner: Owner, { names, held }: Compiled, work: Work): ReadonlyMap<Node, PublishedName> {
    const { claims, tree } = this;
    this.hold(owner, held, work);
    const before = claims.nodesOf(owner);
    const after = new Int32Array(names.length);
    const stays = new Uint8Array(before.length);
    const fresh = new Map<Node, PublishedName>();
    const moved = new Set<Node>();
    let next = 0;
    for (let i = 0; i < names.length; i++) {
      const name = names[i];
      // The names of most owners are the same as before, in the same order.
      const at = next < before.length && tree.isAt(before[next], name.records.name) ? next : -1;
      const node = at >= 0 ? before[at] : tree.ensure(name.records.name, (created) => this.touchNew(created, work));
      after[i] = node;
      if (at >= 0) {
        stays[at] = 1;
        next = at + 1;
      } else moved.add(node);
      if (name.isPart) this.splitNames.claim(node, owner, name.hash);
      else this.splitNames.giveUp(node, owner);
      if (this.isSentFor(node, owner, name)) continue;
      fresh.set(node, name);
      work.touched.add(node);
    }
    for (const node of moved) this.gain(owner, node, work);
    for (let i = 0; i < before.length; i++) {
      if (stays[i] === 0 && !moved.has(before[i])) this.lose(owner, before[i], work);
    }
    claims.setNodes(owner, after);
    return fresh;
  }

  /** The data plane has what the owner claims, and no other owner is involved. */
  private isSentFor(node: Node, owner: Owner, { hash, isPart }: PublishedName): boolean {
    if (!isPart) return this.sent[node] === hash && this.claims.isOwnedByOnly(node, owner);
    return this.sent[node] === IN_PARTS && this.splitNames.isSent(node, owner, hash);
  }

  /** The packed static records of an owner that claims nothing yet. */
  private freshRecordsOf(owner: Owner): Uint8Array | undefined {
    const { zone, bucket } = owner;
    if (!owner.isStatic || bucket === undefined || this.claims.nodesOf(owner).length > 0) return undefined;
    const packed = this.settings.zone(zone)?.config.records.bytesOf(bucket);
    return packed?.length ? packed : undefined;
  }

  /**
   * As `claim` and `settle` for static records of names that nobody has claimed: these are most of a large zone, and cross as
   * they are. Returns the number of names.
   */
  private claimFresh(owner: Owner, packed: Uint8Array, work: Work): number {
    const { tree, claims } = this;
    const nodes: Node[] = [];
    let last: Node = NO_NODE;
    const created = (node: Node) => {
      // Nodes above the name, which is the last one.
      if (last !== NO_NODE) this.touchNew(last, work);
      last = node;
    };
    let runStart = 0;
    const endRun = (end: number) => {
      if (end > runStart) work.changes.push({ kind: 'replace-names', packed: packed.subarray(runStart, end) });
    };
    for (let at = 0; at < packed.length; ) {
      const end = nameEnd(packed, at);
      last = NO_NODE;
      const node = tree.ensure(nameAt(packed, at), created);
      nodes.push(node);
      if (node === last && !this.isHeld(tree.parentOf(node))) {
        claims.addOwner(node, owner);
        this.markSent(node, packedHash(packed, at, end), work);
      } else {
        if (node === last) this.touchNew(node, work);
        this.gain(owner, node, work);
        work.touched.add(node);
        endRun(at);
        runStart = end;
      }
      at = end;
    }
    endRun(packed.length);
    claims.setNodes(owner, Int32Array.from(nodes));
    this.expectLike(owner, packed.length, nodes);
    return nodes.length;
  }

  /** The first bucket of a zone has been claimed: the others are like it, or as large as it times what differs by chance. */
  private expectLike({ zone }: Owner, bucketBytes: number, nodes: readonly Node[]): void {
    const entry = this.settings.zone(zone);
    if (entry === undefined || this.expected.has(entry)) return;
    this.expected.add(entry);
    const buckets = (entry.config.records.bytes.length / bucketBytes) * CHANCE;
    const names = Math.floor(nodes.length * buckets);
    // Otherwise the arrays grow by more than that anyway.
    if (names < this.tree.size()) return;
    const labelBytes = nodes.reduce((sum, node) => sum + this.tree.labelBytes(node), 0);
    this.tree.reserve(names, Math.floor(labelBytes * buckets));
    this.claims.reserve(this.tree.size() + names);
    this.growSent(Math.max(this.sent.length, this.tree.size() + names));
  }

  /** Makes `names` all that the owner holds without publishing them. */
  private hold(owner: Owner, names: readonly WireName[], work: Work): void {
    for (const name of this.held.set(owner, names)) {
      const node = this.tree.find(name);
      if (node === NO_NODE) continue;
      this.contest(owner, node, work);
      work.touched.add(node);
    }
  }

  private gain(owner: Owner, node: Node, work: Work): void {
    if (this.claims.isOwned(node)) {
      if (this.claims.ownersOf(node).includes(owner.number)) return;
      this.contest(owner, node, work);
    }
    this.claims.addOwner(node, owner);
  }

  private lose(owner: Owner, node: Node, work: Work): void {
    this.splitNames.giveUp(node, owner);
    this.claims.removeOwner(node, owner);
    this.contest(owner, node, work);
    work.touched.add(node);
  }

  /** Reverse names are never taken from another owner: PTR records are joined. */
  private contest(owner: Owner, node: Node, work: Work): void {
    const numbers = this.claims.ownersOf(node);
    if (!owner.competes || numbers.length === 0 || isReverse(this.tree, node)) return;
    for (const number of numbers) {
      const other = this.owners.ofNumber(number);
      if (other.competes && other !== owner && !areOneService(other, owner))
        work.contested.add(serviceKeyOf(other.key));
    }
  }

  /** Sends the current content of a node if it differs from the sent one. */
  private settle(node: Node, current: CurrentNames, work: Work): void {
    if (!this.tree.isAlive(node)) return;
    const left = this.prune(node, work);
    if (left !== node) {
      if (this.isHeld(left)) this.settle(left, current, work);
      return;
    }
    if (this.isInParts(node)) this.settleParts(node, current, work);
    else this.settleWhole(node, current, work);
  }

  private settleWhole(node: Node, current: CurrentNames, work: Work): void {
    this.splitNames.forgetSent(node);
    const content = this.contentAt(node, current);
    if (this.isSentAs(node, content)) return;
    if (content !== undefined) work.changes.push({ kind: 'replace-name', records: content.records });
    else work.changes.push({ kind: 'remove-name', name: this.tree.nameOf(node) });
    this.markSent(node, content?.hash ?? 0, work);
  }

  /** Only parts of one service claim the name. */
  isInParts(node: Node): boolean {
    const claimants = this.splitNames.claimants(node);
    if (claimants === 0 || this.isHeld(node) || this.apexOf(node) === undefined) return false;
    const numbers = this.claims.ownersOf(node);
    if (claimants !== numbers.length) return false;
    const [first, ...others] = numbers.map((number) => this.owners.ofNumber(number));
    return others.every((other) => areOneService(first, other));
  }

  /** Sends what differs of a name that is in parts. */
  private settleParts(node: Node, current: CurrentNames, work: Work): void {
    const { isWhole, changed, gone } = this.splitNames.toSend(node);
    const parts: NamePart[] = gone.map((part) => ({ part, rrsets: [] }));
    for (const part of changed) {
      const name = current.at(this.owners.ofNumber(part), node);
      parts.push({ part, rrsets: name?.records.rrsets ?? [] });
      this.splitNames.markSent(node, part, name?.hash);
    }
    for (const part of gone) this.splitNames.markSent(node, part, undefined);
    if (parts.length === 0) return;
    work.changes.push({ kind: 'replace-parts', name: this.tree.nameOf(node), isWhole, parts });
    this.markSent(node, IN_PARTS, work);
  }

  /** A held name exists only while there are names below it. */
  private touchNew(created: Node, work: Work): void {
    const parent = this.tree.parentOf(created);
    if (this.isHeld(parent)) work.touched.add(parent);
    work.touched.add(created);
  }

  private isHeld(node: Node): boolean {
    return !this.held.isEmpty && this.held.ownersOf(this.tree.nameOf(node)).length > 0;
  }

  /** Removes the node, if it is not used any more, and those above that only existed for it. Returns the first that stays. */
  private prune(node: Node, work: Work): Node {
    const { tree } = this;
    let at = node;
    while (at !== ROOT_NODE && tree.childCount(at) === 0 && !this.claims.isOwned(at) && !this.apexes.has(at)) {
      if (this.isSent(at)) {
        work.changes.push({ kind: 'remove-name', name: tree.nameOf(at) });
        this.markSent(at, 0, work);
      }
      at = tree.remove(at);
    }
    return at;
  }

  private markSent(node: Node, hash: number, work: Work): void {
    if (node >= this.sent.length) this.growSent(growth(node + 1));
    this.sent[node] = hash;
    const apex = this.apexOf(node);
    if (apex !== undefined) work.changedZones.add(apex);
  }

  private growSent(length: number): void {
    this.sent = grown(this.sent, length);
  }

  /** The change that sends an apex again, with a new serial. */
  resend(apex: Node): Change | undefined {
    const content = this.contentAt(apex, new CurrentNames(this));
    if (content === undefined) return undefined;
    this.sent[apex] = content.hash;
    return { kind: 'replace-name', records: content.records };
  }

  /** The content of a node; undefined: its name does not exist. */
  contentAt(node: Node, current: CurrentNames): Content | undefined {
    if (this.apexOf(node) === undefined) return undefined;
    const only = this.claims.onlyOwnerOf(node);
    if (only !== 0 && this.held.isEmpty) {
      const name = current.at(this.owners.ofNumber(only), node);
      if (name !== undefined && !hasCnameConflict(name.records)) return name;
    }
    const claims = this.claimsAt(node, current);
    if (claims.length > 0) {
      const records = mergeClaims(claims);
      const [{ name }] = claims;
      return records === name.records ? name : { records, hash: contentHash(records) };
    }
    // RFC 8020, RFC 4592 section 2.2.2: a name exists if there are names below it.
    return this.tree.childCount(node) > 0 ? published({ name: this.tree.nameOf(node), rrsets: [] }) : undefined;
  }

  /** The claims on a node, the first in rank first, without those of services whose name an earlier one holds. */
  claimsAt(node: Node, current: CurrentNames): Claim[] {
    const claims: Claim[] = [];
    const holders = this.isHeld(node) ? this.held.ownersOf(this.tree.nameOf(node)) : [];
    const isLost = (owner: Owner) =>
      holders.some((holder) => excludes(holder, owner) && compareOwners(holder, owner) < 0);
    for (const number of this.claims.ownersOf(node)) {
      const owner = this.owners.ofNumber(number);
      if (holders.length > 0 && isLost(owner)) continue;
      const name = current.at(owner, node);
      if (name !== undefined) claims.push({ owner, name });
    }
    return claims.length < 2 ? claims : claims.sort((a, b) => compareOwners(a.owner, b.owner));
  }

  /** The apex of the zone that a node is in. */
  apexOf(node: Node): Node | undefined {
    for (let at = node; at > 0; at = this.tree.parentOf(at)) if (this.apexes.has(at)) return at;
    return undefined;
  }

  /** The data plane has the name. */
  isSent(node: Node): boolean {
    return (this.sent[node] ?? 0) !== 0;
  }

  private isSentAs(node: Node, content: Content | undefined): boolean {
    return (this.sent[node] ?? 0) === (content?.hash ?? 0);
  }

  /** Only one thread received this content, or none: the next state is sent to all threads again. */
  noteSentToOne(node: Node, content: Content | undefined): void {
    if (!this.isSentAs(node, content)) this.sent[node] = DIFFERENT;
  }

  /** The same for a part of a name. */
  notePartSentToOne(node: Node, owner: Owner, hash: number | undefined): void {
    if (!this.splitNames.isSent(node, owner, hash)) this.splitNames.forgetSentPart(node, owner);
  }

  /** How many services have lost their name to another. */
  get conflicts(): number {
    return this.losers.size;
  }

  bytes(): number {
    return this.tree.bytes() + this.claims.bytes() + this.sent.byteLength;
  }
}

/** Fresh names that take as long as one that is compiled. */
const FRESH_NAMES = 8;
/** A bucket has a few names more or less than another one. */
const CHANCE = 1.1;
const scratch = new Uint8Array(MAX_NAME_BYTES);

/** The name of the packed record at `at`, until the next call. */
function nameAt(packed: Uint8Array, at: number): WireName {
  for (let i = 0, length = packed[at]; i < length; i++) scratch[i] = packed[at + 1 + i];
  return scratch;
}

type Compiled = Pick<CompiledService, 'names' | 'held'>;

const NO_NAMES: readonly PublishedName[] = [];
const NOTHING: Compiled = { names: NO_NAMES, held: [] };

/** The current names of owners, each compiled once on demand. Must not be kept beyond a pass. */
export class CurrentNames {
  private readonly publication: Publication;
  private readonly scope: Scope;
  private readonly instances = new InstancesByPart();
  private readonly compiled = new Map<number, Compiled>();
  private readonly noted = new Map<number, ReadonlyMap<Node, PublishedName>>();
  private readonly indexed = new Map<number, ReadonlyMap<Node, PublishedName>>();

  /** `shared`: of parts of services, only the names that they share. */
  constructor(publication: Publication, scope: Scope = 'all') {
    this.publication = publication;
    this.scope = scope;
  }

  of(owner: Owner): Compiled {
    const known = this.compiled.get(owner.number);
    if (known !== undefined) return known;
    const compiled = this.publication.compile(owner, this.instances, this.scope);
    this.compiled.set(owner.number, compiled);
    return compiled;
  }

  /** Some names of an owner by node, so that the others need not be looked up. */
  note(owner: Owner, names: ReadonlyMap<Node, PublishedName>): void {
    this.noted.set(owner.number, names);
  }

  at(owner: Owner, node: Node): PublishedName | undefined {
    return this.noted.get(owner.number)?.get(node) ?? this.index(owner).get(node);
  }

  private index(owner: Owner): ReadonlyMap<Node, PublishedName> {
    const known = this.indexed.get(owner.number);
    if (known !== undefined) return known;
    const { tree } = this.publication;
    const index = new Map<Node, PublishedName>();
    for (const name of this.of(owner).names) {
      const node = tree.find(name.records.name);
      if (node !== NO_NODE) index.set(node, name);
    }
    this.indexed.set(owner.number, index);
    return index;
  }
}
