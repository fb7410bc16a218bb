// The pod names that exist (`pods: verified`), "1-2-3-4.shop.pod.cluster.local" and 100,000 others: the hash of the name and a
// hash of the address that it spells, 11 to 23 bytes. As names with records they took 540 more (bench/RESULTS.md, "Memory per
// instance").
//
// Of an IPv4 address all but two bits are kept, so another name than those that exist passes for one of them with a
// probability of 2⁻³² for each of the few pods that have such an address, and of 2⁻⁶² for each pod with IPv6.
import { readPodAddress } from '../dns/pod-address.ts';
import { HashIndex } from '../memory/hash-index.ts';

const FEWEST_BUCKETS = 64;
/** HashIndex holds values below 2³¹ - 1. */
const BITS = 0x3fff_ffff;

export class PodNames {
  private readonly index = new HashIndex(FEWEST_BUCKETS);

  /** The number of names; one that was added twice counts twice. */
  get size(): number {
    return this.index.size;
  }

  get bytes(): number {
    return this.index.bytes;
  }

  /** `hash`: of the name; `address`: the one that it spells. */
  has(hash: number, address: Uint8Array, length: number): boolean {
    return this.hasKey(hash, addressKey(address, length));
  }

  hasKey(hash: number, key: number): boolean {
    const { index } = this;
    for (let known = index.first(hash); known >= 0; known = index.next(hash)) if (known === key) return true;
    return false;
  }

  add(hash: number, key: number): void {
    this.index.add(hash, key);
  }

  /** As a set: once, or not. */
  set(hash: number, key: number, exists: boolean): void {
    if (this.hasKey(hash, key) === exists) return;
    if (exists) this.add(hash, key);
    else this.remove(hash, key);
  }

  /** For one that is there. */
  remove(hash: number, key: number): void {
    this.index.remove(hash, key);
  }
}

export function addressKey(address: Uint8Array, length: number): number {
  let key = length;
  for (let i = 0; i < length; i += 4) {
    const word = address[i] | (address[i + 1] << 8) | (address[i + 2] << 16) | (address[i + 3] << 24);
    key = Math.imul(key ^ word, 0x9e37_79b1);
    key ^= key >>> 15;
  }
  return key & BITS;
}

const spelled = new Uint8Array(16);

/** The key of the address that the first label of a lower-case name spells; -1: none. */
export function keyOfName(name: Uint8Array): number {
  const length = readPodAddress(name, 0, spelled);
  return length === 0 ? -1 : addressKey(spelled, length);
}
