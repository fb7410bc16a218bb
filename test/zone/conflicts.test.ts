import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  clusterZone,
  instance,
  kubernetesService,
  POLICY,
  port,
  setUpZones,
  zoneConfig,
} from '../support/zone-setup.ts';

const inCluster = (cluster: string, path: string, createdMs: number) =>
  kubernetesService(path, { key: `kubernetes/${cluster}/${path}`, source: `kubernetes/${cluster}`, createdMs });

test('of two services with one name the older wins, with everything below it, and explain reports it', async () => {
  const { plane, state, zones, registry } = setUpZones([clusterZone('cluster.local.', { reverse: [] })]);
  state(inCluster('one', 'prod/web', 2000), [instance('a', ['10.1.0.1'])]);
  state(inCluster('two', 'prod/web', 1000), [instance('b', ['10.2.0.1'])]);
  await zones.flush();
  const addresses = () => plane.text().match(/^\S*web.prod.svc\S* 5 A \S+/gm);
  assert.deepEqual(addresses(), [
    '10-2-0-1.web.prod.svc.cluster.local. 5 A 10.2.0.1',
    'web.prod.svc.cluster.local. 5 A 10.2.0.1',
  ]);
  const { exists, zone, owners } = zones.explain('web.prod.svc.cluster.local.');
  assert.deepEqual([exists, zone], ['records', 'cluster.local.']);
  assert.deepEqual(
    owners.map(({ owner, answered, reason }) => [owner, answered, reason]),
    [
      ['kubernetes/two/prod/web', ['A'], 'it comes first, or shares the name'],
      ['kubernetes/one/prod/web', [], 'kubernetes/two/prod/web is older'],
    ],
  );
  registry.removeService('kubernetes/two/prod/web');
  await zones.flush();
  assert.deepEqual(addresses(), [
    '10-1-0-1.web.prod.svc.cluster.local. 5 A 10.1.0.1',
    'web.prod.svc.cluster.local. 5 A 10.1.0.1',
  ]);
});

test('static records win over services, type by type, and a static CNAME over everything', async () => {
  const records = [
    { name: 'web.prod.svc.cluster.local.', type: 'A', value: '192.0.2.1', ttlSeconds: 60 },
    { name: 'db.prod.svc.cluster.local.', type: 'CNAME', value: 'db.example.com.', ttlSeconds: 60 },
  ];
  const { plane, state, zones } = setUpZones([clusterZone('cluster.local.', { reverse: [], records })]);
  state(kubernetesService('prod/web'), [instance('a', ['10.1.0.1', 'fd00::1'])]);
  state(kubernetesService('prod/db'), [instance('b', ['10.2.0.1'])]);
  await zones.flush();
  assert.deepEqual(plane.text().match(/^(web|db).prod.svc.*/gm), [
    'db.prod.svc.cluster.local. 60 CNAME db.example.com.',
    'web.prod.svc.cluster.local. 5 AAAA fd00::1',
    'web.prod.svc.cluster.local. 60 A 192.0.2.1',
  ]);
  const [, service] = zones.explain('web.prod.svc.cluster.local.').owners;
  assert.deepEqual([service.types, service.answered], [['A', 'AAAA'], ['AAAA']]);
});

test('explain knows wildcards, empty non-terminals and names that do not exist', async () => {
  const records = [{ name: '*.wild.example.org.', type: 'A', value: '192.0.2.1', ttlSeconds: 60 }];
  const { zones } = setUpZones([zoneConfig('example.org.', { records })]);
  await zones.flush();
  const found = (name: string) => zones.explain(name).exists;
  assert.deepEqual(
    ['a.wild.example.org.', 'wild.example.org.', 'a.b.wild.example.org.', 'tame.example.org.', 'example.com.'].map(
      found,
    ),
    ['wildcard', 'empty-non-terminal', 'wildcard', 'absent', 'absent'],
  );
  assert.deepEqual(
    zones.explain('a.wild.example.org.').owners.map(({ owner }) => owner),
    ['static records of example.org.'],
  );
});

test('explain follows an alias to its target, also through a wildcard', async () => {
  const alias = { type: 'CNAME', value: 'api.example.org.', ttlSeconds: 60 };
  const records = [
    { name: 'www.example.org.', ...alias },
    { name: '*.any.example.org.', ...alias },
  ];
  const { zones } = setUpZones([zoneConfig('example.org.', { records })]);
  await zones.flush();
  for (const name of ['www.example.org.', 'a.any.example.org.']) {
    assert.equal(zones.explain(name).alias, 'api.example.org.');
  }
});

test('data that cannot be expressed in DNS is skipped, reported once, and throws nothing', async () => {
  const { state, zones, leftOut, plane } = setUpZones([clusterZone('cluster.local.', { reverse: [] })]);
  state(kubernetesService('prod/no label'), [instance('a', ['10.1.0.1'])]);
  state(kubernetesService('prod/web', { zone: 'elsewhere.' }), [instance('a', ['10.1.0.1'])]);
  const odd = [instance('a', ['not an address']), instance('b', ['10.1.0.2'], { hostname: 'a.b' })];
  state(kubernetesService('prod/odd'), odd);
  await zones.flush();
  state(kubernetesService('prod/odd'), [...odd, instance('c', ['10.1.0.3'])]);
  await zones.flush();
  assert.equal(leftOut.length, 4, leftOut.join('\n'));
  assert.match(plane.text(), /^10-1-0-2.odd.prod.svc.cluster.local. 5 A 10.1.0.2$/m);
});

test('with two name templates, losing one name leaves everything below the other', async () => {
  const { plane, state, zones } = setUpZones([zoneConfig('example.org.')]);
  const service = (namespace: string, createdMs: number) =>
    kubernetesService(`${namespace}/api`, {
      key: `static/${namespace}`,
      source: 'static',
      zone: 'example.org.',
      names: ['{service}', '{namespace}.{service}'],
      createdMs,
    });
  state(service('old', 1), [instance('a', ['10.1.0.1'])]);
  state(service('new', 2), [instance('b', ['10.2.0.1'])]);
  await zones.flush();
  assert.deepEqual(plane.text().match(/^\S+ 5 A 10.\S+/gm), [
    'a.api.example.org. 5 A 10.1.0.1',
    'a.old.api.example.org. 5 A 10.1.0.1',
    'api.example.org. 5 A 10.1.0.1',
    'b.new.api.example.org. 5 A 10.2.0.1',
    'new.api.example.org. 5 A 10.2.0.1',
    'old.api.example.org. 5 A 10.1.0.1',
  ]);
});

const addressesOf = (text: string) => text.match(/^\S*web.prod.svc\S* 5 A \S+/gm) ?? [];

test('of two clusters with one service the first in the list wins, which is explained, logged and counted', async () => {
  const { plane, state, zones, registry, leftOut } = setUpZones([clusterZone('cluster.local.', { reverse: [] })]);
  const first = { ...inCluster('z', 'prod/web', 2000), rank: 0 };
  state({ ...inCluster('a', 'prod/web', 1000), rank: 1 }, [instance('b', ['10.2.0.1'])]);
  await zones.flush();
  assert.equal(zones.size().conflicts, 0);
  state(first, [instance('a', ['10.1.0.1'])]);
  await zones.flush();
  assert.deepEqual(addressesOf(plane.text()), [
    '10-1-0-1.web.prod.svc.cluster.local. 5 A 10.1.0.1',
    'web.prod.svc.cluster.local. 5 A 10.1.0.1',
  ]);
  const [, lost] = zones.explain('web.prod.svc.cluster.local.').owners;
  assert.deepEqual([lost.owner, lost.answered], ['kubernetes/a/prod/web', []]);
  assert.equal(lost.reason, 'the cluster of kubernetes/z/prod/web comes first in the list of the zone');
  assert.deepEqual(leftOut, [
    'kubernetes/a/prod/web: web.prod.svc.cluster.local. is answered from kubernetes/z/prod/web, which comes first',
  ]);
  assert.equal(zones.size().conflicts, 1);
  registry.removeService(first.key);
  await zones.flush();
  assert.equal(zones.size().conflicts, 0);
  assert.deepEqual(addressesOf(plane.text()), [
    '10-2-0-1.web.prod.svc.cluster.local. 5 A 10.2.0.1',
    'web.prod.svc.cluster.local. 5 A 10.2.0.1',
  ]);
});

test('headless services of clusters with `merge` share their names', async () => {
  const { plane, state, zones, leftOut } = setUpZones([clusterZone('cluster.local.', { reverse: [] })]);
  const one = { ...inCluster('one', 'prod/web', 1000), rank: 0, merge: true };
  const two = { ...inCluster('two', 'prod/web', 1000), rank: 1, merge: true, ttlSeconds: 3 };
  const three = { ...inCluster('three', 'prod/web', 1000), rank: 2 };
  state(three, [instance('c', ['10.3.0.1'])]);
  state(two, [instance('b', ['10.2.0.1']), instance('h', ['10.2.0.2'], { hostname: 'db-0' })]);
  state(one, [instance('a', ['10.1.0.1']), instance('h', ['10.1.0.2'], { hostname: 'db-0' })]);
  await zones.flush();
  assert.deepEqual(plane.text().match(/^\S*web.prod.svc\S* \d A \S+/gm), [
    '10-1-0-1.web.prod.svc.cluster.local. 5 A 10.1.0.1',
    '10-2-0-1.web.prod.svc.cluster.local. 3 A 10.2.0.1',
    'db-0.web.prod.svc.cluster.local. 3 A 10.1.0.2',
    'db-0.web.prod.svc.cluster.local. 3 A 10.2.0.2',
    'web.prod.svc.cluster.local. 3 A 10.1.0.1',
    'web.prod.svc.cluster.local. 3 A 10.1.0.2',
    'web.prod.svc.cluster.local. 3 A 10.2.0.1',
    'web.prod.svc.cluster.local. 3 A 10.2.0.2',
  ]);
  assert.deepEqual(
    zones.explain('web.prod.svc.cluster.local.').owners.map(({ owner, answered, reason }) => [owner, answered, reason]),
    [
      [one.key, ['A'], 'it comes first, or shares the name'],
      [two.key, ['A'], 'it comes first, or shares the name'],
      [three.key, [], 'the cluster of kubernetes/one/prod/web comes first in the list of the zone'],
    ],
  );
  assert.equal(zones.size().conflicts, 1);
  assert.equal(leftOut.length, 1);
});

test('a headless service is not merged with one that has a cluster IP', async () => {
  const { plane, state, zones } = setUpZones([clusterZone('cluster.local.', { reverse: [] })]);
  const one = { ...inCluster('one', 'prod/web', 1000), rank: 0, merge: true };
  const two = { ...inCluster('two', 'prod/web', 1000), rank: 1, merge: true };
  state({ ...one, kind: 'clusterIp', clusterIps: ['10.96.0.1'] }, []);
  state(two, [instance('b', ['10.2.0.1'])]);
  await zones.flush();
  assert.deepEqual(addressesOf(plane.text()), ['web.prod.svc.cluster.local. 5 A 10.96.0.1']);
});

test('of two services of equal age the first in key order wins', async () => {
  const { plane, state, zones } = setUpZones([clusterZone('cluster.local.', { reverse: [] })]);
  state(inCluster('b', 'prod/web', 1000), [instance('b', ['10.2.0.1'])]);
  state(inCluster('a', 'prod/web', 1000), [instance('a', ['10.1.0.1'])]);
  await zones.flush();
  assert.equal(addressesOf(plane.text()).at(-1), 'web.prod.svc.cluster.local. 5 A 10.1.0.1');
  const [, lost] = zones.explain('web.prod.svc.cluster.local.').owners;
  assert.equal(lost.reason, 'kubernetes/a/prod/web comes first in the order of keys');
});

for (const [kind, cause] of [
  ['instances', 'without endpoints'],
  ['externalName', 'whose external name is an address'],
] as const) {
  test(`a service ${cause} keeps its name from the clusters after it in the list, until it is deleted`, async () => {
    const { plane, state, zones, registry } = setUpZones([clusterZone('cluster.local.', { reverse: [] })]);
    const policy = { ...POLICY, whenAllUnhealthy: 'nxdomain' } as const;
    const first = { ...inCluster('z', 'prod/web', 2000), rank: 0, policy };
    const second = { ...inCluster('a', 'prod/web', 1000), rank: 1, policy };
    const name = 'web.prod.svc.cluster.local.';
    zones.setState('cluster.local.', { ready: true, stale: false });
    state(second, [instance('b', ['10.2.0.1'])]);
    await zones.flush();
    assert.equal(addressesOf(plane.text()).length, 2);

    state({ ...first, kind, externalName: '192.0.2.1' }, []);
    await zones.flush();
    assert.equal(plane.names.has(name), false);
    assert.deepEqual(addressesOf(plane.text()), []);
    assert.equal(zones.size().conflicts, 1);
    const { exists, otherwise, owners } = zones.explain(name);
    assert.deepEqual([exists, otherwise], ['absent', 'NXDOMAIN']);
    assert.deepEqual(
      owners.map(({ owner }) => owner),
      [first.key, second.key],
    );
    assert.match(owners[1].reason, /is answered from kubernetes\/z\/prod\/web, which comes first/);

    state(first, [instance('a', ['10.1.0.1'])]);
    await zones.flush();
    assert.equal(addressesOf(plane.text()).at(-1), `${name} 5 A 10.1.0.1`);
    state(first, []);
    await zones.flush();
    assert.deepEqual(addressesOf(plane.text()), []);
    state(second, [instance('c', ['10.2.0.2'])]);
    await zones.flush();
    assert.deepEqual(addressesOf(plane.text()), []);

    registry.removeService(first.key);
    await zones.flush();
    assert.equal(addressesOf(plane.text()).at(-1), `${name} 5 A 10.2.0.2`);
    assert.equal(zones.size().conflicts, 0);
  });
}

test('a headless service without endpoints shares its name with clusters that also merge', async () => {
  const { plane, state, zones } = setUpZones([clusterZone('cluster.local.', { reverse: [] })]);
  const policy = { ...POLICY, whenAllUnhealthy: 'nxdomain' } as const;
  state({ ...inCluster('a', 'prod/web', 1), rank: 0, merge: true, policy }, []);
  state({ ...inCluster('b', 'prod/web', 1), rank: 1, merge: true, policy }, [instance('b', ['10.2.0.1'])]);
  await zones.flush();
  assert.equal(addressesOf(plane.text()).at(-1), 'web.prod.svc.cluster.local. 5 A 10.2.0.1');
});

test('ignoreEmptyService gives the name of a service without endpoints to the next cluster', async () => {
  const { plane, state, zones } = setUpZones([clusterZone('cluster.local.', { reverse: [] })]);
  const clusterIp = { kind: 'clusterIp', clusterIps: ['10.96.0.1'], rank: 0 } as const;
  state({ ...inCluster('a', 'prod/web', 1), ...clusterIp, ignoreEmpty: true }, []);
  state({ ...inCluster('b', 'prod/web', 1), rank: 1 }, [instance('b', ['10.2.0.1'])]);
  await zones.flush();
  assert.equal(addressesOf(plane.text()).at(-1), 'web.prod.svc.cluster.local. 5 A 10.2.0.1');
  state({ ...inCluster('a', 'prod/web', 1), ...clusterIp }, []);
  await zones.flush();
  assert.deepEqual(addressesOf(plane.text()), ['web.prod.svc.cluster.local. 5 A 10.96.0.1']);
});

test('services without names are left out silently', async () => {
  const { state, zones, leftOut } = setUpZones([clusterZone('cluster.local.', { reverse: [] })]);
  state(kubernetesService('prod/web', { zone: 'elsewhere.', names: [] }), [instance('a', ['10.1.0.1'])]);
  await zones.flush();
  assert.deepEqual(leftOut, []);
});

test('a reverse name is answered for each service at the address, and explain says so of each', async () => {
  const { state, zones } = setUpZones([clusterZone('cluster.local.')]);
  state(kubernetesService('prod/a'), [instance('p', ['10.1.0.1'])]);
  state(kubernetesService('prod/b'), [instance('q', ['10.1.0.1'])]);
  await zones.flush();
  const { owners } = zones.explain('1.0.1.10.in-addr.arpa.');
  assert.deepEqual(
    owners.map(({ answered }) => answered),
    [['PTR'], ['PTR']],
  );
});

test('a service that is published in parts is explained like one that is published whole, also the names of its instances', async () => {
  const ports = [port('http', 80)];
  const many = Array.from({ length: 300 }, (_, i) => instance(`i${i}`, [`10.1.${i >> 8}.${i & 255}`], { ports }));
  const explained = async (splitFrom: number) => {
    const { state, zones } = setUpZones([clusterZone()], { splitFrom });
    state(kubernetesService('prod/big', { ports }), many);
    await zones.flush();
    const names = ['big', '_http._tcp.big', '10-1-0-7.big', 'nothing.big'].map(
      (name) => `${name}.prod.svc.cluster.local.`,
    );
    return JSON.parse(JSON.stringify([...names, '7.0.1.10.in-addr.arpa.'].map((name) => zones.explain(name))));
  };
  const [parts, whole] = [await explained(2), await explained(1_000)];
  assert.equal(parts[0].rrsets[0].leftOut.length, 300); // not judged
  assert.deepEqual(parts, whole);
});
