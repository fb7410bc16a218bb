// The running check of one instance: its progress, and the fact that it reports.
import type { Fact } from '../../registry/model.ts';
import { type CheckProgress, checkNotRun } from '../rules/ecs.ts';
import type { CheckTarget } from './probe.ts';

export interface RunningCheck {
  readonly subject: string;
  target: CheckTarget;
  progress: CheckProgress;
  removed: boolean;
  /** Removes it from the schedule. */
  remove: () => void;
}

/** A check of a new instance. */
export const newCheck = (subject: string, target: CheckTarget, startedMs: number, nowMs: number): RunningCheck => ({
  subject,
  target,
  progress: checkNotRun(startedMs, nowMs),
  removed: false,
  remove: () => {},
});

/** Whether an updated target is checked in the same way, so that the check continues. */
export function sameTarget(one: CheckTarget, other: CheckTarget): boolean {
  return (
    one.address === other.address &&
    one.port === other.port &&
    (one.check === other.check || JSON.stringify(one.check) === JSON.stringify(other.check)) &&
    (one.check.type !== 'exec' || JSON.stringify(one.instance.attributes) === JSON.stringify(other.instance.attributes))
  );
}

export function factOf({ progress, target }: RunningCheck): Fact {
  return {
    source: 'check',
    name: target.check.type,
    status: progress.status,
    reason: progress.reason,
    sinceMs: progress.sinceMs,
  };
}
