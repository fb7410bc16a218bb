// Every name of every zone as a tree of labels, in typed arrays: about 21 bytes a name and its first label's bytes
// (bench:memory, row "zone"; an index that also keeps hashes would cost 12 bytes an instance more). Empty non-terminals
// (RFC 8020) are the nodes that have children and no owner.
import type { Random } from '../../clock.ts';
import { MAX_NAME_BYTES } from '../../dns/limits.ts';
import { parseName, sameName, type WireName } from '../../dns/name.ts';
import { grown, growth, Runs } from '../../memory/runs.ts';

/** A node's number; numbers of removed nodes are used again. */
export type Node = number;
export const NO_NODE: Node = 0;
export const ROOT_NODE: Node = 1;

/** The share of the index that may be in use. */
const MOST_USED = 0.75;

export class NameTree {
  private readonly seed: number;
  /** The first label of each node: a length byte, then the label. */
  private readonly labels = new Runs(new Uint8Array(1024));
  private parents = new Int32Array(64);
  private offsets = new Int32Array(64);
  private children = new Int32Array(64);
  /** A byte of each node's hash: most comparisons end here, in an array that fits into the processor's caches. */
  private tags = new Uint8Array(64);
  /** Open addressing with linear probing, half to three quarters full: node numbers, 0 is free. */
  private index = new Int32Array(128);
  private used = 2;
  private live = 1;
  private readonly free: Node[] = [];
  /** Where the labels of the name begin that is looked up. */
  private readonly starts = new Int32Array(MAX_NAME_BYTES);
  /** Above the name that was made last: neighbours come one after the other. */
  private lastParent: Node = ROOT_NODE;

  /** `random` seeds the hash, so that users who may create objects in a cluster cannot make all names collide. */
  constructor(random: Random) {
    this.seed = Math.floor(random() * 0xffff_ffff) | 0;
    this.parents[ROOT_NODE] = -1;
  }

  /** The node of a name, made where it is missing; `created` is called for each new node, those between included. */
  ensure(name: WireName, created: (node: Node) => void): Node {
    const labels = this.split(name);
    const isNeighbour = labels > 1 && this.isAt(this.lastParent, name, this.starts[1]);
    let node = isNeighbour ? this.lastParent : ROOT_NODE;
    for (let label = isNeighbour ? 0 : labels - 1; label >= 0; label--) {
      if (label === 0) this.lastParent = node;
      const start = this.starts[label];
      const hash = this.hashOf(node, name, start);
      const place = this.probe(hash, node, name, start);
      const child = this.index[place];
      node = child === NO_NODE ? this.insert(place, hash, node, name, start) : child;
      if (child === NO_NODE) created(node);
    }
    return node;
  }

  /** Room for that many more nodes with labels of that many bytes, so that the others are not hashed and copied again and again. */
  reserve(nodes: number, labelBytes: number): void {
    const length = Math.ceil((this.live + nodes) / MOST_USED) + 1;
    if (length > this.index.length) this.rebuildIndex(length);
    if (this.used + nodes > this.parents.length) this.growNodes(this.used + nodes);
    this.labels.reserve(labelBytes);
  }

  /** NO_NODE when the name is not in the tree. */
  find(name: WireName): Node {
    let node = ROOT_NODE;
    for (let label = this.split(name) - 1; label >= 0 && node !== NO_NODE; label--) {
      const start = this.starts[label];
      node = this.index[this.probe(this.hashOf(node, name, start), node, name, start)];
    }
    return node;
  }

  /** Whether a node has this name, from the label at `start` on: cheaper than finding it. */
  isAt(node: Node, name: WireName, start = 0): boolean {
    const { parents, offsets, labels } = this;
    let at = node;
    for (let label = start; name[label] !== 0; label += 1 + name[label]) {
      if (at <= ROOT_NODE || !sameLabel(labels.numbers, offsets[at], name, label)) return false;
      at = parents[at];
    }
    return at === ROOT_NODE;
  }

  nameOf(node: Node): WireName {
    const name = new Uint8Array(MAX_NAME_BYTES);
    const { numbers } = this.labels;
    let end = 0;
    for (let at = node; at > ROOT_NODE; at = this.parents[at]) {
      const first = this.offsets[at];
      for (let from = first, last = first + numbers[first]; from <= last; from++) name[end++] = numbers[from];
    }
    return name.slice(0, end + 1);
  }

  parentOf(node: Node): Node {
    return Math.max(NO_NODE, this.parents[node]);
  }

  /** Of its first label, with the length. */
  labelBytes(node: Node): number {
    return 1 + this.labels.numbers[this.offsets[node]];
  }

  childCount(node: Node): number {
    return this.children[node];
  }

  /** False for a node that was removed. */
  isAlive(node: Node): boolean {
    return node === ROOT_NODE || this.parents[node] > 0;
  }

  /** Removes a node without children (throws RangeError otherwise) and returns its parent. */
  remove(node: Node): Node {
    const { labels, offsets, parents, children } = this;
    if (children[node] > 0 || node === ROOT_NODE) throw new RangeError(`node ${node} has children`);
    const parent = parents[node];
    const hash = this.hashOf(parent, labels.numbers, offsets[node]);
    this.vacate(this.probe(hash, parent, labels.numbers, offsets[node]));
    labels.giveUp(offsets[node], 1 + labels.numbers[offsets[node]]);
    parents[node] = NO_NODE;
    children[parent]--;
    this.free.push(node);
    this.live--;
    return parent;
  }

  *nodes(): Generator<Node> {
    for (let node = ROOT_NODE; node < this.used; node++) if (this.isAlive(node)) yield node;
  }

  /** Nodes in use, the root included. */
  size(): number {
    return this.live;
  }

  bytes(): number {
    const { parents, offsets, children, tags, index, labels } = this;
    return [parents, offsets, children, tags, index, labels.numbers].reduce(
      (sum, { byteLength }) => sum + byteLength,
      0,
    );
  }

  private hashOf(parent: Node, bytes: Uint8Array, at: number): number {
    let hash = Math.imul(parent ^ this.seed, 0x9e3779b1);
    for (let i = at, end = at + bytes[at]; i <= end; i++) hash = Math.imul(hash ^ bytes[i], 0x01000193);
    hash ^= hash >>> 15;
    return Math.imul(hash, 0x85ebca6b) ^ (hash >>> 13);
  }

  /** The position in `index` of the child, or of the free place where it belongs. */
  private probe(hash: number, parent: Node, bytes: Uint8Array, at: number): number {
    const { index, parents, offsets, labels, tags } = this;
    const tag = hash & 0xff;
    let place = this.homeOf(hash);
    for (let node = index[place]; node !== NO_NODE; node = index[place]) {
      if (tags[node] === tag && parents[node] === parent && sameLabel(labels.numbers, offsets[node], bytes, at))
        return place;
      place = place + 1 === index.length ? 0 : place + 1;
    }
    return place;
  }

  private homeOf(hash: number): number {
    return Math.floor(((hash >>> 0) / 0x1_0000_0000) * this.index.length);
  }

  private hashAt(node: Node): number {
    return this.hashOf(this.parents[node], this.labels.numbers, this.offsets[node]);
  }

  /** The offsets of the labels of `name` go to `starts`; returns how many. */
  private split(name: WireName): number {
    let count = 0;
    for (let at = 0; name[at] !== 0; at += 1 + name[at]) this.starts[count++] = at;
    return count;
  }

  private insert(place: number, hash: number, parent: Node, bytes: Uint8Array, at: number): Node {
    const node = this.free.pop() ?? this.used++;
    if (node >= this.parents.length) this.growNodes(growth(this.parents.length));
    const { labels, children } = this;
    const length = 1 + bytes[at];
    const offset = labels.take(length);
    for (let i = 0; i < length; i++) labels.numbers[offset + i] = bytes[at + i];
    this.parents[node] = parent;
    this.offsets[node] = offset;
    this.tags[node] = hash;
    children[node] = 0;
    children[parent]++;
    this.index[place] = node;
    this.live++;
    if (this.live > this.index.length * MOST_USED) this.rebuildIndex(Math.ceil(this.index.length * 1.5));
    return node;
  }

  private growNodes(length: number): void {
    this.parents = grown(this.parents, length);
    this.offsets = grown(this.offsets, length);
    this.children = grown(this.children, length);
    this.tags = grown(this.tags, length);
  }

  private rebuildIndex(length: number): void {
    const index = new Int32Array(length);
    this.index = index;
    for (let node = ROOT_NODE + 1; node < this.used; node++) {
      if (this.parents[node] <= 0) continue;
      // No two nodes are the same, so a free place is all that is looked for.
      let place = this.homeOf(this.hashAt(node));
      while (index[place] !== NO_NODE) place = place + 1 === length ? 0 : place + 1;
      index[place] = node;
    }
  }

  /** Closes the gap (Knuth 6.4 R), so that probing may stop at the first free place. */
  private vacate(gap: number): void {
    const { index } = this;
    const { length } = index;
    index[gap] = NO_NODE;
    for (let place = (gap + 1) % length; index[place] !== NO_NODE; place = (place + 1) % length) {
      const node = index[place];
      const home = this.homeOf(this.hashAt(node));
      if ((place - home + length) % length >= (place - gap + length) % length) {
        index[gap] = node;
        index[place] = NO_NODE;
        gap = place;
      }
    }
  }
}

function sameLabel(one: Uint8Array, at: number, other: Uint8Array, otherAt: number): boolean {
  for (let i = 0, length = one[at]; i <= length; i++) if (one[at + i] !== other[otherAt + i]) return false;
  return true;
}

const REVERSE_TOPS = [parseName('in-addr.arpa.'), parseName('ip6.arpa.')];

/** Whether a node is below in-addr.arpa or ip6.arpa. */
export function isReverse(tree: Pick<NameTree, 'parentOf' | 'nameOf'>, node: Node): boolean {
  let top = node;
  let second = node;
  for (let at = node; at !== ROOT_NODE; at = tree.parentOf(at)) {
    second = top;
    top = at;
  }
  const name = tree.nameOf(second);
  return REVERSE_TOPS.some((reverse) => sameName(name, reverse));
}
