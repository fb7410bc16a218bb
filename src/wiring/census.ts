// Counts services as they change, a few in each turn of the event loop, so that a scrape of thousands finds them counted. While
// clusters are being read, services change all the time, and counting waits.
import type { Clock, Timer } from '../clock.ts';
import { type Census, createCensus } from '../http/census.ts';
import type { ControlPlane } from './control-plane.ts';

/** How long changes are collected. */
const COLLECT_MS = 100;
/** Counted in one turn: half a millisecond. */
const PER_TURN = 50;

export function startCensus(
  control: Pick<ControlPlane, 'registry' | 'health' | 'isLoading'>,
  clock: Clock,
): { readonly census: Census; stop(): void } {
  let timer: Timer | undefined;
  let isStopped = false;
  const wake = () => {
    if (!isStopped) timer ??= clock.setTimeout(look, COLLECT_MS);
  };
  const look = () => {
    timer = undefined;
    if (control.isLoading()) wake();
    else count();
  };
  const count = () => {
    if (!isStopped && !census.settle(PER_TURN)) setImmediate(count);
  };
  const census = createCensus({ registry: control.registry, health: control.health, onDirty: wake });
  wake();
  return {
    census,
    stop() {
      isStopped = true;
      timer?.cancel();
    },
  };
}
