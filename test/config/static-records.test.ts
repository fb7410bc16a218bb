import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatName, parseName } from '../../src/dns/name.ts';
import { lines } from '../support/model-plane.ts';
import {
  clusterZone,
  instance,
  kubernetesService,
  recordTexts,
  setUpZones,
  staticRecords,
  type TextRecord,
  zoneConfig,
} from '../support/zone-setup.ts';

const hosts = (count: number): TextRecord[] =>
  Array.from({ length: count }, (_, i) => ({
    name: `host-${i}.example.test.`,
    type: 'A',
    value: `10.0.${i >> 8}.${i & 255}`,
    ttlSeconds: 5,
  }));

test('a static name is found in its bucket, in zones of any size', () => {
  for (const count of [1, 16, 4_096, 4_097, 20_000]) {
    const records = staticRecords('example.test.', hosts(count));
    assert.equal(recordTexts(records).length, count);
    for (const i of [0, count >> 1, count - 1]) {
      const found = records.find(parseName(`host-${i}.example.test.`));
      assert.equal(found && formatName(found.name), `host-${i}.example.test.`);
    }
    assert.equal(records.find(parseName(`host-${count}.example.test.`)), undefined);
    const buckets = [...records.buckets()].length;
    assert.ok(buckets <= Math.max(16, count / 64), `${buckets} buckets for ${count} records`);
  }
});

test('a static zone that grows into more buckets loses no name', async () => {
  const few = zoneConfig('example.test.', { records: hosts(4_000) });
  const more = zoneConfig('example.test.', { records: hosts(4_100) });
  const { plane, zones } = setUpZones([few], { namesPerPass: 1 });
  await zones.flush();
  for (const [next, count] of [
    [more, 4_100],
    [few, 4_000],
  ] as const) {
    plane.log.length = 0;
    zones.reload([next]);
    await zones.flush();
    const removed = plane.log.filter((line) => line.startsWith('remove-name'));
    assert.equal(removed.length, next === few ? 100 : 0);
    assert.equal([...plane.names.keys()].filter((name) => name.startsWith('host-')).length, count);
  }
  zones.reload([more]);
  await zones.flush();
  const { plane: fresh, zones: started } = setUpZones([more]);
  await started.flush();
  assert.equal(lines(plane.text()), lines(fresh.text()));
});

test("static records at the name of a service are answered together with the service's own", async () => {
  const name = 'web.prod.svc.cluster.local.';
  const record = { name, type: 'A', value: '192.0.2.1', ttlSeconds: 60 };
  const { plane, zones, state } = setUpZones([clusterZone()]);
  state(kubernetesService('prod/web'), [instance('a', ['10.0.0.1', 'fd00::1'])]);
  await zones.flush();
  zones.reload([clusterZone('cluster.local.', { records: [record] })]);
  await zones.flush();
  const answered = lines(plane.text())
    .split('\n')
    .filter((line) => line.startsWith(`${name} `));
  assert.deepEqual(answered, [`${name} 5 AAAA fd00::1`, `${name} 60 A 192.0.2.1`]);
});
