// The hash of a name grows label by label from the right, so that one pass over a query name gives the hash of every
// suffix: the zone's apex, the closest encloser and the wildcard below it are all found without hashing again.
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

const starts = new Uint8Array(128);

/** The hash of the name that begins at `start`, lower case or not. Allocates nothing: each SRV record has a target. */
export function hashName(bytes: Uint8Array, seed: HashSeed, start = 0): number {
  let labels = 0;
  for (let at = start; bytes[at] !== 0; at += 1 + bytes[at]) starts[labels++] = at - start;
  let hash = seed;
  while (labels > 0) {
    const at = start + starts[--labels];
    for (let i = at, end = at + bytes[at]; i <= end; i++) hash = Math.imul(hash ^ lower(bytes[i]), 0x01000193);
    hash ^= hash >>> 15;
  }
  return hash;
}

const lower = (byte: number): number => (byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte);
