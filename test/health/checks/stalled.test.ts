import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { systemClock } from '../../../src/clock.ts';
import { probeHttp } from '../../../src/health/checks/http.ts';
import type { Probe } from '../../../src/health/checks/probe.ts';
import { createScheduler } from '../../../src/health/checks/scheduler.ts';
import { probeTcp } from '../../../src/health/checks/tcp.ts';
import type { CheckResult } from '../../../src/health/rules/ecs.ts';
import { target } from './target.ts';

/** An HTTP server in a thread of its own, which a stalled test does not keep from replying. */
const SERVER = `
const server = require('node:http').createServer((_, response) => response.end('fine'));
server.listen(0, '127.0.0.1', () => require('node:worker_threads').parentPort.postMessage(server.address().port));`;

function stall(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}

/** `begin` is called with the function that stalls this thread, once the check has made its connection. */
async function checkWhileStalled(
  probe: Probe,
  type: 'http' | 'tcp',
  begin: (stallNow: () => void) => void,
): Promise<CheckResult> {
  const timeoutSeconds = 1;
  const server = new Worker(SERVER, { eval: true });
  const [port] = await once(server, 'message');
  const scheduler = createScheduler(systemClock, () => 0, 1);
  const result = await new Promise<CheckResult>((resolve) => {
    scheduler.add({
      owner: 'k',
      intervalSeconds: 5,
      timeoutSeconds,
      async run(signal) {
        const running = probe(target({ type }, port), signal);
        begin(() => stall(timeoutSeconds * 1000 + 500));
        resolve(await running);
      },
    });
  });
  await scheduler.stop();
  await server.terminate();
  return result;
}

test('a check whose reply came while the control plane was stalled passes, though its timer is due first', async () => {
  assert.deepEqual(await checkWhileStalled(probeHttp, 'http', setImmediate), { passed: true, reason: '200 OK' });
  assert.equal((await checkWhileStalled(probeTcp, 'tcp', setImmediate)).passed, true);
});

test('a check that could not be sent while the control plane was stalled gets the lost time back', async () => {
  const atOnce = (stallNow: () => void) => stallNow();
  assert.deepEqual(await checkWhileStalled(probeHttp, 'http', atOnce), { passed: true, reason: '200 OK' });
});
