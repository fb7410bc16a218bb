// Which owners claim which node of the tree. Nearly every name has one owner, which is a number in a typed array; only
// names that several claim (a pod's address in many services) cost a list.
import { GROWTH } from '../../memory/label-arena.ts';
import { grown, type Node } from './tree.ts';

export interface Ownership {
  add(node: Node, owner: number): void;
  remove(node: Node, owner: number): void;
  /** Numbers of the owners, in no order. */
  of(node: Node): readonly number[];
  isOwned(node: Node): boolean;
  bytes(): number;
}

const SHARED = -1;

export function createOwnership(): Ownership {
  let single = new Int32Array(64);
  const shared = new Map<Node, number[]>();

  return {
    add(node, owner) {
      if (node >= single.length) single = grown(single, Math.ceil(Math.max(node + 1, single.length * GROWTH)));
      if (single[node] === 0) single[node] = owner;
      else if (single[node] === SHARED) shared.get(node)?.push(owner);
      else {
        shared.set(node, [single[node], owner]);
        single[node] = SHARED;
      }
    },
    remove(node, owner) {
      if (single[node] !== SHARED) {
        if (single[node] === owner) single[node] = 0;
        return;
      }
      const left = (shared.get(node) ?? []).filter((other) => other !== owner);
      if (left.length > 1) shared.set(node, left);
      else {
        shared.delete(node);
        single[node] = left[0] ?? 0;
      }
    },
    of(node) {
      const owner = single[node] ?? 0;
      return owner === 0 ? [] : owner === SHARED ? (shared.get(node) ?? []) : [owner];
    },
    isOwned: (node) => (single[node] ?? 0) !== 0,
    bytes: () => single.byteLength + shared.size * 120,
  };
}
