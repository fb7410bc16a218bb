// Who claims which names, and what was last sent of each: the difference between that and a new compilation is what the data
// plane must hear. Nothing sent is kept but a fingerprint, and nothing is built whose fingerprint was sent.
import { parseName, sameName } from '../../dns/name.ts';
import type { NamePlan } from '../names/plan.ts';
import { type Claims, NUMBERS_PER_CLAIM } from './claims.ts';
import type { Owner, Owners } from './owner.ts';
import type { Ownership } from './ownership.ts';
import { type NameTree, NO_NODE, type Node, ROOT_NODE } from './tree.ts';

export interface Ledger {
  /**
   * Makes `plans` all that `owner` claims. Nodes whose content may differ go to `touched`, new nodes between included.
   * Returns the plans of the names that are new or have new content.
   */
  replaceClaims(owner: Owner, plans: readonly NamePlan[], touched: Set<Node>): ReadonlyMap<Node, NamePlan>;
}

export interface LedgerParts {
  readonly tree: NameTree;
  readonly ownership: Ownership;
  readonly owners: Owners;
  readonly claims: Claims;
  /** Hears of services that claim a name which another has begun or ceased to claim. */
  readonly contested: (owner: Owner) => void;
  /** Whether the data plane has a name. */
  readonly isSent: (node: Node) => boolean;
}

export function createLedger({ tree, ownership, owners, claims, contested, isSent }: LedgerParts): Ledger {
  function tellOthers(node: Node, owner: Owner): void {
    const numbers = ownership.of(node);
    if (!owner.competes || numbers.length === 0 || isReverse(tree, node)) return;
    for (const number of numbers) {
      const other = owners.ofNumber(number);
      if (other.competes && number !== owner.number) contested(other);
    }
  }

  /** The node of a name that is new, or has new content. */
  function claim(plan: NamePlan, owner: Owner, touched: Set<Node>): Node {
    const node = tree.ensure(plan.name(), (created) => void touched.add(created));
    if (!ownership.of(node).includes(owner.number)) {
      tellOthers(node, owner);
      ownership.add(node, owner.number);
    }
    touched.add(node);
    return node;
  }

  return {
    replaceClaims(owner, plans, touched) {
      const before = claims.of(owner);
      const after = new Int32Array(plans.length * NUMBERS_PER_CLAIM);
      const sent = createClaimIndex(before);
      const kept = new Uint8Array(before.length / NUMBERS_PER_CLAIM);
      const claimed = new Map<Node, NamePlan>();
      plans.forEach((plan, i) => {
        const at = i * NUMBERS_PER_CLAIM;
        const known = sent.find(plan);
        after[at + 1] = plan.low;
        after[at + 2] = plan.high;
        // A zone that went and came back has lost names that are still claimed.
        if (known >= 0 && isSent(before[known])) {
          kept[known / NUMBERS_PER_CLAIM] = 1;
          after[at] = before[known];
        } else {
          after[at] = claim(plan, owner, touched);
          claimed.set(after[at], plan);
        }
      });
      for (let i = 0; i < kept.length; i++) {
        const node = before[i * NUMBERS_PER_CLAIM];
        if (kept[i] === 1 || claimed.has(node)) continue;
        ownership.remove(node, owner.number);
        tellOthers(node, owner);
        touched.add(node);
      }
      claims.replace(owner, after);
      return claimed;
    },
  };
}

/** Finds claims by fingerprint: mostly the one after the last that was found, so an index is made only when it is not. */
export function createClaimIndex(claims: Int32Array): { find(plan: NamePlan): number } {
  let next = 0;
  let places: Int32Array | undefined;
  const holds = (at: number, plan: NamePlan) => claims[at + 1] === plan.low && claims[at + 2] === plan.high;
  return {
    find(plan) {
      let at = next;
      if (at >= claims.length || !holds(at, plan)) {
        if (claims.length === 0) return -1;
        places ??= indexClaims(claims);
        let bucket = bucketOf(plan.low, plan.high, places);
        while (places[bucket] !== 0 && !holds(places[bucket] - 1, plan)) bucket = (bucket + 1) & (places.length - 1);
        at = places[bucket] - 1;
        if (at < 0) return -1;
      }
      next = at + NUMBERS_PER_CLAIM;
      return at;
    },
  };
}

/** Open addressing, at most half full: a Map of the 20,000 claims of a large service takes 10 ms to fill, this 0.3. */
function indexClaims(claims: Int32Array): Int32Array {
  let size = 8;
  while (size < (claims.length / NUMBERS_PER_CLAIM) * 2) size *= 2;
  const places = new Int32Array(size);
  for (let at = 0; at < claims.length; at += NUMBERS_PER_CLAIM) {
    let bucket = bucketOf(claims[at + 1], claims[at + 2], places);
    while (places[bucket] !== 0) bucket = (bucket + 1) & (size - 1);
    places[bucket] = at + 1;
  }
  return places;
}

const bucketOf = (low: number, high: number, { length }: Int32Array): number =>
  (Math.imul(low ^ (high >>> 7), 0x9e3779b1) >>> 8) & (length - 1);

/**
 * What an owner says at a node, by plans that may be newer than its claims. Who asks will send it, so a claim that says
 * something else is made void: its name is sent again when the owner's turn comes, even if it has changed back by then.
 */
export function plansByNode(
  owner: Owner,
  claims: Claims,
  plans: readonly NamePlan[],
  tree: NameTree,
): (node: Node) => NamePlan | undefined {
  const known = claims.of(owner);
  const sent = createClaimIndex(known);
  const byNode = new Map<Node, NamePlan>();
  const newer = new Set<NamePlan>();
  for (const plan of plans) {
    const at = sent.find(plan);
    const node = at >= 0 ? known[at] : tree.find(plan.name());
    if (at < 0) newer.add(plan);
    if (node !== NO_NODE) byNode.set(node, plan);
  }
  let places: Map<Node, number> | undefined;
  return (node) => {
    const plan = byNode.get(node);
    if (plan !== undefined && !newer.has(plan)) return plan;
    places ??= indexNodes(claims.of(owner));
    const at = places.get(node);
    if (at !== undefined) claims.of(owner).fill(VOID, at + 1, at + NUMBERS_PER_CLAIM);
    return plan;
  };
}

/** The fingerprint of nothing: no name has it, but for one in 2^64. */
const VOID = 0;

function indexNodes(claims: Int32Array): Map<Node, number> {
  const places = new Map<Node, number>();
  for (let at = 0; at < claims.length; at += NUMBERS_PER_CLAIM) places.set(claims[at], at);
  return places;
}

/** Names below in-addr.arpa and ip6.arpa are never taken from each other: their PTR records are joined. */
function isReverse(tree: NameTree, node: Node): boolean {
  let top = node;
  let second = node;
  for (let at = node; at !== ROOT_NODE; at = tree.parentOf(at)) {
    second = top;
    top = at;
  }
  const name = tree.nameOf(second);
  return REVERSE_TOPS.some((reverse) => sameName(name, reverse));
}

const REVERSE_TOPS = [parseName('in-addr.arpa.'), parseName('ip6.arpa.')];
