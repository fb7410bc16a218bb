// The health check of one running container, with ECS's meaning of interval, timeout, retries and startPeriod.
import type { Clock } from '../../clock.ts';
import { runCheckCommand } from '../../health/checks/exec.ts';
import type { Scheduler } from '../../health/checks/scheduler.ts';
import { type CheckProgress, checkNotRun, nextProgress } from '../../health/rules/ecs.ts';
import type { ContainerHealthCheck } from '../../taskdef/task-definition.ts';

export interface ContainerCheckSettings {
  readonly check: ContainerHealthCheck;
  /** Tasks take turns when more checks are due than may run. */
  readonly taskId: string;
  readonly folder: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly scheduler: Scheduler;
  readonly clock: Clock;
  readonly onResult: (progress: CheckProgress) => void;
}

/**
 * ECS runs the first check an interval after the start. Until then the check runs often, and only a pass counts: a task that
 * starts quickly is answered at once, and one that does not is judged as in ECS.
 */
const EARLY_SECONDS = 0.25;

/** Starts checking; returns its end. */
export function checkContainer(settings: ContainerCheckSettings): () => void {
  const { check, taskId, scheduler, clock } = settings;
  const startedMs = clock.monotonicMs();
  let progress = checkNotRun(startedMs, clock.now());
  let isEarly = true;
  let isOver = false;
  let remove = schedule(EARLY_SECONDS);

  function schedule(intervalSeconds: number): () => void {
    return scheduler.add({ owner: taskId, intervalSeconds, timeoutSeconds: check.timeout, run });
  }

  async function run(signal: AbortSignal, timedOut: () => boolean): Promise<void> {
    const checkedMs = clock.monotonicMs();
    const { folder, environment } = settings;
    let result = await runCheckCommand(check.command, { cwd: folder, env: environment }, signal);
    if (isOver || result.isInconclusive) return;
    if (!result.passed && timedOut()) result = { passed: false, reason: `timed out after ${check.timeout} s` };
    const counts = result.passed || checkedMs - startedMs >= check.interval * 1000;
    if (counts) {
      progress = nextProgress(progress, result, check, checkedMs, clock.now());
      settings.onResult(progress);
    }
    if (isEarly && counts) {
      isEarly = false;
      remove();
      remove = schedule(check.interval);
    }
  }

  return () => {
    isOver = true;
    remove();
  };
}
