// The Cloud Map API and DNS of one running server, and what a restart keeps.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { healthdns, serving, temporaryFolder } from '../support/command.ts';
import { until } from '../support/until.ts';

async function start(t: TestContext, file: string) {
  const server = serving([file, '--listen', '127.0.0.1:0', '--http', '127.0.0.1:0']);
  t.after(() => server.stop('SIGKILL'));
  const [, dns] = await server.shows(/DNS {3}127\.0\.0\.1:(\d+)/);
  const [, http] = await server.shows(/HTTP {2}(http:\S+)/);
  return { server, dns: Number(dns), http };
}

/** One Cloud Map operation, unsigned. */
// biome-ignore lint/suspicious/noExplicitAny: outputs differ by operation; tests look at what they need
async function call(http: string, operation: string, input: object): Promise<{ status: number; body: any }> {
  const response = await fetch(`${http}/`, {
    method: 'POST',
    headers: {
      'content-type': 'application/x-amz-json-1.1',
      'x-amz-target': `Route53AutoNaming_v20170314.${operation}`,
    },
    body: JSON.stringify(input),
  });
  return { status: response.status, body: JSON.parse(await response.text()) };
}

async function addresses(name: string, dns: number): Promise<string[]> {
  const { stdout } = await healthdns('query', name, `@127.0.0.1:${dns}`, '--short');
  return stdout.split('\n').filter((line) => line !== '');
}

async function fileWith(t: TestContext, cloudMap: string): Promise<string> {
  const file = join(await temporaryFolder(t), 'zones.yaml');
  await writeFile(file, `cloudMap: ${cloudMap}\nzones: [{ name: a.local }]\n`);
  return file;
}

test('a registered instance is answered at once, follows its health and survives kill -9', async (t) => {
  const file = await fileWith(t, '{ writes: loopback, store: { path: ./kept } }');
  const first = await start(t, file);
  const { body } = await call(first.http, 'CreatePrivateDnsNamespace', { Name: 'shop.local', Vpc: 'vpc-1' });
  const { body: operation } = await call(first.http, 'GetOperation', { OperationId: body.OperationId });
  const { body: created } = await call(first.http, 'CreateService', {
    Name: 'api',
    NamespaceId: operation.Operation.Targets.NAMESPACE,
    DnsConfig: { DnsRecords: [{ Type: 'A', TTL: 5 }] },
    HealthCheckCustomConfig: {},
  });
  const ServiceId = created.Service.Id;
  const instance = { ServiceId, InstanceId: 'one', Attributes: { AWS_INSTANCE_IPV4: '192.0.2.1' } };
  assert.equal((await call(first.http, 'RegisterInstance', instance)).status, 200);
  assert.deepEqual(await addresses('api.shop.local', first.dns), ['192.0.2.1']);

  const update = (Status: string) => ({ ServiceId, InstanceId: 'one', Status });
  await call(first.http, 'UpdateInstanceCustomHealthStatus', update('UNHEALTHY'));
  assert.deepEqual(await addresses('api.shop.local', first.dns), []);
  await first.server.stop('SIGKILL');

  const second = await start(t, file);
  assert.deepEqual(await addresses('api.shop.local', second.dns), []);
  await call(second.http, 'UpdateInstanceCustomHealthStatus', update('HEALTHY'));
  assert.deepEqual(await addresses('api.shop.local', second.dns), ['192.0.2.1']);
  await call(second.http, 'DeregisterInstance', { ServiceId, InstanceId: 'one' });
  await call(second.http, 'DeleteService', { Id: ServiceId });
  await call(second.http, 'DeleteNamespace', { Id: operation.Operation.Targets.NAMESPACE });
  const gone = await healthdns('query', 'api.shop.local', `@127.0.0.1:${second.dns}`);
  assert.match(gone.stdout, /REFUSED/);
});

test('a registered instance is checked with the command that the configuration defines for its service', async (t) => {
  const folder = await temporaryFolder(t);
  const line = `test -e '${folder}'/$HEALTHDNS_INSTANCE_ID`;
  const check = `healthCheck: { type: exec, command: [CMD-SHELL, "${line}"], interval: 1, timeout: 60, retries: 1 }`;
  const cloudMap = `{ writes: loopback, store: memory, healthChecks: [{ namespace: shop.local, service: api, ${check} }] }`;
  const { http, dns } = await start(t, await fileWith(t, cloudMap));
  const { body } = await call(http, 'CreatePrivateDnsNamespace', { Name: 'shop.local', Vpc: 'vpc-1' });
  const { body: operation } = await call(http, 'GetOperation', { OperationId: body.OperationId });
  const { body: created } = await call(http, 'CreateService', {
    Name: 'api',
    NamespaceId: operation.Operation.Targets.NAMESPACE,
    DnsConfig: { DnsRecords: [{ Type: 'A', TTL: 5 }] },
  });
  for (const [id, ip] of [
    ['one', '192.0.2.1'],
    ['two', '192.0.2.2'],
  ]) {
    const Attributes = { AWS_INSTANCE_IPV4: ip };
    await call(http, 'RegisterInstance', { ServiceId: created.Service.Id, InstanceId: id, Attributes });
  }
  await writeFile(join(folder, 'two'), '');
  // Until it is checked, an instance is UNKNOWN and answered: the status says when both have been.
  const statuses = async () =>
    (await call(http, 'GetInstancesHealthStatus', { ServiceId: created.Service.Id })).body.Status;
  await until(statuses, { one: 'UNHEALTHY', two: 'HEALTHY' });
  assert.deepEqual(await addresses('api.shop.local', dns), ['192.0.2.2']);
});

test('writes are rejected unless the configuration allows them', async (t) => {
  const { http } = await start(t, await fileWith(t, '{}'));
  const { status, body } = await call(http, 'CreateHttpNamespace', { Name: 'x' });
  assert.deepEqual([status, body.__type], [403, 'AccessDeniedException']);
  assert.equal((await call(http, 'ListNamespaces', {})).status, 200);
});

test('a store that another process has open is an error at start-up', async (t) => {
  const file = await fileWith(t, '{ writes: loopback, store: { path: ./kept } }');
  await start(t, file);
  const second = serving([file, '--listen', '127.0.0.1:0', '--http', '127.0.0.1:0']);
  t.after(() => second.stop('SIGKILL'));
  await second.shows(/kept is in use by another process/);
});

test('with `writes: loopback` and --admin on all addresses, unsigned writes are rejected and reads are allowed', async (t) => {
  const file = await fileWith(t, '{ writes: loopback, store: memory }\nadminToken: token');
  const server = serving([file, '--listen', '127.0.0.1:0', '--http', '127.0.0.1:0', '--admin', '0.0.0.0:0']);
  t.after(() => server.stop('SIGKILL'));
  await server.shows(/writes of Cloud Map are refused/);
  const [, url] = await server.shows(/admin (http:\S+)/);
  const admin = url.replace('0.0.0.0', '127.0.0.1');
  const { status, body } = await call(admin, 'CreateHttpNamespace', { Name: 'shop' });
  assert.deepEqual([status, body.__type], [403, 'AccessDeniedException']);
  assert.equal((await call(admin, 'ListNamespaces', {})).status, 200);
});
