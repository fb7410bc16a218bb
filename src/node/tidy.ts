// Gives memory back that V8 and malloc keep: V8 collects an old generation only when it has grown to twice its size, which on a
// quiet node may be never.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Clock } from '../clock.ts';
import { returnFreedMemory } from '../native/libc.ts';

const EVERY_MS = 5_000;
/** A collection takes some 10 ms. */
const LEAST_MS = 20_000;
const GROWN_BYTES = 5 * 1024 * 1024;

/** Collects once the heap has grown, and not soon after the last time. */
export function keepHeapSmall(clock: Clock): void {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  let afterLast = 0;
  let lastMs = Number.NEGATIVE_INFINITY;

  const look = (): void => {
    const nowMs = clock.monotonicMs();
    if (nowMs - lastMs >= LEAST_MS && process.memoryUsage().heapTotal > afterLast + GROWN_BYTES) {
      // The second one gives back the pages that the first one has emptied.
      collect();
      collect();
      returnFreedMemory();
      afterLast = process.memoryUsage().heapTotal;
      lastMs = nowMs;
    }
    clock.setTimeout(look, EVERY_MS);
  };
  look();
}
