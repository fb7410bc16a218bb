import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';

/** Waits until `actual` gives what is expected; after a generous time fails with the difference. */
export async function until<T>(actual: () => T | Promise<T>, expected: T, withinMs = 30_000): Promise<void> {
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

/** What a zone's state is, whatever its reason. */
export const readinessOf = ({ ready, stale }: { readonly ready: boolean; readonly stale: boolean }) => ({
  ready,
  stale,
});
