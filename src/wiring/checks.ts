// Whoever asks instances, or others about them: active checks and polled external sources.
import type { Clock, Random } from '../clock.ts';
import { createExternalPoller } from '../health/checks/external-poller.ts';
import { type CheckCounts, createCheckRunner } from '../health/checks/runner.ts';
import type { ControlPlane } from './control-plane.ts';

export interface RunningChecks {
  counts(): CheckCounts;
  stop(): Promise<void>;
}

export function startChecks(
  { registry, reports }: Pick<ControlPlane, 'registry' | 'reports'>,
  concurrentChecks: number,
  clock: Clock,
  random: Random,
): RunningChecks {
  const shared = { registry, clock, random, schedule: (callback: () => void) => void setImmediate(callback) };
  const runner = createCheckRunner({ ...shared, concurrentChecks });
  const poller = createExternalPoller({ ...shared, reports, concurrentChecks });
  return {
    counts: runner.counts,
    async stop() {
      await Promise.all([runner.stop(), poller.stop()]);
    },
  };
}
