// 64 bits that stand for what a name answers, computed from what its records would be made of: so that only what differs is
// built and sent, and nothing that was sent is kept. Computed one at a time: begin, add…, finish.
import type { NameRecords } from '../../plane/records.ts';

export interface Fingerprint {
  readonly low: number;
  readonly high: number;
}

let low = 0;
let high = 0;

/** `kind` keeps fingerprints of different things apart. */
export function begin(kind: number): void {
  low = 0x811c9dc5 | 0;
  high = 0x5bd1e995 | 0;
  addNumber(kind);
}

/** Two multiplicative hashes with different multipliers; each step is a bijection of its state. */
export function addNumber(value: number): void {
  low = Math.imul(low ^ value, 0x01000193);
  low ^= low >>> 13;
  high = Math.imul(high ^ value, 0x9e3779b1);
  high ^= high >>> 15;
}

export function addText(text: string): void {
  addNumber(text.length);
  for (let i = 0; i < text.length; i++) addNumber(text.charCodeAt(i));
}

export function addBytes(bytes: Uint8Array): void {
  addNumber(bytes.length);
  for (let i = 0; i < bytes.length; i++) addNumber(bytes[i]);
}

export function addFingerprint(other: Fingerprint): void {
  addNumber(other.low);
  addNumber(other.high);
}

export function finish(): Fingerprint {
  return { low, high };
}

/** The halves, for objects that are fingerprints themselves: there are very many. */
export const lowHalf = (): number => low;
export const highHalf = (): number => high;

/** One that stands for many, in their order. */
export function combined(parts: readonly Fingerprint[]): Fingerprint {
  begin(0);
  for (const part of parts) addFingerprint(part);
  return finish();
}

/** Of records that exist already. Their records have no health. */
export function fingerprintOf(records: NameRecords): Fingerprint {
  begin(0);
  addBytes(records.name);
  for (const { type, ttlSeconds, records: all } of records.rrsets) {
    addNumber(type);
    addNumber(ttlSeconds);
    addNumber(all.length);
    for (const { rdata } of all) addBytes(rdata);
  }
  return finish();
}
