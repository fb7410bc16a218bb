// Numbers that an attacker cannot guess (RFC 5452 section 9.2): from crypto, in blocks, since one call per ID costs more than
// the rest of the query (bench/RESULTS.md, "miss, 200 outstanding").

export interface Unpredictable {
  /** 0 to 65535. */
  id(): number;
  /** 0 to `limit` - 1; limit at most 65536. */
  below(limit: number): number;
}

/** `fill` writes random bytes; tests pass their own. */
export function createUnpredictable(
  fill: (block: Uint16Array<ArrayBuffer>) => void = (block) => void crypto.getRandomValues(block),
): Unpredictable {
  const block = new Uint16Array(2048);
  let used = block.length;
  const id = () => {
    if (used === block.length) {
      fill(block);
      used = 0;
    }
    const value = block[used];
    // A memory disclosure must not reveal the IDs of past queries.
    block[used++] = 0;
    return value;
  };
  return { id, below: (limit) => Math.floor((id() * limit) / 65_536) };
}
