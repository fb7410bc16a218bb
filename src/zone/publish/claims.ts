// Maps owners to the names that they claim, and back. Owners have 4 bytes for each of their names, names 4 bytes for their
// owner (`npm run bench:memory`, row "zone").

import { grown, growth, Runs } from '../../memory/runs.ts';
import type { Owner } from './owner.ts';
import type { Node } from './tree.ts';

/** Longer lists have separate arrays: a freed run is reused only for a list of its length. */
const MOST_TOGETHER = 64;
const NONE = new Int32Array(0);
const SHARED = -1;

export class Claims {
  /** The lists of most owners, which are short: see runs.ts. */
  private readonly together = new Runs(new Int32Array(1024));
  /** By the owner's number: where its list begins in `together`, and its length. */
  private readonly starts: number[] = [];
  private readonly lengths: number[] = [];
  private readonly alone = new Map<number, Int32Array>();
  /** By node: the number of its owner, 0, or SHARED. */
  private single = new Int32Array(64);
  private readonly shared = new Map<Node, number[]>();

  /** The nodes of an owner in the order that they were claimed in. Not to be kept: `setNodes` may replace it. */
  nodesOf({ number }: Owner): Int32Array {
    const length = this.lengths[number] ?? 0;
    if (length === 0) return this.alone.get(number) ?? NONE;
    return this.together.numbers.subarray(this.starts[number], this.starts[number] + length);
  }

  /** Keeps a copy, or `nodes` itself. `addOwner` and `removeOwner` are the caller's to call. */
  setNodes({ number }: Owner, nodes: Int32Array): void {
    this.alone.delete(number);
    const known = this.lengths[number] ?? 0;
    if (known > 0) this.together.giveUp(this.starts[number], known);
    const { length } = nodes;
    this.lengths[number] = length > MOST_TOGETHER ? 0 : length;
    if (length > MOST_TOGETHER) this.alone.set(number, nodes);
    else if (length > 0) {
      this.starts[number] = this.together.take(length);
      this.together.numbers.set(nodes, this.starts[number]);
    }
  }

  /** Numbers of the owners of a node, in no order. */
  ownersOf(node: Node): readonly number[] {
    const owner = this.single[node] ?? 0;
    return owner === 0 ? [] : owner === SHARED ? (this.shared.get(node) ?? []) : [owner];
  }

  isOwned(node: Node): boolean {
    return (this.single[node] ?? 0) !== 0;
  }

  /** The number of the only owner; 0: none, or several. */
  onlyOwnerOf(node: Node): number {
    return Math.max(0, this.single[node] ?? 0);
  }

  isOwnedByOnly(node: Node, { number }: Owner): boolean {
    return this.single[node] === number;
  }

  /** Room for that many nodes. */
  reserve(nodes: number): void {
    if (nodes > this.single.length) this.single = grown(this.single, nodes);
  }

  addOwner(node: Node, { number }: Owner): void {
    if (node >= this.single.length) this.single = grown(this.single, growth(Math.max(node + 1, this.single.length)));
    const known = this.single[node];
    if (known === 0) this.single[node] = number;
    else if (known === SHARED) this.shared.get(node)?.push(number);
    else {
      this.shared.set(node, [known, number]);
      this.single[node] = SHARED;
    }
  }

  removeOwner(node: Node, { number }: Owner): void {
    if (this.single[node] !== SHARED) {
      if (this.single[node] === number) this.single[node] = 0;
      return;
    }
    const left = (this.shared.get(node) ?? []).filter((other) => other !== number);
    if (left.length > 1) this.shared.set(node, left);
    else {
      this.shared.delete(node);
      this.single[node] = left[0] ?? 0;
    }
  }

  bytes(): number {
    let bytes = this.together.numbers.byteLength + (this.starts.length + this.lengths.length) * 8;
    for (const { byteLength } of this.alone.values()) bytes += byteLength;
    return bytes + this.single.byteLength + this.shared.size * 120;
  }
}
