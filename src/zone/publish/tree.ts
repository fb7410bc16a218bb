// Every name of every zone as a tree of labels, in typed arrays: about 20 bytes a name and its first label's bytes
// (bench:memory, row "zone"; an index that also keeps hashes would cost 12 bytes an instance more). Empty non-terminals (RFC 8020) are the nodes that have children and no owner.
import type { Random } from '../../clock.ts';
import { MAX_NAME_BYTES } from '../../dns/limits.ts';
import { parseName, sameName, type WireName } from '../../dns/name.ts';
import { grown, growth, Runs } from '../../memory/runs.ts';

/** A node's number; numbers of removed nodes are used again. */
export type Node = number;
export const NO_NODE: Node = 0;
export const ROOT_NODE: Node = 1;

export interface NameTree {
  /** The node of a name, made where it is missing; `created` hears of each new node, those between included. */
  ensure(name: WireName, created: (node: Node) => void): Node;
  /** NO_NODE when the name is not in the tree. */
  find(name: WireName): Node;
  nameOf(node: Node): WireName;
  parentOf(node: Node): Node;
  childCount(node: Node): number;
  /** False for a node that was removed. */
  isAlive(node: Node): boolean;
  /** Removes a node without children (throws RangeError otherwise) and returns its parent. */
  remove(node: Node): Node;
  nodes(): Iterable<Node>;
  /** Nodes in use, the root included. */
  size(): number;
  /** Bytes held, for tests and metrics. */
  bytes(): number;
}

/** `random` seeds the hash, so that nobody who may create objects in a cluster can make all names collide. */
export function createNameTree(random: Random): NameTree {
  const seed = Math.floor(random() * 0xffff_ffff) | 0;
  /** The first label of each node: a length byte, then the label. */
  const labels = new Runs(new Uint8Array(1024));
  let parents = new Int32Array(64);
  let offsets = new Int32Array(64);
  let children = new Int32Array(64);
  /** Open addressing with linear probing, half to three quarters full: node numbers, 0 is free. */
  let index = new Int32Array(128);
  let used = 2;
  let live = 1;
  const free: Node[] = [];
  const starts = new Int32Array(MAX_NAME_BYTES);

  parents[ROOT_NODE] = -1;

  function hashOf(parent: Node, bytes: Uint8Array, at: number): number {
    let hash = Math.imul(parent ^ seed, 0x9e3779b1);
    for (let i = at, end = at + bytes[at]; i <= end; i++) hash = Math.imul(hash ^ bytes[i], 0x01000193);
    hash ^= hash >>> 15;
    return Math.imul(hash, 0x85ebca6b) ^ (hash >>> 13);
  }

  /** The position in `index` of the child, or of the free place where it belongs. */
  function probe(parent: Node, bytes: Uint8Array, at: number): number {
    let place = homeOf(parent, bytes, at);
    for (let node = index[place]; node !== NO_NODE; node = index[place]) {
      if (parents[node] === parent && sameLabel(labels.numbers, offsets[node], bytes, at)) return place;
      place = place + 1 === index.length ? 0 : place + 1;
    }
    return place;
  }

  const homeOf = (parent: Node, bytes: Uint8Array, at: number): number =>
    Math.floor(((hashOf(parent, bytes, at) >>> 0) / 0x1_0000_0000) * index.length);

  /** The offsets of the labels of `name` go to `starts`; returns how many. */
  function split(name: WireName): number {
    let count = 0;
    for (let at = 0; name[at] !== 0; at += 1 + name[at]) starts[count++] = at;
    return count;
  }

  function insert(place: number, parent: Node, bytes: Uint8Array, at: number): Node {
    const node = free.pop() ?? used++;
    if (node >= parents.length) growNodes();
    parents[node] = parent;
    const length = 1 + bytes[at];
    const offset = labels.take(length);
    for (let i = 0; i < length; i++) labels.numbers[offset + i] = bytes[at + i];
    offsets[node] = offset;
    children[node] = 0;
    children[parent]++;
    index[place] = node;
    live++;
    if (live > index.length * 0.75) rebuildIndex(Math.ceil(index.length * 1.5));
    return node;
  }

  function growNodes(): void {
    const length = growth(parents.length);
    parents = grown(parents, length);
    offsets = grown(offsets, length);
    children = grown(children, length);
  }

  function rebuildIndex(length: number): void {
    index = new Int32Array(length);
    for (let node = ROOT_NODE + 1; node < used; node++) {
      if (parents[node] > 0) index[probe(parents[node], labels.numbers, offsets[node])] = node;
    }
  }

  /** Closes the gap (Knuth 6.4 R), so that probing may stop at the first free place. */
  function vacate(gap: number): void {
    const { length } = index;
    index[gap] = NO_NODE;
    for (let place = (gap + 1) % length; index[place] !== NO_NODE; place = (place + 1) % length) {
      const node = index[place];
      const home = homeOf(parents[node], labels.numbers, offsets[node]);
      if ((place - home + length) % length >= (place - gap + length) % length) {
        index[gap] = node;
        index[place] = NO_NODE;
        gap = place;
      }
    }
  }

  return {
    ensure(name, created) {
      let node = ROOT_NODE;
      for (let label = split(name) - 1; label >= 0; label--) {
        const place = probe(node, name, starts[label]);
        const child = index[place];
        node = child === NO_NODE ? insert(place, node, name, starts[label]) : child;
        if (child === NO_NODE) created(node);
      }
      return node;
    },
    find(name) {
      let node = ROOT_NODE;
      for (let label = split(name) - 1; label >= 0 && node !== NO_NODE; label--) {
        node = index[probe(node, name, starts[label])];
      }
      return node;
    },
    nameOf(node) {
      const name = new Uint8Array(MAX_NAME_BYTES);
      const { numbers } = labels;
      let end = 0;
      for (let at = node; at > ROOT_NODE; at = parents[at]) {
        for (let from = offsets[at], last = from + numbers[from]; from <= last; from++) name[end++] = numbers[from];
      }
      return name.slice(0, end + 1);
    },
    parentOf: (node) => Math.max(NO_NODE, parents[node]),
    childCount: (node) => children[node],
    isAlive: (node) => node === ROOT_NODE || parents[node] > 0,
    remove(node) {
      if (children[node] > 0 || node === ROOT_NODE) throw new RangeError(`node ${node} has children`);
      const parent = parents[node];
      vacate(probe(parent, labels.numbers, offsets[node]));
      labels.giveUp(offsets[node], 1 + labels.numbers[offsets[node]]);
      parents[node] = NO_NODE;
      children[parent]--;
      free.push(node);
      live--;
      return parent;
    },
    *nodes() {
      for (let node = ROOT_NODE; node < used; node++) if (node === ROOT_NODE || parents[node] > 0) yield node;
    },
    size: () => live,
    bytes: () =>
      parents.byteLength + offsets.byteLength + children.byteLength + index.byteLength + labels.numbers.byteLength,
  };
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
