import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { systemClock } from '../../src/clock.ts';
import { parseName } from '../../src/dns/name.ts';
import { CLASS, TYPE } from '../../src/dns/types.ts';
import { composeQuery, overUdp } from '../../src/query/exchange.ts';
import { endpoint, NODES, PODS, pod, podStatus, SERVICES, SLICES, service, slice } from '../support/cluster-objects.ts';
import { repository, temporaryFolder } from '../support/command.ts';
import { startControlPlane } from '../support/control-plane.ts';
import { freePort } from '../support/free-ports.ts';
import { requirement } from '../support/requirement.ts';
import { answerFrom, startScriptedUpstream } from '../support/scripted-upstream.ts';
import { until } from '../support/until.ts';
import { walks } from '../support/walks.ts';

const listed = walks();

test('a query, a cache miss and RegisterInstance enter every file that their walks in src/README.md list', async (t) => {
  const upstream = await startScriptedUpstream(answerFrom('www.example. 60 IN A 192.0.2.1'));
  t.after(() => upstream.close());
  const server = await start(
    t,
    `
zones:
  - name: shop.test
    records: [{ name: web, type: A, value: 10.0.0.1 }]
forward:
  - { zone: ., to: ["127.0.0.1:${upstream.port}"] }
cloudMap: { writes: loopback, store: { path: ./store } }
`,
  );
  await server.entered();

  assert.deepEqual(await server.addresses('web.shop.test'), 1);
  await server.assertEntered('A query over UDP');

  assert.deepEqual(await server.addresses('www.example'), 1);
  await server.assertEntered('A cache miss');

  await server.cloudMap('CreatePrivateDnsNamespace', { Name: 'registered.test', Vpc: 'vpc-1' });
  const { Namespaces: namespaces } = await server.cloudMap('ListNamespaces', {});
  const NamespaceId = namespaces[0].Id;
  const DnsConfig = { DnsRecords: [{ Type: 'A', TTL: 10 }] };
  const { Service } = await server.cloudMap('CreateService', { Name: 'web', NamespaceId, DnsConfig });
  await server.entered();
  const Attributes = { AWS_INSTANCE_IPV4: '10.1.1.1' };
  await server.cloudMap('RegisterInstance', { ServiceId: Service.Id, InstanceId: 'one', Attributes });
  assert.deepEqual(await server.addresses('web.registered.test'), 1);
  await server.assertEntered('RegisterInstance');
});

test(
  'a pod that becomes ready enters every file that its walk in src/README.md lists',
  requirement('control-plane'),
  async (t) => {
    const cluster = await startControlPlane();
    t.after(() => cluster.stop());
    await cluster.client.create(NODES, { metadata: { name: 'node-1' } });
    await cluster.client.create(SERVICES, service('web'));
    await cluster.client.create(SLICES, slice('web-a', 'web', [endpoint('10.5.0.1', 'web-1')]));
    await cluster.client.create(PODS, pod('web-1', 'web'));
    await cluster.client.patch(`${PODS}/web-1/status`, podStatus('10.5.0.1', false));
    const server = await start(
      t,
      `
zones:
  - name: cluster.local
    kubernetes: { kubeconfig: ${cluster.kubeconfig} }
`,
    );
    const name = 'web.default.svc.cluster.local';
    await until(() => server.addresses(name), 0);
    await server.entered();
    await cluster.client.patch(`${PODS}/web-1/status`, podStatus('10.5.0.1', true));
    await until(() => server.addresses(name), 1);
    await server.assertEntered("A pod's readiness");
  },
);

/** A server as compiled, file by file. */
async function start(t: TestContext, config: string) {
  const folder = await temporaryFolder(t);
  const [port, http] = [await freePort(), await freePort()];
  const file = join(folder, 'zones.yaml');
  await writeFile(file, `listen: 127.0.0.1:${port}\nhttp: 127.0.0.1:${http}\n${config}`);
  const inBuild = (path: string) => join(repository, 'build', path);
  const preload = ['--import', inBuild('test/support/entered-files.js')];
  const child = spawn(process.execPath, [...preload, inBuild('src/cli.js'), 'serve', file], {
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });
  t.after(async () => {
    child.kill();
    await once(child, 'close');
  });

  const addresses = async (name: string): Promise<number> => {
    const question = { name: parseName(name), type: TYPE.A, class: CLASS.IN };
    const query = composeQuery(question, { edns: true, recursionDesired: true });
    const server = { address: '127.0.0.1', port, family: 4 } as const;
    const reply = await overUdp(query, server, { timeoutMs: 5_000, tries: 1 }, systemClock);
    return reply === 'truncated' ? -1 : reply.message.answers.length;
  };
  await until(async () => (await fetch(`http://127.0.0.1:${http}/ready`).catch(() => undefined))?.status, 200);

  /** Since the last call. */
  const entered = async (): Promise<string[]> => {
    const reply = once(child, 'message');
    child.send(2);
    return (await reply)[0];
  };
  return {
    addresses,
    entered,
    async assertEntered(walk: string) {
      const files = new Set(await entered());
      assert.deepEqual(
        listed.get(walk)?.filter((file) => !files.has(file)),
        [],
        walk,
      );
    },
    async cloudMap(operation: string, input: object) {
      const response = await fetch(`http://127.0.0.1:${http}/`, {
        method: 'POST',
        headers: {
          'content-type': 'application/x-amz-json-1.1',
          'x-amz-target': `Route53AutoNaming_v20170314.${operation}`,
        },
        body: JSON.stringify(input),
      });
      return response.json();
    },
  };
}
