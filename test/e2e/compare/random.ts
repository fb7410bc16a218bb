// Chance that repeats itself: the same seed fills the same cluster and asks the same questions.
import type { Random } from '../../../src/clock.ts';

export interface Chance {
  readonly random: Random;
  /** A whole number in [0, bound). */
  below(bound: number): number;
  /** True that often, of 1. */
  often(share: number): boolean;
  pick<T>(from: readonly T[]): T;
  /** At most `count` of them, each once. */
  some<T>(from: readonly T[], count: number): T[];
}

export function createChance(seed: number): Chance {
  let state = seed >>> 0;
  /** Mulberry32. */
  const random = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (bound: number) => Math.floor(random() * bound);
  return {
    random,
    below,
    often: (share) => random() < share,
    pick: (from) => from[below(from.length)]!,
    some(from, count) {
      const left = [...from];
      const chosen: (typeof from)[number][] = [];
      while (chosen.length < count && left.length > 0) chosen.push(left.splice(below(left.length), 1)[0]!);
      return chosen;
    },
  };
}
