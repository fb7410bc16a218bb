// What counts where pods and the slices that name them contradict each other.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HealthSync } from '../../../src/health/sync.ts';
import { silentLogger } from '../../../src/log.ts';
import { createRegistry } from '../../../src/registry/registry.ts';
import { type Fields, metadata } from '../../../src/sources/kubernetes/api/objects.ts';
import { endpointSlicesKind } from '../../../src/sources/kubernetes/kinds/endpoint-slices.ts';
import { PodsKind } from '../../../src/sources/kubernetes/kinds/pods.ts';
import { endpoint, podStatus, slice } from '../../support/cluster-objects.ts';
import { fakeClock } from '../../support/fake-clock.ts';
import { testKubernetesConfig, testZone } from '../../support/followed-cluster.ts';

const CONTROLLER = { 'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io' };
const ipsOf = (...ips: readonly string[]) => ({ podIP: ips[0], podIPs: ips.map((ip) => ({ ip })) });

/** Reads pods and slices of service `db`, and says which of its addresses would be answered, and why not. */
function world() {
  let slots = 1;
  const clock = fakeClock();
  const registry = createRegistry({ allocate: () => slots++, set() {} });
  const health = new HealthSync({ registry, slots: { set() {} }, clock, schedule: () => {} });
  const cluster = { config: testKubernetesConfig('/none'), zone: testZone, registry, clock, log: silentLogger };
  const watch = { shown: 0, isFollowed: true, verified: 0 };
  const pods = new PodsKind(cluster, () => ({
    hasFollowedSince: () => watch.isFollowed,
    isBehind: (resourceVersion) => Number(resourceVersion) > watch.shown,
    verify: () => void watch.verified++,
  }));
  const slices = endpointSlicesKind(cluster, pods);
  const read = (kind: typeof pods | typeof slices, object: Fields) => {
    const meta = metadata(object);
    return kind.replace(kind.keyOf(meta.namespace, meta.name), meta, object);
  };
  const states = () => {
    health.flush();
    return [...(registry.service('kubernetes/test/cluster.local./default/db')?.instances.values() ?? [])];
  };
  return {
    clock,
    watch,
    pod: (name: string, ips: readonly string[], ready = true) =>
      read(pods, { metadata: { name, namespace: 'default' }, ...podStatus(ips[0], ready, ipsOf(...ips)) }),
    abandon: () => pods.abandon(['pod/test/default/db-0']),
    delete: (name: string) => pods.remove(pods.keyOf('default', name)),
    slice(
      endpoints: readonly object[],
      { labels = CONTROLLER as object, family = 'IPv4', resourceVersion = '0' } = {},
    ) {
      const made = slice(`db-${family}`, 'db', endpoints);
      const all = { ...made.metadata.labels, ...labels };
      const meta = { ...made.metadata, namespace: 'default', labels: all, resourceVersion };
      read(slices, { ...made, metadata: meta, addressType: family });
    },
    answered: () => states().flatMap(({ verdict, addresses }) => (verdict.answered ? addresses : [])),
    reasons: () => states().flatMap(({ verdict }) => (verdict.answered ? [] : [verdict.reason])),
    stop() {
      pods.stop();
      health.stop();
    },
  };
}

test('a pod that is recreated with another address is not answered at its old one', () => {
  const db = world();
  db.pod('db-0', ['10.0.0.1']);
  db.slice([endpoint('10.0.0.1', 'db-0')]);
  assert.deepEqual(db.answered(), ['10.0.0.1']);
  db.delete('db-0');
  db.pod('db-0', ['10.0.0.11'], false);
  assert.deepEqual(db.answered(), []);
  db.pod('db-0', ['10.0.0.11']);
  assert.deepEqual([db.answered(), db.reasons()], [[], ['its pod has 10.0.0.11 now']]);
  db.slice([endpoint('10.0.0.11', 'db-0')]);
  assert.deepEqual(db.answered(), ['10.0.0.11']);
  db.pod('db-0', ['10.0.0.1']);
  db.slice([endpoint('10.0.0.1', 'db-0')]);
  assert.deepEqual(db.answered(), ['10.0.0.1'], 'it may get its old address back');
  db.stop();
});

test('a pod with a new sandbox loses one address, and the other family stays', () => {
  const db = world();
  db.slice([endpoint('10.0.0.1', 'db-0')]);
  db.slice([endpoint('fd00::1', 'db-0')], { family: 'IPv6' });
  db.pod('db-0', ['10.0.0.1', 'FD00:0::1']);
  assert.deepEqual(db.answered(), ['10.0.0.1', 'fd00::1']);
  db.pod('db-0', ['10.0.0.2', 'fd00::1']);
  assert.deepEqual([db.answered(), db.reasons()], [['fd00::1'], ['its pod has 10.0.0.2 and fd00::1 now']]);
  db.stop();
});

test('a late slice that is read after the pod is accepted while the pod may be slightly older', async () => {
  const db = world();
  db.pod('db-0', ['10.0.0.11']);
  db.slice([endpoint('10.0.0.1', 'db-0')]);
  assert.deepEqual(db.answered(), ['10.0.0.1']);
  await db.clock.advance(20_000);
  assert.deepEqual([db.answered(), db.reasons()], [[], ['its pod has 10.0.0.11 now']]);
  db.stop();
});

test('a slice that is ahead of the pod watch is answered once the watch has caught up', async () => {
  const db = world();
  db.pod('db-0', ['10.0.0.1']);
  db.slice([endpoint('10.0.0.11', 'db-0')]);
  await db.clock.advance(5_000);
  db.pod('db-0', ['10.0.0.11']);
  await db.clock.advance(20_000);
  assert.deepEqual(db.answered(), ['10.0.0.11']);
  db.stop();
});

test('another controller may give a pod an address of a network that is not in its status', async () => {
  const db = world();
  db.slice([endpoint('192.168.7.1', 'db-0')], { labels: {} });
  db.pod('db-0', ['10.0.0.1']);
  await db.clock.advance(20_000);
  assert.deepEqual(db.answered(), ['192.168.7.1']);
  db.stop();
});

test('a pod with an invalid address still has a health', () => {
  const db = world();
  db.slice([endpoint('10.0.0.1', 'db-0')]);
  assert.equal(db.pod('db-0', ['10.0.0.1', 'nonsense'])?.message, 'status.podIPs contains an invalid IP address');
  assert.deepEqual(db.answered(), ['10.0.0.1']);
  db.pod('db-0', ['nonsense'], false);
  assert.deepEqual(db.answered(), []);
  db.stop();
});

const READY = endpoint('10.0.0.1', 'db-0');
const NOT_READY = endpoint('10.0.0.1', 'db-0', { ready: false });

test('a pod that a slice ahead of the watch of pods reports as not ready is not answered until the watch has caught up', async () => {
  const db = world();
  db.pod('db-0', ['10.0.0.1']);
  db.slice([NOT_READY], { resourceVersion: '7' });
  const reason = 'not ready in its slice, which is newer than the known state of the pod';
  assert.deepEqual([db.answered(), db.reasons()], [[], [reason]]);
  await db.clock.advance(1_000);
  assert.equal(db.watch.verified, 1, 'the watch may be dead');
  await db.clock.advance(3_000);
  assert.deepEqual([db.answered(), db.watch.verified], [[], 1], 'it is given time to answer');
  db.watch.shown = 7;
  await db.clock.advance(1_000);
  assert.deepEqual(db.answered(), ['10.0.0.1'], 'the pod was still ready then: its controller is late');
  db.stop();
});

test('a slice that is not ahead of the watch of pods does not override a ready pod', () => {
  const db = world();
  db.watch.shown = 7;
  db.pod('db-0', ['10.0.0.1']);
  db.slice([NOT_READY], { resourceVersion: '7' });
  assert.deepEqual(db.answered(), ['10.0.0.1']);
  db.stop();
});

test('a pod that becomes ready again is answered, whatever a slice reported before', () => {
  const db = world();
  db.pod('db-0', ['10.0.0.1']);
  db.slice([NOT_READY], { resourceVersion: '7' });
  db.pod('db-0', ['10.0.0.1']);
  assert.deepEqual(db.answered(), ['10.0.0.1']);
  db.stop();
});

test("a pod that one slice reports as not ready stays out although another service's slice reports it as ready", () => {
  const db = world();
  db.pod('db-0', ['10.0.0.1']);
  db.slice([NOT_READY], { resourceVersion: '7' });
  db.slice([READY], { resourceVersion: '8', family: 'IPv4' });
  assert.deepEqual(db.answered(), []);
  db.stop();
});

test('a pod known only from a slice makes the watch of pods prove that it is alive, and is answered meanwhile', async () => {
  const db = world();
  db.watch.isFollowed = false;
  db.slice([READY]);
  await db.clock.advance(30_000);
  assert.deepEqual([db.answered(), db.watch.verified], [['10.0.0.1'], 6]);
  db.watch.isFollowed = true;
  await db.clock.advance(10_000);
  assert.deepEqual([db.answered(), db.reasons()], [[], ['the pod does not exist']]);
  db.stop();
});

test('after pods are abandoned only slices count, and no proof is requested', async () => {
  const db = world();
  db.pod('db-0', ['10.0.0.1'], false);
  db.slice([READY, endpoint('10.0.0.2', 'db-1')], { resourceVersion: '7' });
  assert.deepEqual(db.answered(), ['10.0.0.2']);
  db.abandon();
  await db.clock.advance(60_000);
  assert.deepEqual([db.answered(), db.watch.verified], [['10.0.0.1', '10.0.0.2'], 0]);
  db.stop();
});

test('a deleted pod stays out while a slice contains it, and is forgotten a minute after none does', async () => {
  const db = world();
  db.pod('db-0', ['10.0.0.1']);
  db.slice([READY]);
  db.delete('db-0');
  await db.clock.advance(120_000);
  assert.deepEqual([db.answered(), db.reasons()], [[], ['the pod is deleted']]);
  db.slice([]);
  await db.clock.advance(20_000);
  db.slice([READY]);
  assert.deepEqual(db.answered(), ['10.0.0.1'], 'nothing is known of such a pod any more');
  db.stop();
});

test('a pod that is not ready is not counted twice against the addresses of slices', () => {
  const db = world();
  db.slice([endpoint('10.0.0.1', 'db-0'), endpoint('10.0.0.2', 'db-0')]);
  db.pod('db-0', ['10.0.0.2'], false);
  assert.deepEqual(new Set(db.reasons()), new Set(['not ready: Ready is False']));
  db.pod('db-0', []);
  assert.deepEqual(new Set(db.reasons()), new Set(['its pod has no address now']));
  db.stop();
});

test('an address that slices keep listing is doubted from the first time', async () => {
  const db = world();
  db.pod('db-0', ['10.0.0.11']);
  for (let i = 0; i < 5; i++) {
    db.slice([READY]);
    await db.clock.advance(4_000);
  }
  assert.deepEqual(db.answered(), []);
  db.stop();
});

test('a pod known only from slices is given time to appear', async () => {
  const db = world();
  await db.clock.advance(5_000);
  db.slice([READY]);
  await db.clock.advance(6_000);
  assert.deepEqual(db.answered(), ['10.0.0.1']);
  await db.clock.advance(10_000);
  assert.deepEqual(db.answered(), []);
  db.stop();
});

test('a pod that has appeared is no longer waited for', async () => {
  const db = world();
  db.slice([READY]);
  db.pod('db-0', ['10.0.0.1']);
  await db.clock.advance(60_000);
  assert.deepEqual([db.answered(), db.watch.verified], [['10.0.0.1'], 0]);
  db.stop();
});

test('a pod that is not ready stays out although a slice ahead of its watch reports it as ready, and the watch is verified', async () => {
  const db = world();
  db.pod('db-0', ['10.0.0.1'], false);
  db.slice([READY], { resourceVersion: '7' });
  await db.clock.advance(1_000);
  assert.deepEqual([db.answered(), db.reasons(), db.watch.verified], [[], ['not ready: Ready is False'], 1]);
  db.stop();
});

test("the report of a slice that was ahead does not outlive the pod's own report", async () => {
  const db = world();
  db.pod('db-0', ['10.0.0.1']);
  db.slice([NOT_READY], { resourceVersion: '7' });
  db.pod('db-0', ['10.0.0.1'], false);
  db.watch.shown = 7;
  await db.clock.advance(5_000);
  assert.deepEqual([db.answered(), db.reasons()], [[], ['not ready: Ready is False']]);
  db.stop();
});

test('a pod deleted before a slice lists it stays out', async () => {
  const db = world();
  db.pod('db-0', ['10.0.0.1']);
  db.delete('db-0');
  await db.clock.advance(30_000);
  db.slice([READY]);
  assert.deepEqual([db.answered(), db.reasons()], [[], ['the pod is deleted']]);
  db.stop();
});

test('a slice without a ready condition has no effect on the pod', () => {
  const db = world();
  db.pod('db-0', ['10.0.0.1']);
  db.slice([endpoint('10.0.0.1', 'db-0', {})], { resourceVersion: '7' });
  assert.deepEqual(db.answered(), ['10.0.0.1']);
  db.stop();
});
