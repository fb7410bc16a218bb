// A stream in groups: full ones where it is fast, small ones where it is slow.
import type { Clock } from '../clock.ts';

export interface BatchLimits {
  readonly size: number;
  /** After the first item of a batch. */
  readonly waitMs: number;
}

/** `stop`: ends the stream after what has arrived. */
export async function* batches<T>(
  source: AsyncIterable<T>,
  { size, waitMs }: BatchLimits,
  clock: Clock,
  stop: AbortSignal,
): AsyncGenerator<T[]> {
  const iterator = source[Symbol.asyncIterator]();
  const stopped = new Promise<'stopped'>((resolve) => {
    if (stop.aborted) resolve('stopped');
    stop.addEventListener('abort', () => resolve('stopped'), { once: true });
  });
  for (let next = iterator.next(), isOver = false; !isOver; ) {
    const batch: T[] = [];
    const late = createAlarm(clock, waitMs);
    while (batch.length < size) {
      const event = await Promise.race(batch.length === 0 ? [next, stopped] : [next, stopped, late.rings]);
      if (event === 'late') break;
      isOver = event === 'stopped' || event.done === true;
      if (event === 'stopped' || event.done === true) break;
      if (batch.length === 0) late.start();
      batch.push(event.value);
      next = iterator.next();
    }
    late.cancel();
    if (batch.length > 0) yield batch;
    // Its failure is of no more interest, and its end may be long in coming.
    if (isOver) next.catch(() => {});
  }
}

function createAlarm(clock: Clock, afterMs: number) {
  let ring: (value: 'late') => void;
  let timer: { cancel(): void } | undefined;
  return {
    rings: new Promise<'late'>((resolve) => {
      ring = resolve;
    }),
    start() {
      timer = clock.setTimeout(() => ring('late'), afterMs);
    },
    cancel: () => timer?.cancel(),
  };
}
