// Defers optimizations until no cluster is being read for the first time.
import type { Clock } from '../clock.ts';
import type { ControlPlane } from './control-plane.ts';

/** How long to wait for an unreachable cluster. */
const PATIENCE_MS = 30_000;

/**
 * Calls back once: at once if nothing is loading, else after a flush when everything has been read, or after half a minute.
 * Returns the function that cancels it.
 */
export function onceLoaded(
  callback: () => void,
  control: Pick<ControlPlane, 'isLoading' | 'flush'> & { readonly board: Pick<ControlPlane['board'], 'onChange'> },
  clock: Clock,
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
  if (!control.isLoading()) act();
  else
    control.board.onChange(() => {
      if (!isDone && !control.isLoading()) control.flush().then(act, () => {});
    });
  return stop;
}
