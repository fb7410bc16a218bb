import assert from 'node:assert/strict';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { systemClock } from '../../src/clock.ts';
import { loadConfig } from '../../src/config/loading/load.ts';
import { silentLogger } from '../../src/log.ts';
import { createMetrics } from '../../src/metrics.ts';
import { createControlPlane } from '../../src/wiring/control-plane.ts';
import { endpoint, service, slice } from '../support/cluster-objects.ts';
import { startFakeApiServer } from '../support/fake-api-server.ts';
import { modelPlane } from '../support/model-plane.ts';
import { temporary } from '../support/temporary.ts';
import { until } from '../support/until.ts';

/** A control plane whose data threads apply what they are sent when `apply` is called, and not before. */
async function setUp(t: TestContext) {
  const cluster = await startFakeApiServer();
  cluster.put('namespaces', { metadata: { name: 'default' } });
  for (let i = 1; i <= 50; i++) {
    cluster.put('services', service(`web-${i}`));
    cluster.put('endpointslices', slice(`web-${i}`, `web-${i}`, [endpoint(`10.0.0.${i}`)]));
  }
  const folder = await temporary();
  const file = join(folder, 'zones.yaml');
  await writeFile(file, `zones:\n  - { name: cluster.local, kubernetes: { kubeconfig: ${cluster.kubeconfig} } }\n`);
  const loaded = await loadConfig(file);
  assert.ok(loaded.ok);

  const threads = modelPlane();
  let isHeld = true;
  const waiting: (() => void)[] = [];
  const plane: typeof threads = {
    ...threads,
    async apply(changes) {
      if (isHeld) await new Promise<void>((resolve) => waiting.push(resolve));
      await threads.apply(changes);
    },
  };
  const control = await createControlPlane({
    ...{ config: loaded.config, plane, nameServerAddresses: [], clock: systemClock, random: () => 0 },
    ...{ log: silentLogger, metrics: createMetrics() },
  });
  t.after(async () => {
    await control.close();
    await cluster.close();
    await rm(folder, { recursive: true });
  });
  const release = () => {
    isHeld = false;
    for (const one of waiting.splice(0)) one();
  };
  return { control, config: loaded.config, threads, release };
}

test('a replica is ready when every data thread has the names of the first complete lists', async (t) => {
  const { control, config, threads, release } = await setUp(t);
  const stated = control.state(config);
  await until(() => control.board.missing(), []);
  await until(() => control.board.sources()[0]?.synced, true);
  assert.equal(control.board.isReady(), false);
  release();
  await stated;
  await until(() => control.board.isReady(), true);
  for (let i = 1; i <= 50; i++) assert.ok(threads.names.has(`web-${i}.default.svc.cluster.local.`), `web-${i}`);
  assert.deepEqual(
    [...threads.zones.values()].map(({ ready }) => ready),
    [...threads.zones.values()].map(() => true),
  );
});
