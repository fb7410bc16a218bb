import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Waits until `actual` gives what is expected; after a generous time fails with the difference. It is for what never comes, not a bound
 * for how long anything takes: a busy machine is slower by orders of magnitude.
 */
export async function until<T>(actual: () => T | Promise<T>, expected: T, withinMs = 120_000): Promise<void> {
  const deadlineMs = Date.now() + withinMs;
  for (;;) {
    try {
      assert.deepEqual(await actual(), expected);
      return;
    } catch (error) {
      if (Date.now() > deadlineMs) throw error;
    }
    await sleep(20);
  }
}

/**
 * Waits until a number of this process's servers does not change any more. A pause alone does not tell: after one in which the process
 * did not run, timers are called before sockets that are ready are read.
 */
export async function unchanging(value: () => number): Promise<number> {
  let last = value();
  for (let unchanged = 0; unchanged < 5; ) {
    await sleep(20);
    for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate);
    const next = value();
    unchanged = next === last ? unchanged + 1 : 0;
    last = next;
  }
  return last;
}

/** What a zone's state is, whatever its reason. */
export const readinessOf = ({ ready, stale }: { readonly ready: boolean; readonly stale: boolean }) => ({
  ready,
  stale,
});
