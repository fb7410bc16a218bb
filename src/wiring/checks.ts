// Starts active checks and polled external sources, and waits for their first results.
import type { Clock, Random } from '../clock.ts';
import { createExternalPoller } from '../health/checks/external-poller.ts';
import { targetOf } from '../health/checks/probe.ts';
import { type CheckCounts, CheckRunner } from '../health/checks/runner.ts';
import type { HealthSync } from '../health/sync.ts';
import type { InstanceState, ServiceState } from '../registry/model.ts';
import type { Registry } from '../registry/registry.ts';
import type { ControlPlane } from './control-plane.ts';

export interface RunningChecks {
  counts(): CheckCounts;
  /** How many may run at a time. */
  limit(concurrentChecks: number): void;
  stop(): Promise<void>;
}

export function startChecks(
  { registry, reports }: Pick<ControlPlane, 'registry' | 'reports'>,
  concurrentChecks: number,
  clock: Clock,
  random: Random,
): RunningChecks {
  const shared = { registry, clock, random, schedule: (callback: () => void) => void setImmediate(callback) };
  const runner = new CheckRunner({ ...shared, concurrentChecks });
  const poller = createExternalPoller({ ...shared, reports, concurrentChecks });
  return {
    counts: () => runner.counts(),
    limit(most) {
      runner.limit(most);
      poller.limit(most);
    },
    async stop() {
      await Promise.all([runner.stop(), poller.stop()]);
    },
  };
}

const POLL_MS = 100;
const PATIENCE_MS = 5_000;

/**
 * Resolves when the verdict of every instance with an active check includes a result of it (true), or after a few seconds
 * (false): with the intervals of ECS a failing instance is UNKNOWN for more than a minute.
 */
export function firstChecks(registry: Registry, health: Pick<HealthSync, 'flush'>, clock: Clock): Promise<boolean> {
  const deadlineMs = clock.monotonicMs() + PATIENCE_MS;
  return new Promise((resolve) => {
    const look = () => {
      const isComplete = !hasUndecided(registry);
      if (!isComplete && clock.monotonicMs() < deadlineMs) return void clock.setTimeout(look, POLL_MS);
      health.flush(); // results of this very turn have not been judged yet
      resolve(isComplete);
    };
    clock.setTimeout(look, POLL_MS);
  });
}

function hasUndecided(registry: Registry): boolean {
  for (const service of registry.services()) {
    for (const instance of service.instances.values()) if (isUndecided(service, instance)) return true;
  }
  return false;
}

/** A check that has not started has no fact. */
function isUndecided({ service }: ServiceState, state: InstanceState): boolean {
  if (service === undefined || targetOf(service, state.instance) === undefined) return false;
  return !state.facts().some(({ source, status }) => source === 'check' && status !== 'UNKNOWN');
}
