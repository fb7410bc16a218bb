import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createEvents } from '../../src/endpoints/events.ts';
import type { HistoryChange } from '../../src/history/history.ts';
import { createRegistry } from '../../src/registry/registry.ts';
import { PODS, pod, SERVICES, service } from '../support/cluster-objects.ts';
import { type ControlPlane, startControlPlane } from '../support/control-plane.ts';
import { fakeClock } from '../support/fake-clock.ts';
import { fakeSlots } from '../support/fake-slots.ts';
import { instance, service as registered } from '../support/model.ts';
import { requirement } from '../support/requirement.ts';
import { until } from '../support/until.ts';

const options = requirement('control-plane');
const EVENTS = '/api/v1/namespaces/default/events';
const KEY = 'kubernetes/admin/cluster.local./default/web';
let plane: ControlPlane;

before(async () => {
  if (options.skip !== false) return;
  plane = await startControlPlane();
  await plane.client.create(SERVICES, service('web'));
  await plane.client.create(PODS, pod('web-1', 'web', { nodeName: undefined }));
});
after(() => plane?.stop());

function change(atMs: number): HistoryChange {
  const transition = {
    ...{ instance: 'web-1', addresses: ['10.0.0.1'], from: 'HEALTHY', to: 'UNHEALTHY', answered: false },
    ...{ rule: 'unhealthy', reason: 'not ready: container app is waiting: CrashLoopBackOff' },
  };
  const nothing = { outcome: 'NXDOMAIN', answered: 0, of: 1, addresses: [] };
  return {
    atMs,
    service: KEY,
    name: 'web.default.svc.cluster.local.',
    transitions: [transition],
    more: 0,
    after: nothing,
  };
}

function writer() {
  const results: string[] = [];
  const registry = createRegistry(fakeSlots());
  registry.replaceService(registered('web', { key: KEY }));
  registry.replaceGroup('g', KEY, [instance('web-1', '10.0.0.1', { subjects: ['pod/admin/default/web-1'] })]);
  const log = { debug() {}, info() {}, warn() {}, error() {}, child: () => log };
  const count = (result: string) => void results.push(result);
  const events = createEvents({ registry, clock: fakeClock(), log, count });
  events.setClusters([{ label: 'admin', kubeconfig: plane.kubeconfig, context: 'admin' }]);
  return { results, events };
}

type Listed = {
  items: { involvedObject: { kind: string; name: string; uid: string }; reason: string; message: string }[];
};
const listed = async () =>
  ((await plane.client.get(EVENTS)).body as Listed).items
    .map(({ involvedObject, reason, message }) => `${involvedObject.kind} ${involvedObject.name} ${reason}: ${message}`)
    .sort();

test(
  'a Pod that is left out and a Service that has nothing to answer get an Event, of all replicas one a minute',
  options,
  async () => {
    const [one, other] = [writer(), writer()];
    const atMs = Date.UTC(2026, 10, 28, 2, 47);
    for (let i = 0; i < 1_000; i++) one.events.note(change(atMs + i));
    await until(() => one.results, ['created', 'created']);
    other.events.note(change(atMs + 500));
    await until(() => other.results, ['repeated', 'repeated']);
    assert.deepEqual(await listed(), [
      'Pod web-1 LeftOutOfDNS: web.default.svc.cluster.local. does not answer it: not ready: container app is waiting: CrashLoopBackOff (rule unhealthy)',
      'Service web NothingToAnswer: web.default.svc.cluster.local. answers NXDOMAIN (0 of 1 instances): web-1 not ready: container app is waiting: CrashLoopBackOff',
    ]);
    one.events.note(change(atMs + 60_000));
    await until(() => one.results.length, 4);
    assert.equal((await listed()).length, 4);
    await one.events.stop();
    await other.events.stop();
  },
);

test('clusters without the option get no Events', options, async () => {
  const { events, results } = writer();
  events.setClusters([]);
  events.note(change(0));
  await events.stop();
  assert.deepEqual(results, []);
});
