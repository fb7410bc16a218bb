// Batches of a stream: full if the stream is fast, small if it is slow.
import type { Clock, Timer } from '../clock.ts';

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
  // Not Promise.race with promises that live as long as the stream: each race would stay with them.
  let interrupt = (_: 'late' | 'stopped') => {};
  const onStop = () => interrupt('stopped');
  stop.addEventListener('abort', onStop);
  const eventOf = (next: Promise<IteratorResult<T>>) =>
    new Promise<IteratorResult<T> | 'late' | 'stopped'>((resolve, reject) => {
      interrupt = resolve;
      next.then(resolve, reject);
      if (stop.aborted) resolve('stopped');
    });
  for (let next = iterator.next(), isOver = false; !isOver; ) {
    const batch: T[] = [];
    let late: Timer | undefined;
    while (batch.length < size) {
      const event = await eventOf(next);
      if (event === 'late') break;
      isOver = event === 'stopped' || event.done === true;
      if (event === 'stopped' || event.done === true) break;
      late ??= clock.setTimeout(() => interrupt('late'), waitMs);
      batch.push(event.value);
      next = iterator.next();
    }
    late?.cancel();
    if (batch.length > 0) yield batch;
    // Its failure no longer matters, and it may take long to end.
    if (isOver) next.catch(() => {});
  }
  stop.removeEventListener('abort', onStop);
}
