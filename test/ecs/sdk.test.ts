// Every operation of ECS, driven by the AWS SDKs for JavaScript and Go and their waiters over real HTTP.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import * as aws from '@aws-sdk/client-ecs';
import { type EcsOnProcesses, startEcsOnProcesses } from '../support/ecs-on-processes.ts';
import { requirement } from '../support/requirement.ts';
import { until } from '../support/until.ts';

const run = promisify(execFile);
const options = requirement('linux');
let setup: EcsOnProcesses;
before(async () => {
  setup = await startEcsOnProcesses();
});
after(() => setup.stop());

test('a client token makes RunTask and CreateService idempotent, for the same request only', options, async () => {
  const { ecs } = setup;
  const container = { name: 'web', image: 'none', command: ['sleep', '600'] };
  await ecs('RegisterTaskDefinition', { family: 'tokens', containerDefinitions: [container] });
  const once = { taskDefinition: 'tokens', clientToken: 'one', count: 2 };
  const arnsOf = async (request: object): Promise<string[]> =>
    (await ecs('RunTask', request)).tasks.map(({ taskArn }: { taskArn: string }) => taskArn);
  const [first, again] = await Promise.all([arnsOf(once), arnsOf(once)]);
  assert.equal(first.length, 2);
  assert.deepEqual(again, first);
  await assert.rejects(arnsOf({ ...once, count: 1 }), { name: 'ConflictException' });
  const [other] = await arnsOf({ ...once, count: 1, clientToken: 'two' });
  assert.ok(!first.includes(other!));
  await assert.rejects(arnsOf({ taskDefinition: 'none', clientToken: 'three' }), { name: 'ClientException' });
  for (const task of [...first, other]) await ecs('StopTask', { task });

  const service = { serviceName: 'tokens', taskDefinition: 'tokens', desiredCount: 0, clientToken: 'one' };
  const { service: created } = await ecs('CreateService', service);
  assert.equal((await ecs('CreateService', service)).service.serviceArn, created.serviceArn);
  for (const more of [{ clientToken: 'two' }, { desiredCount: 1 }])
    await assert.rejects(ecs('CreateService', { ...service, ...more }), /Creation of service was not idempotent/);
  await ecs('DeleteService', { service: 'tokens' });
});

test('the AWS SDK for JavaScript and its waiters work with every ECS operation', {
  ...options,
  timeout: 120_000,
}, async () => {
  const client = new aws.ECSClient({
    endpoint: setup.cloudMap.url,
    region: 'us-east-1',
    credentials: { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'secret' },
    maxAttempts: 1,
  });
  const waiter = { client, maxWaitTime: 60, minDelay: 1, maxDelay: 1 };
  const cluster = 'js';

  const { cluster: created } = await client.send(new aws.CreateClusterCommand({ clusterName: cluster }));
  assert.equal(created?.status, 'ACTIVE');
  const { clusters, failures } = await client.send(new aws.DescribeClustersCommand({ clusters: [cluster, 'none'] }));
  assert.deepEqual([clusters?.length, failures?.[0]?.reason], [1, 'MISSING']);
  assert.ok((await client.send(new aws.ListClustersCommand({}))).clusterArns?.includes(created!.clusterArn!));

  const container = { name: 'web', image: 'none', command: ['sleep', '600'], portMappings: [{ containerPort: 80 }] };
  const register = new aws.RegisterTaskDefinitionCommand({ family: 'js', containerDefinitions: [container] });
  for (const revision of [1, 2]) assert.equal((await client.send(register)).taskDefinition?.revision, revision);
  const { taskDefinition } = await client.send(new aws.DescribeTaskDefinitionCommand({ taskDefinition: 'js' }));
  assert.equal(taskDefinition?.revision, 2);
  assert.ok(Math.abs(taskDefinition!.registeredAt!.getTime() - Date.now()) < 60_000);
  const pages = aws.paginateListTaskDefinitions({ client, pageSize: 1 }, { familyPrefix: 'js' });
  const arns: string[] = [];
  for await (const page of pages) arns.push(...(page.taskDefinitionArns ?? []));
  assert.equal(arns.length, 2);
  const { families } = await client.send(new aws.ListTaskDefinitionFamiliesCommand({ familyPrefix: 'js' }));
  assert.deepEqual(families, ['js']);
  const inactive = await client.send(new aws.DeregisterTaskDefinitionCommand({ taskDefinition: 'js:1' }));
  assert.equal(inactive.taskDefinition?.status, 'INACTIVE');

  const create = new aws.CreateServiceCommand({ cluster, serviceName: 'web', taskDefinition: 'js', desiredCount: 2 });
  const { service } = await client.send(create);
  await assert.rejects(client.send(create), aws.InvalidParameterException);
  await aws.waitUntilServicesStable(waiter, { cluster, services: ['web'] });
  await client.send(new aws.UpdateServiceCommand({ cluster, service: 'web', desiredCount: 1 }));
  await aws.waitUntilServicesStable(waiter, { cluster, services: ['web'] });
  const describe = new aws.DescribeServicesCommand({ cluster, services: ['web'] });
  const rolloutState = async () => (await client.send(describe)).services?.[0]?.deployments?.[0]?.rolloutState;
  await until(rolloutState, 'COMPLETED'); // the waiter does not wait for it
  const listed = await client.send(new aws.ListServicesCommand({ cluster }));
  assert.deepEqual(listed.serviceArns, [service?.serviceArn]);

  const { taskArns } = await client.send(new aws.ListTasksCommand({ cluster, serviceName: 'web' }));
  assert.equal(taskArns?.length, 1);
  const { tasks } = await client.send(new aws.RunTaskCommand({ cluster, taskDefinition: 'js', startedBy: 'me' }));
  const ofTask = { cluster, tasks: [tasks![0]!.taskArn!] };
  await aws.waitUntilTasksRunning(waiter, ofTask);
  await client.send(new aws.StopTaskCommand({ cluster, task: tasks![0]!.taskArn, reason: 'enough' }));
  await aws.waitUntilTasksStopped(waiter, ofTask);
  const stopped = await client.send(new aws.DescribeTasksCommand(ofTask));
  assert.equal(stopped.tasks?.[0]?.stoppedReason, 'enough');

  const resourceArn = service?.serviceArn;
  await client.send(new aws.TagResourceCommand({ resourceArn, tags: [{ key: 'a', value: 'b' }, { key: 'c' }] }));
  await client.send(new aws.UntagResourceCommand({ resourceArn, tagKeys: ['c'] }));
  const { tags } = await client.send(new aws.ListTagsForResourceCommand({ resourceArn }));
  assert.deepEqual(tags, [{ key: 'a', value: 'b' }]);

  await assert.rejects(client.send(new aws.DeleteClusterCommand({ cluster })), aws.ClusterContainsServicesException);
  await client.send(new aws.DeleteServiceCommand({ cluster, service: 'web', force: true }));
  await aws.waitUntilServicesInactive(waiter, { cluster, services: ['web'] });
  const { cluster: deleted } = await client.send(new aws.DeleteClusterCommand({ cluster }));
  assert.equal(deleted?.status, 'INACTIVE');
  client.destroy();
});

test('the AWS SDK for Go and its waiters work with every ECS operation', {
  ...requirement('linux', 'go-sdk'),
  timeout: 600_000, // of which most is for compiling the SDK, once
}, async () => {
  const { stdout } = await run('go', ['run', '.', setup.cloudMap.url], { cwd: 'test/ecs/go' });
  assert.equal(stdout, 'done\n');
});
