// What clients get wrong, and what they say that must not be lost, by the AWS SDK for JavaScript and by hand.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import * as aws from '@aws-sdk/client-servicediscovery';
import { type CloudMapServer, startCloudMapServer } from '../support/cloud-map-server.ts';

let server: CloudMapServer;
let client: aws.ServiceDiscoveryClient;
let namespace: string;

before(async () => {
  server = await startCloudMapServer();
  const credentials = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'secret' };
  client = new aws.ServiceDiscoveryClient({ endpoint: server.url, region: 'us-east-1', credentials, maxAttempts: 1 });
  const { OperationId } = await client.send(new aws.CreatePublicDnsNamespaceCommand({ Name: 'bad.example' }));
  const { Operation } = await client.send(new aws.GetOperationCommand({ OperationId: OperationId! }));
  namespace = Operation!.Targets!.NAMESPACE!;
});
after(async () => {
  client.destroy();
  await server.close();
});

async function createService(Name: string, more: Partial<aws.CreateServiceCommandInput>): Promise<string> {
  const { Service } = await client.send(new aws.CreateServiceCommand({ Name, NamespaceId: namespace, ...more }));
  return Service!.Id!;
}

const register = (ServiceId: string, Attributes: Record<string, string>) =>
  client.send(new aws.RegisterInstanceCommand({ ServiceId, InstanceId: 'i', Attributes }));

const invalid = (message: RegExp) => (error: Error) => error instanceof aws.InvalidInput && message.test(error.message);

async function call(operation: string, body: string): Promise<[status: number, error: string | undefined]> {
  const headers = {
    'x-amz-target': `Route53AutoNaming_v20170314.${operation}`,
    'content-type': 'application/x-amz-json-1.1',
  };
  const response = await fetch(server.url, { method: 'POST', headers, body });
  const { __type } = (await response.json()) as { __type?: string };
  return [response.status, __type];
}

test('an attribute that cannot be stored is rejected, not dropped', async () => {
  const service = await createService('keys', {});
  await assert.rejects(register(service, { constructor: 'x' }), invalid(/constructor/));
  const update = new aws.UpdateServiceAttributesCommand({ ServiceId: service, Attributes: { prototype: 'x' } });
  await assert.rejects(client.send(update), invalid(/prototype/));
});

test('AWS_INSTANCE_CNAME must be a domain name', async () => {
  const service = await createService('cname', {
    DnsConfig: { RoutingPolicy: 'WEIGHTED', DnsRecords: [{ Type: 'CNAME', TTL: 5 }] },
  });
  for (const wrong of ['a..b', 'not a name', `${'x'.repeat(64)}.com`, ''])
    await assert.rejects(register(service, { AWS_INSTANCE_CNAME: wrong }), invalid(/AWS_INSTANCE_CNAME/));
  await register(service, { AWS_INSTANCE_CNAME: 'www.example.com.' });
});

test('A and AAAA records have their own TTLs, whichever is named first', async () => {
  const DnsRecords = [
    { Type: 'AAAA' as const, TTL: 77 },
    { Type: 'A' as const, TTL: 5 },
  ];
  const id = await createService('ttl', { DnsConfig: { DnsRecords } });
  const service = server.registry.service(`cloudmap/${id}`)?.service;
  assert.deepEqual([service?.ttlSeconds, service?.ttlSecondsOfAaaa], [5, 77]);
});

test('FailureThreshold counts in both directions, as in Route 53', async () => {
  const id = await createService('check', { HealthCheckConfig: { Type: 'HTTP', FailureThreshold: 3 } });
  const check = server.registry.service(`cloudmap/${id}`)?.service?.healthCheck;
  assert.deepEqual([check?.retries, check?.successes], [3, 3]);
});

test('a null member is equivalent to an absent one', async () => {
  assert.deepEqual(await call('ListNamespaces', '{"MaxResults":null,"Filters":null}'), [200, undefined]);
});

test('a body over the limit is rejected with an error of the API', async () => {
  const body = JSON.stringify({ Name: 'x'.repeat(2_000_000) });
  assert.deepEqual(await call('CreateHttpNamespace', body), [413, 'RequestEntityTooLargeException']);
});

test('an invalid time range is InvalidInput', async () => {
  const Filters = [{ Name: 'UPDATE_DATE' as const, Condition: 'BETWEEN' as const, Values: ['then', 'now'] }];
  await assert.rejects(client.send(new aws.ListOperationsCommand({ Filters })), invalid(/seconds/));
});
