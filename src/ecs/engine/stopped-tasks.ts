import type { RunningTask } from '../model/running-task.ts';

/** Stopped tasks are remembered for an hour, as in ECS, but not more than so many. */
const STOPPED_MS = 3_600_000;
const MAX_STOPPED = 1_000;

/** Removes the oldest stopped tasks, and returns their ids. */
export function forgetStopped(tasks: Map<string, RunningTask>, running: number, nowMs: number): string[] {
  let excess = tasks.size - running - MAX_STOPPED;
  const forgotten: string[] = [];
  for (const [id, { stoppedMs }] of tasks) {
    if (stoppedMs === undefined || (stoppedMs >= nowMs - STOPPED_MS && excess <= 0)) continue;
    tasks.delete(id);
    excess--;
    forgotten.push(id);
  }
  return forgotten;
}
