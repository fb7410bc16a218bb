// What API servers turn into while they are followed: restored, with another certificate, with large objects
// and other labels. A real one.

import assert from 'node:assert/strict';
import { cp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { endpoint, NAMESPACES, SERVICES, SLICES, service, slice } from '../support/cluster-objects.ts';
import { type ControlPlane, startControlPlane } from '../support/control-plane.ts';
import { type FollowedCluster, followCluster, testKubernetesConfig } from '../support/followed-cluster.ts';
import { startRelay } from '../support/relay.ts';
import { requirement } from '../support/requirement.ts';
import { until } from '../support/until.ts';

const options = requirement('control-plane');
let plane: ControlPlane;

before(async () => {
  if (options.skip !== false) return;
  plane = await startControlPlane();
});
after(() => plane?.stop());

/** A cluster that is followed for one test. */
async function following(
  run: (cluster: FollowedCluster) => Promise<void>,
  config = testKubernetesConfig(plane.kubeconfig),
): Promise<void> {
  const cluster = followCluster(config);
  try {
    await run(cluster);
  } finally {
    await cluster.stop();
  }
}

async function createService(name: string, ip: string): Promise<void> {
  await plane.client.create(SERVICES, service(name));
  await plane.client.create(SLICES, slice(name, name, [endpoint(ip)]));
}

const moveTo = (name: string, ip: string) => plane.client.patch(`${SLICES}/${name}`, { endpoints: [endpoint(ip)] });

test('an API server whose etcd was restored from a backup is accepted and followed', options, async () => {
  const own = await startControlPlane();
  const cluster = followCluster(testKubernetesConfig(own.kubeconfig));
  const put = (ip: string) => own.client.patch(`${SLICES}/db`, { endpoints: [endpoint(ip)] });
  const data = join(own.folder, 'etcd');
  try {
    await own.client.create(SERVICES, service('db'));
    await own.client.create(SLICES, slice('db', 'db', [endpoint('10.2.10.1')]));
    await exchangeEtcd(own, () => cp(data, `${data}-backup`, { recursive: true }));
    await put('10.2.10.2');
    await own.client.create(SERVICES, service('after'));
    for (let i = 0; i < 30; i++) await own.client.patch(`${SERVICES}/after`, { metadata: { labels: { i: `${i}` } } });
    await until(() => cluster.answered('db'), ['10.2.10.2']);
    await until(() => cluster.registry.service('kubernetes/test/cluster.local./default/after') !== undefined, true);

    await exchangeEtcd(own, async () => {
      await rm(data, { recursive: true });
      await rename(`${data}-backup`, data);
    });
    await until(() => cluster.answered('db'), ['10.2.10.1']);
    await until(() => cluster.registry.service('kubernetes/test/cluster.local./default/after')?.service, undefined);
    await until(() => cluster.kind('endpointslices').state, 'watching');
    await put('10.2.10.3');
    await until(() => cluster.answered('db'), ['10.2.10.3']);
  } finally {
    await cluster.stop();
    await own.stop();
  }
});

async function exchangeEtcd({ apiServer, etcd }: ControlPlane, work: () => Promise<void>): Promise<void> {
  await apiServer.stop();
  await etcd.stop();
  await work();
  await etcd.start();
  await apiServer.start();
}

test('a kind whose watch resumes at a version that the restored etcd has reused is listed again', options, async () => {
  const own = await startControlPlane();
  const relay = await startRelay(Number(new URL(own.url).port));
  const file = join(own.folder, 'kubeconfig-of-relay');
  const text = await readFile(own.kubeconfig, 'utf8');
  await writeFile(file, text.replaceAll(own.url, `https://127.0.0.1:${relay.port}`));
  const cluster = followCluster(testKubernetesConfig(file));
  const data = join(own.folder, 'etcd');
  const write = async (path: string, times: number) => {
    for (let i = 0; i < times; i++) await own.client.patch(path, { metadata: { annotations: { i: `${i}` } } });
  };
  const isKnown = (name: string) =>
    cluster.registry.service(`kubernetes/test/cluster.local./default/${name}`)?.service !== undefined;
  try {
    await own.client.create(SERVICES, service('restored'));
    await own.client.create(SLICES, slice('db', 'db', [endpoint('10.2.10.1')]));
    await exchangeEtcd(own, () => cp(data, `${data}-backup`, { recursive: true }));
    await until(() => isKnown('restored'), true);
    await own.client.delete(`${SERVICES}/restored`);
    await own.client.create(SERVICES, service('lost'));
    await until(() => [isKnown('restored'), isKnown('lost')], [false, true]);
    await write(`${SLICES}/db`, 400);
    await own.client.create(SLICES, slice('last', 'lost', [endpoint('10.2.10.2')]));
    await until(() => cluster.answered('lost'), ['10.2.10.2']);

    relay.cut();
    await exchangeEtcd(own, async () => {
      await rm(data, { recursive: true });
      await rename(`${data}-backup`, data);
    });
    // The new history comes to where services are, and not to where slices are.
    await write(`${NAMESPACES}/default`, 100);
    relay.mend();
    await until(() => [isKnown('restored'), isKnown('lost')], [true, false]);
  } finally {
    await cluster.stop();
    await relay.close();
    await own.stop();
  }
});

test(
  'an API server with a new certificate is reached again through the authority in the kubeconfig',
  options,
  async () => {
    await createService('certified', '10.2.11.1');
    const certificates = join(plane.folder, 'certificates');
    const config = JSON.parse(await readFile(plane.kubeconfig, 'utf8'));
    const authority = { server: plane.url, 'certificate-authority': 'certificates/apiserver.crt' };
    config.clusters = [{ name: 'test', cluster: authority }];
    const file = join(plane.folder, 'certified-kubeconfig');
    await writeFile(file, JSON.stringify(config));
    await following(async (cluster) => {
      await until(() => cluster.answered('certified'), ['10.2.11.1']);
      await plane.apiServer.stop();
      await rm(certificates, { recursive: true });
      await plane.apiServer.start(); // makes itself another
      await moveTo('certified', '10.2.11.2');
      await until(() => cluster.answered('certified'), ['10.2.11.2']);
    }, testKubernetesConfig(file));
  },
);

test('an object of nearly the maximum size is read, and later changes are followed', options, () =>
  following(async (cluster) => {
    await createService('huge', '10.2.12.1');
    await until(() => cluster.answered('huge'), ['10.2.12.1']);
    // Annotations may have 256 KiB; a thousand endpoints with long names and zones make up the rest.
    const endpoints = Array.from({ length: 1_000 }, (_, i) => ({
      ...endpoint(`10.2.${13 + (i >> 8)}.${i & 255}`),
      nodeName: `${'n'.repeat(200)}-${i}`,
      zone: 'z'.repeat(240),
      deprecatedTopology: undefined,
      targetRef: { kind: 'Other', name: `${'t'.repeat(240)}-${i}`, namespace: 'default', uid: 'u'.repeat(240) },
    }));
    const annotations = { text: 'x'.repeat(255 * 1024) };
    await plane.client.patch(`${SLICES}/huge`, { metadata: { annotations }, endpoints });
    await until(() => cluster.answered('huge').length, 1_000);
    await moveTo('huge', '10.2.12.2');
    await until(() => cluster.answered('huge'), ['10.2.12.2']);
  }),
);

test('namespaces and services that gain or lose the required labels appear or disappear', options, async () => {
  await plane.client.create(NAMESPACES, { metadata: { name: 'shop' } });
  const services = SERVICES.replace('default', 'shop');
  await plane.client.create(services, service('web'));
  const key = 'kubernetes/test/cluster.local./shop/web';
  const label = (path: string, labels: object) => plane.client.patch(path, { metadata: { labels } });
  await following(
    async (cluster) => {
      const isPublished = () => cluster.registry.service(key)?.service !== undefined;
      await until(() => cluster.status.missing(), []);
      assert.equal(isPublished(), false);
      await label(`${services}/web`, { tier: 'edge' });
      await label(`${NAMESPACES}/shop`, { dns: 'yes' });
      await until(isPublished, true);
      await label(`${services}/web`, { tier: 'back' });
      await until(isPublished, false);
      await label(`${services}/web`, { tier: 'front' });
      await until(isPublished, true);
      await label(`${NAMESPACES}/shop`, { dns: null });
      await until(isPublished, false);
    },
    testKubernetesConfig(plane.kubeconfig, { namespaceLabels: 'dns=yes', labels: 'tier in (front, edge)' }),
  );
});
