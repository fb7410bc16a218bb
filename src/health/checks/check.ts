// One instance's check as it goes on: when it runs next, how far it has come, and the fact it states.
import type { Timer } from '../../clock.ts';
import type { Fact } from '../../registry/model.ts';
import { type CheckProgress, checkNotRun } from '../ecs.ts';
import type { CheckTarget } from './probe.ts';

export interface RunningCheck {
  readonly serviceKey: string;
  readonly subject: string;
  target: CheckTarget;
  progress: CheckProgress;
  /** Waits for the next run. */
  timer: Timer | undefined;
  /** Monotonic milliseconds at which it fell due. */
  dueMs: number;
  /** Stops the run that is under way. */
  abort: AbortController | undefined;
  removed: boolean;
}

/** A check of an instance that was just seen. */
export function newCheck(
  serviceKey: string,
  subject: string,
  target: CheckTarget,
  startedMs: number,
  nowMs: number,
): RunningCheck {
  const progress = checkNotRun(startedMs, nowMs);
  return { serviceKey, subject, target, progress, timer: undefined, dueMs: 0, abort: undefined, removed: false };
}

/** Whether a restated target is checked in the same way, so that the check just goes on. */
export function sameTarget(one: CheckTarget, other: CheckTarget): boolean {
  return (
    one.address === other.address &&
    one.port === other.port &&
    (one.check === other.check || JSON.stringify(one.check) === JSON.stringify(other.check)) &&
    (one.check.type !== 'exec' || JSON.stringify(one.instance.attributes) === JSON.stringify(other.instance.attributes))
  );
}

/** How long until the first run: soon, and not all at once. */
export const firstDelayMs = (target: CheckTarget, random: number): number =>
  random * Math.min(1000, target.check.interval * 1000);

/** The interval, give or take a tenth: checks that began together drift apart. */
export const nextDelayMs = (target: CheckTarget, random: number): number =>
  target.check.interval * 1000 * (0.9 + 0.2 * random);

export function factOf({ progress, target }: RunningCheck): Fact {
  return {
    source: 'check',
    name: target.check.type,
    status: progress.status,
    reason: progress.reason,
    sinceMs: progress.sinceMs,
  };
}
