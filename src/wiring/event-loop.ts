// Event loop lag of the control plane: watches, HTTP and health checks are delayed as much as timers. Data
// threads have loops of their own, which the watchdog looks after.
import { performance } from 'node:perf_hooks';
import type { Clock } from '../clock.ts';
import { createDistribution, type Distribution, type Reading } from '../metrics.ts';

export interface EventLoopWatch {
  /** How late a timer was, in seconds, once a second. */
  readonly delays: Distribution;
  readings(): Reading[];
  stop(): void;
}

const EVERY_MS = 1_000;
/** Some are those of CoreDNS's health requests. */
const BOUNDS_SECONDS = [0.00025, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];

export function watchEventLoop(clock: Clock): EventLoopWatch {
  const delays = createDistribution(BOUNDS_SECONDS);
  let lastSeconds = 0;
  let timer = arm();

  function arm() {
    const dueMs = clock.monotonicMs() + EVERY_MS;
    return clock.setTimeout(() => {
      lastSeconds = Math.max(0, clock.monotonicMs() - dueMs) / 1_000;
      delays.observe(lastSeconds);
      timer = arm();
    }, EVERY_MS);
  }

  return {
    delays,
    readings: () => [
      { name: 'nodejs_eventloop_lag_seconds', value: lastSeconds },
      { name: 'healthdns_event_loop_delay_seconds', value: delays },
      {
        name: 'healthdns_event_loop_active_seconds_total',
        value: performance.eventLoopUtilization().active / 1_000,
      },
    ],
    stop: () => timer.cancel(),
  };
}
