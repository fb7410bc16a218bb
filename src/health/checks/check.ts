// One instance's check as it goes on: how far it has come, and the fact it states.
import type { Fact } from '../../registry/model.ts';
import { type CheckProgress, checkNotRun } from '../rules/ecs.ts';
import type { CheckTarget } from './probe.ts';

export interface RunningCheck {
  readonly subject: string;
  target: CheckTarget;
  progress: CheckProgress;
  removed: boolean;
  /** Takes it off the schedule. */
  remove: () => void;
}

/** A check of an instance that was just seen. */
export const newCheck = (subject: string, target: CheckTarget, startedMs: number, nowMs: number): RunningCheck => ({
  subject,
  target,
  progress: checkNotRun(startedMs, nowMs),
  removed: false,
  remove: () => {},
});

/** Whether a restated target is checked in the same way, so that the check just goes on. */
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
