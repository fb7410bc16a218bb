// Who claims which names, and what was last sent of each: the difference between that and a new compilation is what the data
// plane must hear. Nothing sent is kept but a fingerprint.
import { parseName, sameName } from '../dns/name.ts';
import type { NameRecords } from '../plane/records.ts';
import { writeDigest } from './digest.ts';
import type { Owner, Owners } from './owner.ts';
import type { Ownership } from './ownership.ts';
import { type NameTree, type Node, ROOT_NODE } from './tree.ts';

/** A node and 64 bits of fingerprint. */
export const NUMBERS_PER_CLAIM = 3;

export interface Ledger {
  /**
   * Makes `names` all that `owner` claims. Nodes whose content may differ go to `touched`, the new nodes between included.
   * Returns the records by node.
   */
  replaceClaims(owner: Owner, names: readonly NameRecords[], touched: Set<Node>): ReadonlyMap<Node, NameRecords>;
}

/** `contested` hears of services that claim a name which another has begun or ceased to claim. */
export function createLedger(
  tree: NameTree,
  ownership: Ownership,
  owners: Owners,
  contested: (owner: Owner) => void,
): Ledger {
  function tellOthers(node: Node, owner: Owner): void {
    const numbers = ownership.of(node);
    if (!owner.competes || numbers.length === 0 || isReverse(tree, node)) return;
    for (const number of numbers) {
      const other = owners.ofNumber(number);
      if (other.competes && number !== owner.number) contested(other);
    }
  }

  return {
    replaceClaims(owner, names, touched) {
      const before = owner.claims;
      const after = new Int32Array(names.length * NUMBERS_PER_CLAIM);
      const byNode = new Map<Node, NameRecords>();
      const created = (node: Node) => void touched.add(node);
      const places = createPlaces(before);
      names.forEach((records, i) => {
        const at = i * NUMBERS_PER_CLAIM;
        const node = tree.ensure(records.name, created);
        byNode.set(node, records);
        after[at] = node;
        writeDigest(records, after, at + 1);
        const known = places.take(node, at);
        if (known < 0) {
          tellOthers(node, owner);
          ownership.add(node, owner.number);
          touched.add(node);
        } else if (before[known + 1] !== after[at + 1] || before[known + 2] !== after[at + 2]) touched.add(node);
      });
      for (let at = 0; at < before.length; at += NUMBERS_PER_CLAIM) {
        const node = before[at];
        if (byNode.has(node)) continue;
        ownership.remove(node, owner.number);
        tellOthers(node, owner);
        touched.add(node);
      }
      owner.claims = after;
      return byNode;
    },
  };
}

/** Where a node stands among the claims; mostly where it is asked for first, so a Map is made only when it is not. */
function createPlaces(claims: Int32Array): { take(node: Node, guess: number): number } {
  let places: Map<Node, number> | undefined;
  return {
    take(node, guess) {
      if (guess < claims.length && claims[guess] === node) return guess;
      if (places === undefined) {
        places = new Map();
        for (let at = 0; at < claims.length; at += NUMBERS_PER_CLAIM) places.set(claims[at], at);
      }
      return places.get(node) ?? -1;
    },
  };
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
