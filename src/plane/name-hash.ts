// The hash of a name grows label by label from the right, so that one pass over a query name gives the hash of every
// suffix: the zone's apex, the closest encloser and the wildcard below it are all found without hashing again.
import { labelOffsets } from '../dns/name.ts';
import type { WireName } from './records.ts';

/** The hash of the root; random for each process, so that nobody can prepare names that collide. */
export type HashSeed = number;

/** The hash of the name made of the label at `at` (its length byte) in front of the name that hashes to `suffixHash`. */
export function extendHash(suffixHash: number, name: Uint8Array, at: number): number {
  const end = at + name[at];
  let hash = suffixHash;
  for (let i = at; i <= end; i++) hash = Math.imul(hash ^ name[i], 0x01000193);
  return hash ^ (hash >>> 15);
}

/** The hash of `*` in front of the name that hashes to `suffixHash`. */
export function wildcardHash(suffixHash: number): number {
  const hash = Math.imul(Math.imul(suffixHash ^ 1, 0x01000193) ^ 0x2a, 0x01000193);
  return hash ^ (hash >>> 15);
}

/** The hash of a whole lower-case name. */
export function hashName(name: WireName, seed: HashSeed): number {
  const offsets = labelOffsets(name);
  let hash = seed;
  for (let i = offsets.length - 1; i >= 0; i--) hash = extendHash(hash, name, offsets[i]);
  return hash;
}
