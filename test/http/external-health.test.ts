import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createExternalReports } from '../../src/health/checks/external-reports.ts';
import { externalHealthEndpoint } from '../../src/http/external-health.ts';
import { INSTANCE } from '../../src/registry/reference.ts';
import { createRegistry } from '../../src/registry/registry.ts';
import { fakeClock } from '../support/fake-clock.ts';
import { fakeSlots } from '../support/fake-slots.ts';
import { instance, POLICY, service } from '../support/model.ts';

function setUp(writes = true, inForce = async () => {}) {
  const registry = createRegistry(fakeSlots());
  const sources = [{ name: 'deployer', interval: 30, timeout: 5 }];
  const policy = { ...POLICY, externalHealth: { sources, combine: 'all' as const, maxAgeSeconds: 60 } };
  registry.replaceService(service('api', { key: 'k', policy }));
  registry.replaceGroup('g', 'k', [instance('a', '10.0.0.1')]);
  const reports = createExternalReports(registry, fakeClock(), setImmediate);
  const endpoint = externalHealthEndpoint({ registry, reports, writes, inForce });
  const post = async (value: unknown, more: Readonly<Record<string, string>> = {}, boundTo = '127.0.0.1') => {
    const body = Buffer.from(typeof value === 'string' ? value : JSON.stringify(value));
    const headers = { host: '127.0.0.1:8053', 'content-type': 'application/json', ...more };
    const request = { method: 'POST', rest: '', query: new URLSearchParams(), headers, boundTo, body };
    const response = await endpoint.handle(request);
    return `${response.status} ${response.body}`.trim();
  };
  return { registry, post };
}

const PUSH = {
  zone: 'Test.local',
  service: 'api',
  instance: 'a',
  source: 'deployer',
  status: 'UNHEALTHY',
  reason: 'draining',
};

test('a pushed status becomes a fact of its instance', async () => {
  const { registry, post } = setUp();
  assert.equal(await post(PUSH), '204');
  const [{ status, reason, name }] = registry.factsOf(INSTANCE.format('k', 'a'));
  assert.deepEqual({ status, reason, name }, { status: 'UNHEALTHY', reason: 'draining', name: 'deployer' });
});

test('a push is acknowledged after its verdict has taken effect, whether or not names could be published', async () => {
  const order: string[] = [];
  const inForce = async () => {
    await new Promise((resolve) => setImmediate(resolve));
    order.push('in force');
    throw new Error('a data thread is gone');
  };
  const { post } = setUp(true, inForce);
  order.push(await post(PUSH));
  order.push(await post({ ...PUSH, instance: 'z' }));
  assert.deepEqual(order, ['in force', '204', '404 the service has no such instance']);
});

test('an invalid push is rejected with a reason, and changes nothing', async () => {
  const { registry, post } = setUp();
  assert.equal(
    await post({ ...PUSH, status: 'SICK' }),
    '400 status: expected HEALTHY, UNHEALTHY or UNKNOWN, got "SICK"',
  );
  assert.equal(await post({ ...PUSH, instance: 7 }), '400 instance: expected a string');
  assert.match(await post('{'), /^400 not JSON/);
  assert.equal(await post('[]'), '400 expected a JSON object');
  assert.equal(await post({ ...PUSH, service: 'other' }), '404 no such service');
  assert.equal(await post({ ...PUSH, instance: 'z' }), '404 the service has no such instance');
  assert.equal(await post({ ...PUSH, source: 'z' }), '404 the externalHealth of the service has no such source');
  assert.match(await post(PUSH, { 'content-type': 'text/plain' }), /^415/);
  assert.match(await setUp(false).post(PUSH), /^403 pushing is disabled/);
  assert.equal(registry.size().subjects, 0);
});

test('a push is rejected on an address that is not loopback, and from a web page', async () => {
  const { registry, post } = setUp();
  assert.match(await post(PUSH, {}, '0.0.0.0'), /^403 .*HTTP listens on 0\.0\.0\.0/);
  assert.match(await post(PUSH, { host: 'rebound.example:8053' }), /^403 the Host header/);
  assert.match(await post(PUSH, { origin: 'http://127.0.0.1:8053' }), /^403 web pages may not write/);
  assert.equal(registry.size().subjects, 0);
  assert.equal(await post(PUSH, { host: 'localhost:8053' }), '204');
});
