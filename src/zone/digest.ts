// A fingerprint of what a name answers, so that only what differs is sent again and nothing that was sent is kept.
import type { NameRecords, RRset } from '../plane/records.ts';

/** Writes 64 bits of hash of `records` to `target` at `at` (two numbers). The name is not part of it. */
export function writeDigest(records: NameRecords, target: Int32Array, at: number): void {
  low = 0x811c9dc5 | 0;
  high = 0x5bd1e995 | 0;
  const { rrsets, synthesizesPodAddresses } = records;
  add(synthesizesPodAddresses === undefined ? -1 : synthesizesPodAddresses.ttlSeconds);
  for (const rrset of rrsets) addRRset(rrset);
  target[at] = low;
  target[at + 1] = high;
}

let low = 0;
let high = 0;

function addRRset({ type, ttlSeconds, routing, maxAnswers, whenAllUnhealthy, records }: RRset): void {
  add(type);
  add(ttlSeconds);
  add(maxAnswers);
  add(routing === 'weighted' ? 1 : 0);
  add(whenAllUnhealthy.length);
  add(records.length);
  for (const { rdata, slot, weight } of records) {
    add(slot);
    add(weight);
    add(rdata.length);
    for (let i = 0; i < rdata.length; i++) add(rdata[i]);
  }
}

/** Two multiplicative hashes with different multipliers; each step is a bijection of its state. */
function add(value: number): void {
  low = Math.imul(low ^ value, 0x01000193);
  low ^= low >>> 13;
  high = Math.imul(high ^ value, 0x9e3779b1);
  high ^= high >>> 15;
}
