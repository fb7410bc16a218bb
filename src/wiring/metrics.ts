// What is read at each scrape from the modules that run.
import type { Clock } from '../clock.ts';
import type { Config } from '../config/config.ts';
import type { Metrics } from '../metrics.ts';
import type { RunningDataPlane } from '../plane/plane.ts';
import type { ControlPlane } from './control-plane.ts';
import { controlReadings, type Rooms } from './control-readings.ts';
import { corednsReadings } from './coredns-readings.ts';
import { watchEventLoop } from './event-loop.ts';
import type { RunningHistory } from './history.ts';

export interface Measured extends Pick<Rooms, 'census' | 'checks' | 'inForce' | 'startedMs'> {
  readonly control: ControlPlane;
  readonly plane: RunningDataPlane;
  readonly history: Pick<RunningHistory, 'readings'>;
  readonly config: () => Config;
}

/** Returns the functions that stop it. */
export function collectMetrics(metrics: Metrics, measured: Measured, clock: Clock): (() => void)[] {
  const { control, plane, history, inForce, config } = measured;
  const eventLoop = watchEventLoop(clock);
  const { programming } = control;
  return [
    eventLoop.stop,
    metrics.collect(plane.counters),
    metrics.collect(() => controlReadings({ ...control, ...measured, eventLoop, programming: programming.durations })),
    metrics.collect(history.readings),
    metrics.collect(() => corednsReadings(config(), { plane, inForce, eventLoop, programming })),
  ];
}
