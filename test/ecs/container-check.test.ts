import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkContainer } from '../../src/ecs/engine/container-check.ts';
import { createScheduler } from '../../src/health/checks/scheduler.ts';
import { fakeClock } from '../support/fake-clock.ts';

test("a container check that this host cannot run does not change the container's health", async (context) => {
  const error = Object.assign(new Error('spawn true EMFILE'), { code: 'EMFILE' });
  const fails = () => {
    throw error;
  };
  context.mock.method(process.getBuiltinModule('node:child_process'), 'spawn', fails);
  const clock = fakeClock();
  const found: string[] = [];
  const end = checkContainer({
    check: { command: ['true'], interval: 1, timeout: 1, retries: 1, startPeriod: 0 },
    ...{ taskId: 'task', folder: '/', environment: {}, clock, scheduler: createScheduler(clock, () => 0.5, 10) },
    onResult: ({ status }) => found.push(status),
  });
  await clock.advance(10_000);
  assert.deepEqual(found, []);
  error.code = 'ENOENT';
  await clock.advance(10_000);
  assert.equal(found.at(-1), 'UNHEALTHY');
  end();
});
