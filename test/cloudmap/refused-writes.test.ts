import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openState } from '../../src/cloudmap/cloud-map-state.ts';
import { logRefusedWrites } from '../../src/cloudmap/refused-writes.ts';
import { silentLogger } from '../../src/log.ts';
import { fakeClock } from '../support/fake-clock.ts';

test('refused writes are logged at once, then every five seconds with their number and the latest reason', async () => {
  const clock = fakeClock();
  const lines: object[] = [];
  const log = { ...silentLogger, error: (_: string, fields?: object) => void lines.push(fields!) };
  let reason = 'disk full';
  const failing = {
    load: async () => [],
    write: () => Promise.reject(new Error(reason)),
    close: async () => {},
  };
  const state = await openState(failing, logRefusedWrites(log, clock));
  const value = { id: 'a', name: 'a', type: 'HTTP' as const, createMs: 0, tags: {} };
  const write = () =>
    assert.rejects(
      state.mutate(() => ({ changes: [{ collection: 'namespace', key: 'a', value }], result: undefined })),
      { code: 'ServiceUnavailable' },
    );

  await write();
  assert.deepEqual(lines, [{ error: 'disk full', writes: 1 }]);
  for (let i = 0; i < 50; i++) await write();
  reason = 'still full';
  await Promise.all([write(), write()]);
  assert.equal(lines.length, 1);
  await clock.advance(5000);
  assert.deepEqual(lines.slice(1), [{ error: 'still full', writes: 52 }]);
  await clock.advance(5000);
  assert.equal(lines.length, 2);
  assert.equal(clock.pendingTimers(), 0);
  await write();
  assert.deepEqual(lines[2], { error: 'still full', writes: 1 });
});
