import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { type AskSource, askSource } from '../../src/health/checks/external-answer.ts';
import { createExternalPoller } from '../../src/health/checks/external-poller.ts';
import { createExternalReports } from '../../src/health/checks/external-reports.ts';
import type { ExternalHealth } from '../../src/health/policies/external-health.ts';
import { HealthSync } from '../../src/health/sync.ts';
import { createRegistry } from '../../src/registry/registry.ts';
import { fakeClock } from '../support/fake-clock.ts';
import { fakeSlots } from '../support/fake-slots.ts';
import { instance, POLICY, service } from '../support/model.ts';

const HEALTH: ExternalHealth = {
  sources: [
    {
      name: 'monitor',
      url: 'http://127.0.0.1:1/{namespace}/{service}/{instance}?at={address}',
      interval: 10,
      timeout: 2,
    },
    { name: 'push', interval: 10, timeout: 2 },
  ],
  combine: 'all',
  maxAgeSeconds: 60,
};

function setUp(ask: AskSource) {
  const clock = fakeClock();
  const slots = fakeSlots();
  const registry = createRegistry(slots);
  const schedule = setImmediate;
  const sync = new HealthSync({ registry, slots, clock, schedule });
  const reports = createExternalReports(registry, clock, schedule);
  const poller = createExternalPoller({
    registry,
    reports,
    clock,
    random: () => 0.5,
    schedule,
    concurrentChecks: 2,
    ask,
  });
  const state = (externalHealth: ExternalHealth | undefined, ids = ['a', 'b']) => {
    registry.replaceService(service('api', { key: 'k', policy: { ...POLICY, externalHealth } }));
    registry.replaceGroup(
      'g',
      'k',
      ids.map((id, index) => instance(id, `10.0.0.${index}`)),
    );
  };
  const answered = () => {
    sync.flush();
    const states = [...registry.service('k')!.instances.values()];
    return states
      .filter((one) => slots.get(one.slot))
      .map((one) => one.instance.id)
      .join(' ');
  };
  return { clock, registry, reports, poller, state, answered };
}

test('an external source with a URL is polled for each instance, and its report counts until it expires', async () => {
  const asked: string[] = [];
  let isSilent = false;
  const { clock, state, answered, poller } = setUp(async (url) => {
    asked.push(url);
    if (isSilent) return undefined;
    return url.includes('/a?') ? { status: 'UNHEALTHY', reason: 'drained' } : { status: 'HEALTHY', reason: 'fine' };
  });
  state(HEALTH);
  await clock.advance(1000);
  assert.deepEqual(asked.sort(), [
    'http://127.0.0.1:1/default/api/a?at=10.0.0.0',
    'http://127.0.0.1:1/default/api/b?at=10.0.0.1',
  ]);
  assert.equal(answered(), 'b');
  isSilent = true;
  await clock.advance(70_000);
  assert.equal(answered(), 'a b');
  assert.ok(poller.counts().silent > 0);
  await poller.stop();
});

test('a pushed status counts at once, and an invalid push is rejected', () => {
  const { state, answered, reports } = setUp(async () => undefined);
  state(HEALTH);
  const down = { status: 'UNHEALTHY', reason: 'drained' } as const;
  assert.equal(reports.report('k', 'a', 'push', down), undefined);
  assert.equal(answered(), 'b');
  assert.equal(reports.report('nowhere', 'a', 'push', down), 'unknown-service');
  assert.equal(reports.report('k', 'a', 'other', down), 'unknown-source');
  assert.equal(reports.report('k', 'z', 'push', down), 'unknown-instance');
});

test('reports about removed instances and from removed sources leave nothing behind', async () => {
  const { clock, registry, state, answered, reports, poller } = setUp(async () => undefined);
  state(HEALTH);
  for (const id of ['a', 'b']) reports.report('k', id, 'push', { status: 'UNHEALTHY', reason: 'drained' });
  await clock.advance(0);
  state(HEALTH, ['b']);
  await clock.advance(0);
  assert.equal(registry.size().subjects, 1);
  state(undefined, ['b']);
  await clock.advance(0);
  assert.equal(registry.size().subjects, 0);
  assert.equal(answered(), 'b');
  assert.equal(poller.counts().polls, 0);
});

test('the status or body of a response is the report, and other responses are ignored', async (t) => {
  const answers: Record<string, [number, string]> = {
    '/up': [200, 'ok'],
    '/down': [503, 'no'],
    '/json': [200, '{"status":"UNHEALTHY","reason":"drained"}'],
    '/odd': [200, '{"status":"BLUE"}'],
    '/broken': [500, ''],
    '/missing': [404, ''],
    '/large': [200, 'x'.repeat(1_000_000)],
  };
  const server = createServer((request, response) => {
    const [status, body] = answers[request.url!];
    response.writeHead(status).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const ask = (path: string) => askSource(`http://127.0.0.1:${port}${path}`, new AbortController().signal);
  assert.deepEqual(await ask('/up'), { status: 'HEALTHY', reason: 'HTTP 200' });
  assert.deepEqual(await ask('/down'), { status: 'UNHEALTHY', reason: 'HTTP 503' });
  assert.deepEqual(await ask('/json'), { status: 'UNHEALTHY', reason: 'drained' });
  assert.deepEqual(await ask('/odd'), { status: 'HEALTHY', reason: 'HTTP 200' });
  assert.deepEqual(await ask('/large'), { status: 'HEALTHY', reason: 'HTTP 200' });
  assert.equal(await ask('/broken'), undefined);
  assert.equal(await ask('/missing'), undefined);
  assert.equal(await askSource(`http://127.0.0.1:${port}/up`, AbortSignal.abort()), undefined);
});
