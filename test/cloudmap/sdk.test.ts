// Every operation, driven by the AWS SDK for JavaScript over real HTTP.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import * as aws from '@aws-sdk/client-servicediscovery';
import { Hash } from '@smithy/hash-node';
import { SignatureV4 } from '@smithy/signature-v4';
import { type CloudMapServer, startCloudMapServer } from '../support/cloud-map-server.ts';

let server: CloudMapServer;
let client: aws.ServiceDiscoveryClient;

const clientOf = (url: string, credentials = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'secret' }) =>
  // DiscoverInstances puts "data-" before the host name, which an address cannot have.
  new aws.ServiceDiscoveryClient({
    endpoint: url,
    region: 'us-east-1',
    credentials,
    maxAttempts: 1,
    disableHostPrefix: true,
  });

before(async () => {
  server = await startCloudMapServer({ limits: { instancesPerService: 130 } });
  client = clientOf(server.url);
});
after(async () => {
  client.destroy();
  await server.close();
});

async function createNamespace(name: string): Promise<string> {
  const { OperationId } = await client.send(new aws.CreatePrivateDnsNamespaceCommand({ Name: name, Vpc: 'vpc-1' }));
  const { Operation } = await client.send(new aws.GetOperationCommand({ OperationId: OperationId! }));
  assert.equal(Operation?.Status, 'SUCCESS');
  return Operation!.Targets!.NAMESPACE!;
}

async function createService(
  NamespaceId: string,
  Name: string,
  more: Partial<aws.CreateServiceCommandInput> = {},
): Promise<string> {
  const DnsConfig = { DnsRecords: [{ Type: 'A' as const, TTL: 10 }] };
  const { Service } = await client.send(new aws.CreateServiceCommand({ Name, NamespaceId, DnsConfig, ...more }));
  return Service!.Id!;
}

const register = (ServiceId: string, InstanceId: string, Attributes: Record<string, string>) =>
  client.send(new aws.RegisterInstanceCommand({ ServiceId, InstanceId, Attributes }));

const custom = { HealthCheckCustomConfig: { FailureThreshold: 1 } };

test('the three kinds of namespaces are created, read, listed, updated and deleted', async () => {
  const privateId = await createNamespace('kinds.local');
  const http = await client.send(new aws.CreateHttpNamespaceCommand({ Name: 'kinds-http', CreatorRequestId: 'one' }));
  const again = await client.send(new aws.CreateHttpNamespaceCommand({ Name: 'kinds-http', CreatorRequestId: 'one' }));
  assert.equal(again.OperationId, http.OperationId);
  await client.send(new aws.CreatePublicDnsNamespaceCommand({ Name: 'kinds.example.com', Description: 'public' }));

  const { Namespace } = await client.send(new aws.GetNamespaceCommand({ Id: privateId }));
  assert.equal(Namespace?.Type, 'DNS_PRIVATE');
  assert.equal(Namespace?.Arn, `arn:aws:servicediscovery:us-east-1:000000000000:namespace/${privateId}`);
  assert.equal(Namespace?.Properties?.DnsProperties?.SOA, undefined);
  assert.ok(Math.abs(Namespace!.CreateDate!.getTime() - Date.now()) < 60_000);

  const Filters = [{ Name: 'NAME' as const, Values: ['kinds'], Condition: 'BEGINS_WITH' as const }];
  const { Namespaces } = await client.send(new aws.ListNamespacesCommand({ Filters }));
  assert.deepEqual(Namespaces?.map(({ Type }) => Type).sort(), ['DNS_PRIVATE', 'DNS_PUBLIC', 'HTTP']);

  const Properties = { DnsProperties: { SOA: { TTL: 60 } } };
  await client.send(
    new aws.UpdatePrivateDnsNamespaceCommand({ Id: privateId, Namespace: { Description: 'new', Properties } }),
  );
  const updated = await client.send(new aws.GetNamespaceCommand({ Id: Namespace!.Arn! }));
  assert.equal(updated.Namespace?.Description, 'new');
  assert.equal(updated.Namespace?.Properties?.DnsProperties?.SOA?.TTL, 60);

  assert.ok(server.zones.has('kinds.local.'));
  await client.send(new aws.DeleteNamespaceCommand({ Id: privateId }));
  assert.ok(!server.zones.has('kinds.local.'));
  await assert.rejects(client.send(new aws.GetNamespaceCommand({ Id: privateId })), aws.NamespaceNotFound);
});

test('an existing namespace is rejected with its id, and one with services cannot be deleted', async () => {
  const id = await createNamespace('twice.local');
  await assert.rejects(
    client.send(new aws.CreateHttpNamespaceCommand({ Name: 'twice.local' })),
    (error: aws.NamespaceAlreadyExists) => error instanceof aws.NamespaceAlreadyExists && error.NamespaceId === id,
  );
  await createService(id, 'api');
  await assert.rejects(client.send(new aws.DeleteNamespaceCommand({ Id: id })), aws.ResourceInUse);
});

test('a service is created once per CreatorRequestId, updated and deleted', async () => {
  const namespace = await createNamespace('service.local');
  const id = await createService(namespace, 'api', { CreatorRequestId: 'r1', ...custom });
  assert.equal(await createService(namespace, 'api', { CreatorRequestId: 'r1', ...custom }), id);
  await assert.rejects(createService(namespace, 'api', { CreatorRequestId: 'r2' }), aws.ServiceAlreadyExists);

  await client.send(
    new aws.UpdateServiceCommand({
      Id: id,
      Service: { Description: 'd', DnsConfig: { DnsRecords: [{ Type: 'A', TTL: 7 }] } },
    }),
  );
  const { Service } = await client.send(new aws.GetServiceCommand({ Id: id }));
  assert.deepEqual(Service?.DnsConfig?.DnsRecords, [{ Type: 'A', TTL: 7 }]);
  assert.deepEqual(Service?.HealthCheckCustomConfig, { FailureThreshold: 1 });
  assert.equal(Service?.Type, 'DNS_HTTP');

  const Filters = [{ Name: 'NAMESPACE_ID' as const, Values: [namespace] }];
  const { Services } = await client.send(new aws.ListServicesCommand({ Filters }));
  assert.deepEqual(
    Services?.map(({ Name }) => Name),
    ['api'],
  );
  await client.send(new aws.DeleteServiceCommand({ Id: id }));
  await assert.rejects(client.send(new aws.GetServiceCommand({ Id: id })), aws.ServiceNotFound);
});

const wrongServices: [what: string, more: Partial<aws.CreateServiceCommandInput>, message: RegExp][] = [
  [
    'A beside SRV',
    {
      DnsConfig: {
        DnsRecords: [
          { Type: 'A', TTL: 1 },
          { Type: 'SRV', TTL: 1 },
        ],
      },
    },
    /cannot be combined/,
  ],
  ['CNAME with MULTIVALUE', { DnsConfig: { DnsRecords: [{ Type: 'CNAME', TTL: 1 }] } }, /WEIGHTED/],
  ['both kinds of health checks', { ...custom, HealthCheckConfig: { Type: 'TCP' } }, /not both/],
  ['a TCP check with a path', { HealthCheckConfig: { Type: 'TCP', ResourcePath: '/x' } }, /no ResourcePath/],
  ['a negative TTL', { DnsConfig: { DnsRecords: [{ Type: 'A', TTL: -1 }] } }, /TTL/],
  ['a failure threshold of 11', { HealthCheckConfig: { Type: 'HTTP', FailureThreshold: 11 } }, /FailureThreshold/],
];
for (const [i, [what, more, message]] of wrongServices.entries())
  test(`a service with ${what} is rejected with InvalidInput`, async () => {
    const namespace = await createNamespace(`wrong${i}.local`);
    await assert.rejects(
      createService(namespace, 'api', more),
      (error: Error) => error instanceof aws.InvalidInput && message.test(error.message),
    );
  });

test('instances are registered, replaced, listed in pages and deregistered', async () => {
  const namespace = await createNamespace('instances.local');
  const service = await createService(namespace, 'api');
  for (let i = 0; i < 125; i++) await register(service, `i-${i}`, { AWS_INSTANCE_IPV4: `10.0.0.${i}`, n: String(i) });
  await register(service, 'i-0', { AWS_INSTANCE_IPV4: '10.0.0.200' });
  const { Instance } = await client.send(new aws.GetInstanceCommand({ ServiceId: service, InstanceId: 'i-0' }));
  assert.deepEqual(Instance?.Attributes, { AWS_INSTANCE_IPV4: '10.0.0.200' });

  const ids: string[] = [];
  for await (const page of aws.paginateListInstances({ client, pageSize: 40 }, { ServiceId: service }))
    ids.push(...page.Instances!.map(({ Id }) => Id!));
  assert.equal(new Set(ids).size, 125);
  assert.equal(ids.length, 125);

  const { OperationId } = await client.send(
    new aws.DeregisterInstanceCommand({ ServiceId: service, InstanceId: 'i-3' }),
  );
  const { Operation } = await client.send(new aws.GetOperationCommand({ OperationId: OperationId! }));
  assert.equal(Operation?.Type, 'DEREGISTER_INSTANCE');
  await assert.rejects(
    client.send(new aws.GetInstanceCommand({ ServiceId: service, InstanceId: 'i-3' })),
    aws.InstanceNotFound,
  );
  await assert.rejects(client.send(new aws.DeleteServiceCommand({ Id: service })), aws.ResourceInUse);
});

test('an instance beyond the limit is rejected and no other is lost', async () => {
  const service = await createService(await createNamespace('full.local'), 'api');
  for (let i = 0; i < 130; i++) await register(service, `i-${i}`, { AWS_INSTANCE_IPV4: `10.1.0.${i}` });
  await assert.rejects(register(service, 'more', { AWS_INSTANCE_IPV4: '10.1.1.1' }), aws.ResourceLimitExceeded);
  await register(service, 'i-1', { AWS_INSTANCE_IPV4: '10.1.2.1' });
  const { Service } = await client.send(new aws.GetServiceCommand({ Id: service }));
  assert.equal(Service?.InstanceCount, 130);
});

const wrongAttributes: [what: string, attributes: Record<string, string>, message: RegExp][] = [
  ['no address for an A record', {}, /needs AWS_INSTANCE_IPV4/],
  ['an address that is none', { AWS_INSTANCE_IPV4: '10.0.0.256' }, /not an IPv4 address: 10.0.0.256/],
  ['an IPv6 address with a zone', { AWS_INSTANCE_IPV4: '10.0.0.1', AWS_INSTANCE_IPV6: 'fe80::1%lo' }, /not an IPv6/],
  ['port 0', { AWS_INSTANCE_IPV4: '10.0.0.1', AWS_INSTANCE_PORT: '0' }, /port from 1 to 65535/],
  [
    'an initial health without custom checks',
    { AWS_INSTANCE_IPV4: '10.0.0.1', AWS_INIT_HEALTH_STATUS: 'HEALTHY' },
    /HealthCheckCustomConfig/,
  ],
  ['a value of 1025 characters', { AWS_INSTANCE_IPV4: '10.0.0.1', long: 'x'.repeat(1025) }, /long/],
];
for (const [i, [what, attributes, message]] of wrongAttributes.entries())
  test(`an instance with ${what} is rejected with InvalidInput and not registered`, async () => {
    const service = await createService(await createNamespace(`attributes${i}.local`), 'api');
    await assert.rejects(
      register(service, 'i', attributes),
      (error: Error) => error instanceof aws.InvalidInput && message.test(error.message),
    );
    const { Instances } = await client.send(new aws.ListInstancesCommand({ ServiceId: service }));
    assert.deepEqual(Instances, []);
  });

test('custom health affects discovery at once', async () => {
  const service = await createService(await createNamespace('health.local'), 'api', custom);
  for (const id of ['a', 'b', 'c']) await register(service, id, { AWS_INSTANCE_IPV4: '10.2.0.1', stage: id });
  const set = (InstanceId: string, Status: 'HEALTHY' | 'UNHEALTHY') =>
    client.send(new aws.UpdateInstanceCustomHealthStatusCommand({ ServiceId: service, InstanceId, Status }));
  const discover = async (more: Partial<aws.DiscoverInstancesCommandInput> = {}) => {
    const named = { NamespaceName: 'health.local', ServiceName: 'api' };
    const { Instances } = await client.send(new aws.DiscoverInstancesCommand({ ...named, ...more }));
    return Instances!.map(({ InstanceId }) => InstanceId).sort();
  };
  const revision = async () =>
    (await client.send(new aws.DiscoverInstancesRevisionCommand({ NamespaceName: 'health.local', ServiceName: 'api' })))
      .InstancesRevision!;

  const before = await revision();
  await set('b', 'UNHEALTHY');
  assert.ok((await revision()) > before);
  const { Status } = await client.send(new aws.GetInstancesHealthStatusCommand({ ServiceId: service }));
  assert.deepEqual(Status, { a: 'HEALTHY', b: 'UNHEALTHY', c: 'HEALTHY' });
  assert.deepEqual(await discover(), ['a', 'c']);
  assert.deepEqual(await discover({ HealthStatus: 'UNHEALTHY' }), ['b']);
  assert.deepEqual(await discover({ HealthStatus: 'ALL' }), ['a', 'b', 'c']);
  assert.deepEqual(await discover({ HealthStatus: 'ALL', QueryParameters: { stage: 'b' } }), ['b']);
  assert.deepEqual(await discover({ OptionalParameters: { stage: 'c' } }), ['c']);
  assert.deepEqual(await discover({ OptionalParameters: { stage: 'nowhere' } }), ['a', 'c']);
  assert.equal((await discover({ MaxResults: 1 })).length, 1);

  await set('a', 'UNHEALTHY');
  await set('c', 'UNHEALTHY');
  assert.deepEqual(await discover(), ['a', 'b', 'c'], 'HEALTHY_OR_ELSE_ALL fails open');
  assert.deepEqual(await discover({ HealthStatus: 'HEALTHY' }), []);
  await set('a', 'HEALTHY');
  assert.deepEqual(await discover(), ['a']);
});

test('setting custom health of a service without it is CustomHealthNotFound', async () => {
  const service = await createService(await createNamespace('nocustom.local'), 'api');
  await register(service, 'a', { AWS_INSTANCE_IPV4: '10.2.0.1' });
  const command = new aws.UpdateInstanceCustomHealthStatusCommand({
    ServiceId: service,
    InstanceId: 'a',
    Status: 'HEALTHY',
  });
  await assert.rejects(client.send(command), aws.CustomHealthNotFound);
});

test('AWS_INIT_HEALTH_STATUS sets the first status and is not stored as an attribute', async () => {
  const service = await createService(await createNamespace('init.local'), 'api', custom);
  await register(service, 'a', { AWS_INSTANCE_IPV4: '10.2.0.1', AWS_INIT_HEALTH_STATUS: 'UNHEALTHY' });
  const { Status } = await client.send(
    new aws.GetInstancesHealthStatusCommand({ ServiceId: service, Instances: ['a'] }),
  );
  assert.deepEqual(Status, { a: 'UNHEALTHY' });
  const { Instance } = await client.send(new aws.GetInstanceCommand({ ServiceId: service, InstanceId: 'a' }));
  assert.deepEqual(Instance?.Attributes, { AWS_INSTANCE_IPV4: '10.2.0.1' });
});

test('attributes of services and tags of resources are written, read and removed', async () => {
  const namespace = await createNamespace('tags.local');
  const service = await createService(namespace, 'api', { Tags: [{ Key: 'team', Value: 'dns' }] });
  await client.send(new aws.UpdateServiceAttributesCommand({ ServiceId: service, Attributes: { a: '1', b: '2' } }));
  await client.send(new aws.DeleteServiceAttributesCommand({ ServiceId: service, Attributes: ['a'] }));
  const { ServiceAttributes } = await client.send(new aws.GetServiceAttributesCommand({ ServiceId: service }));
  assert.deepEqual(ServiceAttributes?.Attributes, { b: '2' });
  const many = Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`k${i}`, 'v']));
  await assert.rejects(
    client.send(new aws.UpdateServiceAttributesCommand({ ServiceId: service, Attributes: many })),
    aws.ServiceAttributesLimitExceededException,
  );

  const ResourceARN = ServiceAttributes!.ServiceArn!;
  await client.send(new aws.TagResourceCommand({ ResourceARN, Tags: [{ Key: 'stage', Value: 'test' }] }));
  await client.send(new aws.UntagResourceCommand({ ResourceARN, TagKeys: ['team'] }));
  const { Tags } = await client.send(new aws.ListTagsForResourceCommand({ ResourceARN }));
  assert.deepEqual(Tags, [{ Key: 'stage', Value: 'test' }]);
  const nowhere = `${ResourceARN}x`;
  await assert.rejects(
    client.send(new aws.ListTagsForResourceCommand({ ResourceARN: nowhere })),
    aws.ResourceNotFoundException,
  );
  const tags = Array.from({ length: 51 }, (_, i) => ({ Key: `k${i}`, Value: '' }));
  await assert.rejects(client.send(new aws.TagResourceCommand({ ResourceARN, Tags: tags })), aws.TooManyTagsException);
});

test('operations are listed by type, service and time', async () => {
  const service = await createService(await createNamespace('operations.local'), 'api');
  await register(service, 'a', { AWS_INSTANCE_IPV4: '10.2.0.1' });
  const list = async (...Filters: aws.OperationFilter[]) =>
    (await client.send(new aws.ListOperationsCommand({ Filters }))).Operations!.length;
  const ofService = { Name: 'SERVICE_ID' as const, Values: [service] };
  const seconds = Date.now() / 1000;
  assert.equal(await list(ofService), 1);
  assert.equal(await list(ofService, { Name: 'TYPE', Condition: 'IN', Values: ['DEREGISTER_INSTANCE'] }), 0);
  const hour = { Name: 'UPDATE_DATE' as const, Condition: 'BETWEEN' as const };
  assert.equal(await list(ofService, { ...hour, Values: [String(seconds - 3600), String(seconds + 3600)] }), 1);
  assert.equal(await list(ofService, { ...hour, Values: [String(seconds - 7200), String(seconds - 3600)] }), 0);
  await assert.rejects(list({ Name: 'TYPE', Condition: 'BEGINS_WITH', Values: ['X'] }), aws.InvalidInput);
  await assert.rejects(client.send(new aws.GetOperationCommand({ OperationId: 'none' })), aws.OperationNotFound);
  await assert.rejects(client.send(new aws.ListOperationsCommand({ NextToken: 'junk' })), aws.InvalidInput);
});

test('writes are rejected when disabled, reads are not', async () => {
  const readOnly = await startCloudMapServer({ writes: 'off' });
  const reader = clientOf(readOnly.url);
  try {
    await assert.rejects(reader.send(new aws.CreateHttpNamespaceCommand({ Name: 'a' })), {
      name: 'AccessDeniedException',
    });
    assert.deepEqual((await reader.send(new aws.ListNamespacesCommand({}))).Namespaces, []);
  } finally {
    reader.destroy();
    await readOnly.close();
  }
});

test('with keys configured, only requests signed with one of them may write', async () => {
  const keys = [{ accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'secret' }];
  const signed = await startCloudMapServer({ writes: 'signed', keys });
  const clients = {
    right: clientOf(signed.url),
    forged: clientOf(signed.url, { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'guess' }),
    unknown: clientOf(signed.url, { accessKeyId: 'OTHER', secretAccessKey: 'secret' }),
    late: new aws.ServiceDiscoveryClient({
      endpoint: signed.url,
      region: 'us-east-1',
      credentials: keys[0]!,
      maxAttempts: 1,
      systemClockOffset: -6 * 60_000,
    }),
  };
  const create = (by: aws.ServiceDiscoveryClient) => by.send(new aws.CreateHttpNamespaceCommand({ Name: 'signed' }));
  try {
    await assert.rejects(create(clients.forged), { name: 'InvalidSignatureException' });
    await assert.rejects(create(clients.unknown), { name: 'UnrecognizedClientException' });
    await assert.rejects(create(clients.late), { name: 'InvalidSignatureException' });
    assert.equal(signed.api.state.namespaces.size, 0);
    await create(clients.right);
    assert.equal(signed.api.state.namespaces.size, 1);
    const unsigned = await fetch(signed.url, {
      method: 'POST',
      headers: {
        'x-amz-target': 'Route53AutoNaming_v20170314.CreateHttpNamespace',
        'content-type': 'application/x-amz-json-1.1',
      },
      body: '{"Name":"b"}',
    });
    assert.deepEqual(
      [unsigned.status, unsigned.headers.get('x-amzn-errortype')],
      [403, 'MissingAuthenticationTokenException'],
    );
  } finally {
    for (const one of Object.values(clients)) one.destroy();
    await signed.close();
  }
});

test('a signature that does not cover the operation or the content type is rejected', async () => {
  const key = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'secret' };
  const signed = await startCloudMapServer({ writes: 'signed', keys: [key] });
  const { host, hostname, port } = new URL(signed.url);
  const headers = {
    host,
    'x-amz-target': 'Route53AutoNaming_v20170314.CreateHttpNamespace',
    'content-type': 'application/x-amz-json-1.1',
  };
  const body = '{"Name":"covered"}';
  const sha256 = Hash.bind(undefined, 'sha256');
  const signer = new SignatureV4({ credentials: key, region: 'us-east-1', service: 'servicediscovery', sha256 });
  const send = async (...unsigned: string[]) => {
    const request = { method: 'POST', protocol: 'http:', hostname, port: Number(port), path: '/', headers, body };
    const { headers: sent } = await signer.sign(request, { unsignableHeaders: new Set(unsigned) });
    const response = await fetch(signed.url, { method: 'POST', headers: sent, body });
    return [response.status, ((await response.json()) as { Message?: string }).Message];
  };
  try {
    assert.deepEqual(await send('x-amz-target'), [403, 'x-amz-target must be signed']);
    assert.deepEqual(await send('content-type'), [403, 'content-type must be signed']);
    assert.deepEqual(await send('host'), [403, 'host must be signed']);
    assert.equal(signed.api.state.namespaces.size, 0);
    assert.equal((await send())[0], 200);
  } finally {
    await signed.close();
  }
});

test('a body changed after signing is rejected', async () => {
  const keys = [{ accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'secret' }];
  const signed = await startCloudMapServer({ writes: 'signed', keys });
  const tampering = clientOf(signed.url);
  tampering.middlewareStack.add(
    (next) => (args) => {
      const request = args.request as { body: unknown };
      request.body = Buffer.from(
        Buffer.from(request.body as Uint8Array)
          .toString('latin1')
          .replace('signed', 'forged'),
        'latin1',
      );
      return next(args);
    },
    { step: 'deserialize', priority: 'high', name: 'tamper' },
  );
  try {
    await assert.rejects(tampering.send(new aws.CreateHttpNamespaceCommand({ Name: 'signed' })), {
      name: 'InvalidSignatureException',
    });
  } finally {
    tampering.destroy();
    await signed.close();
  }
});
