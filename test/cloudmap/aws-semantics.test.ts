// What AWS documents for Cloud Map, and what clients of AWS rely on, over AWS JSON.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type CloudMapServer, startCloudMapServer } from '../support/cloud-map-server.ts';

let server: CloudMapServer;
before(async () => {
  server = await startCloudMapServer();
});
after(() => server.close());

type Answer = Record<string, unknown> & { readonly __type?: string; readonly Message?: string };

async function call(operation: string, input: object): Promise<Answer> {
  const headers = {
    'x-amz-target': `Route53AutoNaming_v20170314.${operation}`,
    'content-type': 'application/x-amz-json-1.1',
  };
  const response = await fetch(server.url, { method: 'POST', headers, body: JSON.stringify(input) });
  return (await response.json()) as Answer;
}

async function target(answer: Answer, kind: string): Promise<string> {
  const { Operation } = (await call('GetOperation', { OperationId: answer.OperationId })) as {
    Operation: { Targets: Record<string, string> };
  };
  return Operation.Targets[kind]!;
}

let names = 0;
async function httpNamespace(): Promise<string> {
  return target(await call('CreateHttpNamespace', { Name: `ns-${++names}` }), 'NAMESPACE');
}

async function privateNamespace(): Promise<string> {
  return target(await call('CreatePrivateDnsNamespace', { Name: `ns-${++names}.local`, Vpc: 'vpc-1' }), 'NAMESPACE');
}

async function service(NamespaceId: string, more: object = {}): Promise<string> {
  const answer = await call('CreateService', { Name: `service-${++names}`, NamespaceId, ...more });
  return (answer.Service as { Id: string }).Id;
}

const one = { AWS_INSTANCE_IPV4: '10.0.0.1' };
const two = { AWS_INSTANCE_IPV4: '10.0.0.2' };

test('RegisterInstance with a used CreatorRequestId registers again after the instance was deregistered', async () => {
  const ServiceId = await service(await httpNamespace());
  const request = { ServiceId, InstanceId: 'i', CreatorRequestId: 'once', Attributes: one };
  const first = await call('RegisterInstance', request);
  assert.equal((await call('RegisterInstance', request)).OperationId, first.OperationId, 'a retry is the same request');
  await call('DeregisterInstance', { ServiceId, InstanceId: 'i' });
  const again = await call('RegisterInstance', request);
  assert.notEqual(again.OperationId, first.OperationId);
  assert.ok((await call('GetInstance', { ServiceId, InstanceId: 'i' })).Instance);
  assert.equal((await call('RegisterInstance', request)).OperationId, again.OperationId);
  await call('DeregisterInstance', { ServiceId, InstanceId: 'i' });
  await call('RegisterInstance', { ...request, Attributes: two });
  const { Instance } = await call('GetInstance', { ServiceId, InstanceId: 'i' });
  assert.deepEqual(
    (Instance as { Attributes: object }).Attributes,
    two,
    'nor is it a duplicate of a request for what is gone',
  );
});

test('a request repeated after a later one changed the same object is carried out again', async () => {
  const ServiceId = await service(await httpNamespace());
  const register = (CreatorRequestId: string, Attributes: object) =>
    call('RegisterInstance', { ServiceId, InstanceId: 'i', CreatorRequestId, Attributes });
  const attributes = async () =>
    ((await call('GetInstance', { ServiceId, InstanceId: 'i' })) as { Instance: Answer }).Instance.Attributes;
  const first = await register('r1', one);
  await register('r2', two);
  const again = await register('r1', one);
  assert.notEqual(again.OperationId, first.OperationId);
  assert.deepEqual(await attributes(), one);
  assert.equal((await register('r1', one)).OperationId, again.OperationId, 'a retry while it is in force');
  assert.equal((await register('r1', two)).__type, 'DuplicateRequest');

  const Id = await httpNamespace();
  const update = (UpdaterRequestId: string, Description: string) =>
    call('UpdateHttpNamespace', { Id, UpdaterRequestId, Namespace: { Description } });
  const updated = await update('u1', 'one');
  await update('u2', 'two');
  assert.notEqual((await update('u1', 'one')).OperationId, updated.OperationId);
  const { Namespace } = (await call('GetNamespace', { Id })) as { Namespace: Answer };
  assert.equal(Namespace.Description, 'one');
});

test('a CreatorRequestId reused with other attributes is DuplicateRequest with the first operation', async () => {
  const ServiceId = await service(await httpNamespace());
  const request = { ServiceId, InstanceId: 'i', CreatorRequestId: 'once' };
  const { OperationId } = await call('RegisterInstance', { ...request, Attributes: one });
  const refused = await call('RegisterInstance', { ...request, Attributes: two });
  assert.deepEqual([refused.__type, refused.DuplicateOperationId], ['DuplicateRequest', OperationId]);
  const { Instance } = (await call('GetInstance', { ServiceId, InstanceId: 'i' })) as { Instance: Answer };
  assert.deepEqual(Instance.Attributes, one);
});

test('CreateNamespace with a used CreatorRequestId creates again after the namespace was deleted', async () => {
  const request = { Name: 'again.local', Vpc: 'vpc-1', CreatorRequestId: 'once' };
  const first = await call('CreatePrivateDnsNamespace', request);
  const retried = await call('CreatePrivateDnsNamespace', request);
  assert.equal(retried.OperationId, first.OperationId);
  await call('DeleteNamespace', { Id: await target(first, 'NAMESPACE') });
  const again = await call('CreatePrivateDnsNamespace', request);
  const id = await target(again, 'NAMESPACE');
  assert.equal((await call('GetNamespace', { Id: id })).__type, undefined);
  const other = await call('CreatePrivateDnsNamespace', { ...request, Description: 'other' });
  assert.deepEqual([other.__type, other.NamespaceId], ['NamespaceAlreadyExists', id]);
});

test('UpdateNamespace with a used UpdaterRequestId and other settings is DuplicateRequest', async () => {
  const Id = await httpNamespace();
  const request = { Id, UpdaterRequestId: 'once' };
  const first = await call('UpdateHttpNamespace', { ...request, Namespace: { Description: 'one' } });
  const retried = await call('UpdateHttpNamespace', { ...request, Namespace: { Description: 'one' } });
  assert.equal(retried.OperationId, first.OperationId);
  const other = await call('UpdateHttpNamespace', { ...request, Namespace: { Description: 'two' } });
  assert.equal(other.__type, 'DuplicateRequest');
});

test('CreateService with the same CreatorRequestId returns the service only for the same settings', async () => {
  const NamespaceId = await httpNamespace();
  const request = { Name: 'api', NamespaceId, CreatorRequestId: 'once', Description: 'one' };
  const { Service } = (await call('CreateService', request)) as { Service: { Id: string } };
  assert.equal(((await call('CreateService', request)).Service as { Id: string }).Id, Service.Id);
  await call('UpdateService', { Id: Service.Id, Service: { Description: 'changed since' } });
  assert.equal(((await call('CreateService', request)).Service as { Id: string }).Id, Service.Id, 'a late retry');
  const other = await call('CreateService', { ...request, Description: 'two' });
  assert.deepEqual([other.__type, other.ServiceId], ['ServiceAlreadyExists', Service.Id]);
  await call('DeleteService', { Id: Service.Id });
  assert.notEqual(((await call('CreateService', request)).Service as { Id: string }).Id, Service.Id);
});

test('GetInstance returns the CreatorRequestId', async () => {
  const ServiceId = await service(await httpNamespace());
  await call('RegisterInstance', { ServiceId, InstanceId: 'i', CreatorRequestId: 'mine', Attributes: one });
  const { Instance } = (await call('GetInstance', { ServiceId, InstanceId: 'i' })) as { Instance: Answer };
  assert.equal(Instance.CreatorRequestId, 'mine');
});

test('operation ids are 32 and 8 letters and digits', async () => {
  const { OperationId } = await call('CreateHttpNamespace', { Name: 'operation-ids' });
  assert.match(String(OperationId), /^[a-z0-9]{32}-[a-z0-9]{8}$/);
});

test('errors about missing resources carry the id as their message', async () => {
  const message = async (operation: string, input: object) => (await call(operation, input)).Message;
  const ServiceId = await service(await httpNamespace());
  assert.equal(await message('GetNamespace', { Id: 'unknown' }), 'unknown');
  assert.equal(await message('GetService', { Id: 'unknown' }), 'unknown');
  assert.equal(await message('GetInstance', { ServiceId, InstanceId: 'unknown' }), 'unknown');
});

test('an HTTP namespace has an empty SOA, and a TTL is returned only if it was set', async () => {
  const properties = async (Id: string) =>
    ((await call('GetNamespace', { Id })).Namespace as { Properties: { DnsProperties: Answer } }).Properties;
  const http = await properties(await httpNamespace());
  assert.deepEqual(http.DnsProperties, { SOA: {} });
  const dns = await properties(await privateNamespace());
  assert.deepEqual(Object.keys(dns.DnsProperties), ['HostedZoneId']);
});

test('the HealthStatus filter is ignored for services without a health check', async () => {
  const NamespaceId = await httpNamespace();
  const { Namespace } = (await call('GetNamespace', { Id: NamespaceId })) as { Namespace: { Name: string } };
  const discover = async (Name: string, HealthStatus: string) => {
    const input = { NamespaceName: Namespace.Name, ServiceName: Name, HealthStatus };
    return ((await call('DiscoverInstances', input)).Instances as unknown[]).length;
  };
  for (const [Name, custom] of [
    ['without', {}],
    ['with', { HealthCheckCustomConfig: { FailureThreshold: 1 } }],
  ] as const) {
    const { Service } = (await call('CreateService', { Name, NamespaceId, ...custom })) as { Service: { Id: string } };
    await call('RegisterInstance', { ServiceId: Service.Id, InstanceId: 'i', Attributes: one });
  }
  assert.deepEqual([await discover('without', 'UNHEALTHY'), await discover('without', 'HEALTHY')], [1, 1]);
  assert.deepEqual([await discover('with', 'UNHEALTHY'), await discover('with', 'HEALTHY')], [0, 1]);
});

const nameCases: readonly [operation: string, input: object, error: string | undefined][] = [
  ['CreatePrivateDnsNamespace', { Name: 'under_score.local' }, undefined],
  ['CreatePrivateDnsNamespace', { Name: '_tcp.local' }, undefined],
  ['CreatePrivateDnsNamespace', { Name: '-dash-.local' }, undefined],
  ['CreatePrivateDnsNamespace', { Name: 'a b.local' }, 'InvalidInput'],
  ['CreatePrivateDnsNamespace', { Name: 'a..local' }, 'InvalidInput'],
  ['CreatePrivateDnsNamespace', { Name: 'arn:local' }, 'InvalidInput'],
  ['CreatePrivateDnsNamespace', { Name: `${'x'.repeat(64)}.local` }, 'InvalidInput'],
  ['CreatePublicDnsNamespace', { Name: 'under_score.example.com' }, 'InvalidInput'],
  ['CreatePublicDnsNamespace', { Name: 'single' }, 'InvalidInput'],
  ['CreatePublicDnsNamespace', { Name: 'dot.example.com.' }, 'InvalidInput'],
  ['CreateHttpNamespace', { Name: 'any/thing{printable}' }, undefined],
];
for (const [operation, input, error] of nameCases)
  test(`${operation} ${JSON.stringify(input)}: ${error ?? 'accepted'}`, async () => {
    const Vpc = operation === 'CreatePrivateDnsNamespace' ? { Vpc: 'vpc-1' } : {};
    assert.equal((await call(operation, { ...input, ...Vpc })).__type, error);
  });

test('a service of an HTTP namespace has no names in DNS', async () => {
  const NamespaceId = await httpNamespace();
  const { Service } = (await call('CreateService', { Name: 'plain', NamespaceId })) as { Service: { Id: string } };
  assert.deepEqual(server.registry.service(`cloudmap/${Service.Id}`)?.service?.names, []);
});

test('a service named "." publishes at the namespace itself', async () => {
  const NamespaceId = await privateNamespace();
  const DnsConfig = { DnsRecords: [{ Type: 'A', TTL: 5 }] };
  const { Service } = (await call('CreateService', { Name: '.', NamespaceId, DnsConfig })) as { Service: Answer };
  assert.equal(Service.Name, '.');
  assert.equal(server.registry.service(`cloudmap/${Service.Id}`)?.service?.names[0], '@');
});

test('UpdateService changes the TTL of records, never their type', async () => {
  const NamespaceId = await privateNamespace();
  const Id = await service(NamespaceId, { DnsConfig: { DnsRecords: [{ Type: 'A', TTL: 5 }] } });
  const update = (DnsRecords: object[]) => call('UpdateService', { Id, Service: { DnsConfig: { DnsRecords } } });
  assert.equal((await update([{ Type: 'AAAA', TTL: 5 }])).__type, 'InvalidInput');
  assert.equal(
    (
      await update([
        { Type: 'A', TTL: 5 },
        { Type: 'AAAA', TTL: 5 },
      ])
    ).__type,
    'InvalidInput',
  );
  assert.equal((await update([{ Type: 'A', TTL: 9 }])).__type, undefined);
  const { Service } = (await call('GetService', { Id })) as { Service: { DnsConfig: { DnsRecords: object[] } } };
  assert.deepEqual(Service.DnsConfig.DnsRecords, [{ Type: 'A', TTL: 9 }]);
});

test('UpdateService of a service in an HTTP namespace changes the description and keeps the health check', async () => {
  const Id = await service(await httpNamespace(), { HealthCheckConfig: { Type: 'TCP' } });
  assert.equal((await call('UpdateService', { Id, Service: { Description: 'new' } })).__type, undefined);
  const { Service } = (await call('GetService', { Id })) as { Service: Answer };
  assert.equal(Service.Description, 'new');
  assert.deepEqual(Service.HealthCheckConfig, { Type: 'TCP', FailureThreshold: 1 });
});
