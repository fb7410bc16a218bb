import type { Clock } from '../clock.ts';
import type { Logger } from '../log.ts';

const INTERVAL_MS = 5000;

/** Logs refused writes at once, then at most every five seconds with their number: clients retry while the disk is full. */
export function logRefusedWrites(log: Logger, clock: Clock): (error: unknown, writes: number) => void {
  let refused = 0;
  let reason = '';
  let isPaused = false;

  function report(): void {
    isPaused = refused > 0;
    if (!isPaused) return;
    log.error('the Cloud Map store refused writes', { error: reason, writes: refused });
    refused = 0;
    clock.setTimeout(report, INTERVAL_MS);
  }

  return (error, writes) => {
    refused += writes;
    reason = (error as Error).message;
    if (!isPaused) report();
  };
}
