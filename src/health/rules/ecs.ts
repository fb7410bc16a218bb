// The rules of Amazon ECS: the health of a container from its checks, and of a task from its containers.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_HealthCheck.html; the order of counting is Docker's.
import type { HealthCheck, Status } from '../../registry/model.ts';

export interface ContainerHealth {
  readonly name: string;
  readonly essential: boolean;
  readonly status: Status;
  readonly reason?: string;
}

/**
 * A task's health: UNHEALTHY if any essential container is, else UNKNOWN if any of them is, else HEALTHY. Containers
 * that are not essential do not count, nor do those without a health check if another essential one has one: pass them
 * as HEALTHY or omit them. If none counts it is UNKNOWN. The reason names the deciding container.
 */
export function ecsTaskHealth(containers: readonly ContainerHealth[]): { status: Status; reason: string } {
  const essential = containers.filter((container) => container.essential);
  const deciding = (status: Status) => essential.find((container) => container.status === status);
  const bad = deciding('UNHEALTHY') ?? deciding('UNKNOWN');
  if (bad !== undefined) return { status: bad.status, reason: `container ${bad.name}: ${bad.reason ?? bad.status}` };
  if (essential.length === 0) return { status: 'UNKNOWN', reason: 'no essential container reports its health' };
  const names = essential.map((container) => container.name).join(', ');
  return { status: 'HEALTHY', reason: `essential containers are healthy: ${names}` };
}

export interface CheckResult {
  readonly passed: boolean;
  /** This host could not run the check; the health of the instance is unknown. */
  readonly isInconclusive?: boolean;
  /** "200 OK", "connect ECONNREFUSED 127.0.0.1:9". */
  readonly reason: string;
}

/** The progress of a check. A value: each result yields the next one. */
export interface CheckProgress {
  readonly status: Status;
  readonly reason: string;
  /** Wall-clock milliseconds since which the status has been so. */
  readonly sinceMs: number;
  /** Monotonic milliseconds at which the instance was first seen: the beginning of its start period. */
  readonly startedMs: number;
  /** Whether a check has ever passed: that ends the start period early. */
  readonly started: boolean;
  readonly failuresInARow: number;
  readonly passesInARow: number;
}

/** Before the first check: UNKNOWN. */
export function checkNotRun(startedMs: number, nowMs: number): CheckProgress {
  const reason = 'its first check has not finished';
  return { status: 'UNKNOWN', reason, sinceMs: nowMs, startedMs, started: false, failuresInARow: 0, passesInARow: 0 };
}

export type CheckThresholds = Pick<HealthCheck, 'retries' | 'startPeriod' | 'successes'>;

/**
The effect of a result on a check. Failures do not count in the start period (seconds) until one check has passed;
 * `retries` failures in a row make it UNHEALTHY, `successes` passes in a row (1 in ECS) HEALTHY.
* `checkedMs` is the monotonic time at which this check began, `nowMs` the wall-clock time.
 */
export function nextProgress(
  before: CheckProgress,
  result: CheckResult,
  thresholds: CheckThresholds,
  checkedMs: number,
  nowMs: number,
): CheckProgress {
  const to = (status: Status, reason: string, counts: Partial<CheckProgress>): CheckProgress => ({
    ...before,
    status,
    reason,
    sinceMs: status === before.status ? before.sinceMs : nowMs,
    ...counts,
  });

  if (result.passed) {
    const needed = thresholds.successes ?? 1;
    const passesInARow = Math.min(before.passesInARow + 1, needed);
    const counts = { started: true, failuresInARow: 0, passesInARow };
    if (passesInARow >= needed) return to('HEALTHY', result.reason, counts);
    return to(before.status, `${result.reason} (passed ${passesInARow} of ${needed})`, counts);
  }
  const inStartPeriod = !before.started && checkedMs - before.startedMs < thresholds.startPeriod * 1000;
  if (inStartPeriod) return to(before.status, `${result.reason} (start period)`, { passesInARow: 0 });
  const failuresInARow = Math.min(before.failuresInARow + 1, thresholds.retries);
  const reason = `${result.reason} (${failuresInARow} of ${thresholds.retries})`;
  const status = failuresInARow >= thresholds.retries ? 'UNHEALTHY' : before.status;
  return to(status, reason, { failuresInARow, passesInARow: 0 });
}
