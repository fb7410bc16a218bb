// What is put off until no cluster is being read for the first time any more.
import type { Clock } from '../clock.ts';
import type { StatusBoard } from '../sources/status.ts';

/** A cluster that cannot be reached is waited for no longer. */
const PATIENCE_MS = 30_000;

/**
 * Calls back once: at once where nothing loads, else after `flush` when all has been read, or after half a minute. Returns
 * what calls it off.
 */
export function onceLoaded(
  callback: () => void,
  {
    isLoading,
    flush,
    board,
    clock,
  }: {
    readonly isLoading: () => boolean;
    readonly flush: () => Promise<void>;
    readonly board: Pick<StatusBoard, 'onChange'>;
    readonly clock: Clock;
  },
): () => void {
  let isDone = false;
  const act = () => {
    if (!isDone) callback();
    stop();
  };
  const timer = clock.setTimeout(act, PATIENCE_MS);
  const stop = () => {
    isDone = true;
    timer.cancel();
  };
  if (!isLoading()) act();
  else
    board.onChange(() => {
      if (!isDone && !isLoading()) flush().then(act, () => {});
    });
  return stop;
}
