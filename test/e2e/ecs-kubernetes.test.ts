// biome-ignore-all lint/suspicious/noExplicitAny: outputs differ by operation; tests look at what they need
// ECS services as Deployments, through two replicas of the API that have no rights but those of deploy/.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { CONTAINER, type EcsCluster, type EcsReplica, NAMESPACE, startEcsCluster } from '../support/ecs-in-cluster.ts';
import { requirement } from '../support/requirement.ts';
import { until } from '../support/until.ts';

const options = requirement('controller-manager');
let cluster: EcsCluster;
let one: EcsReplica;
let other: EcsReplica;

before(async () => {
  if (options.skip !== false) return;
  cluster = await startEcsCluster();
  one = await cluster.startReplica();
  other = await cluster.startReplica();
});
after(async () => {
  await Promise.all([one?.stop(), other?.stop()]);
  await cluster?.stop();
});

const define = (family: string, more: object = {}) =>
  one.ecs('RegisterTaskDefinition', { family, containerDefinitions: [{ ...CONTAINER, ...more }] });

async function createService(name: string, more: object = {}): Promise<string> {
  const serviceId = await one.cloudMap.createService(`${name}.local`, name);
  const { Service } = await one.cloudMap.call('GetService', { Id: serviceId });
  const serviceRegistries = [{ registryArn: Service.Arn, containerName: 'web', containerPort: 8080 }];
  await one.ecs('CreateService', { serviceName: name, taskDefinition: name, serviceRegistries, ...more });
  return serviceId;
}

const idOf = ({ taskArn }: { taskArn: string }) => taskArn.slice(taskArn.lastIndexOf('/') + 1);
const revisionOf = ({ taskDefinitionArn }: any) => Number(taskDefinitionArn.split(':').at(-1));

test('a service becomes a Deployment; its tasks are described, registered and answered', options, async () => {
  await define('web');
  const serviceId = await createService('web', { desiredCount: 3 });
  await other.stable('web');
  const { metadata, spec } = await cluster.deployment('web');
  assert.equal(metadata.labels['kecs.dev/service'], 'web');
  assert.equal(metadata.annotations['kecs.dev/task-definition'], 'web:1');
  assert.deepEqual(spec.strategy.rollingUpdate, { maxUnavailable: 0, maxSurge: 3 });
  assert.equal(spec.template.spec.containers[0].readinessProbe.periodSeconds, 5);

  const tasks = await other.tasks('web');
  assert.deepEqual(
    tasks.map((task) => [task.lastStatus, task.healthStatus, task.containers[0].healthStatus, task.group]),
    Array(3).fill(['RUNNING', 'HEALTHY', 'HEALTHY', 'service:web']),
  );
  const answered = one.cloudMap.instances(serviceId, 'answered').map((line) => line.split(' ')[0]);
  assert.deepEqual(answered, tasks.map(idOf).sort());
  const { events } = await one.service('web');
  assert.match(events[0].message, /^\(service web\) has reached a steady state\.$/);
});

test(
  'a task that fails its check leaves every answer at once, and every replica describes it as unhealthy',
  options,
  async () => {
    await define('sick');
    const serviceId = await createService('sick', { desiredCount: 2 });
    await one.stable('sick');
    const [victim] = await one.tasks('sick');
    await writeFile(join(cluster.kubelet.folderOf(idOf(victim)), 'sick'), '');
    await until(() => one.cloudMap.instances(serviceId, 'answered').length, 1);
    const health = async () => (await other.ecs('DescribeTasks', { tasks: [victim.taskArn] })).tasks[0].healthStatus;
    await until(health, 'UNHEALTHY');
    const told = async () => (await other.service('sick')).events.map(({ message }: any) => message).join('\n');
    await until(async () => (await told()).includes(`(task ${idOf(victim)}) failed container health checks`), true);
  },
);

test('an update replaces every task by the new revision, and never answers fewer', options, async () => {
  await define('roll');
  const serviceId = await createService('roll', { desiredCount: 4 });
  await one.stable('roll');
  await until(() => one.cloudMap.instances(serviceId, 'answered').length, 4);
  await define('roll', { environment: [{ name: 'REVISION', value: '2' }] });
  let fewest = 4;
  const watch = setInterval(() => {
    fewest = Math.min(fewest, one.cloudMap.instances(serviceId, 'answered').length);
  }, 1);
  await other.ecs('UpdateService', { service: 'roll', taskDefinition: 'roll' });
  await other.stable('roll'); // the other replica sees its own write at once
  assert.deepEqual((await other.tasks('roll')).map(revisionOf), [2, 2, 2, 2]);
  await one.stable('roll');
  clearInterval(watch);
  assert.equal(fewest, 4);
  await until(async () => (await one.tasks('roll')).map(revisionOf), [2, 2, 2, 2]);
  await one.ecs('UpdateService', { service: 'roll', desiredCount: 1 });
  await one.stable('roll');
  assert.equal((await cluster.deployment('roll')).spec.replicas, 1);
});

test('the circuit breaker rolls back a revision whose containers end', options, async () => {
  await define('broken');
  const deploymentCircuitBreaker = { enable: true, rollback: true };
  await createService('broken', { desiredCount: 1, deploymentConfiguration: { deploymentCircuitBreaker } });
  await one.stable('broken');
  const healthCheck = { ...CONTAINER.healthCheck, command: ['CMD-SHELL', 'false'] };
  await define('broken', { command: ['sh', '-c', 'sleep 0.3; exit 1'], healthCheck });
  await one.ecs('UpdateService', { service: 'broken', taskDefinition: 'broken' });
  const told = async () => (await one.service('broken')).events.map(({ message }: any) => message).join('\n');
  await until(async () => /rolling back to/.test(await told()), true);
  await one.stable('broken');
  assert.match((await other.service('broken')).taskDefinition, /broken:1$/);
  assert.match(await told(), /deployment failed: tasks failed to start/);
});

test(
  'when two replicas create the same service at once, one is rejected; with a shared client token, both return the same service',
  options,
  async () => {
    await define('twice');
    const create = (replica: EcsReplica, more: object = {}) =>
      replica.ecs('CreateService', { serviceName: 'twice', taskDefinition: 'twice', desiredCount: 0, ...more });
    const results = await Promise.allSettled([create(one), create(other)]);
    const failed = results.filter((result) => result.status === 'rejected');
    assert.deepEqual(
      failed.map(({ reason }) => [reason.name, reason.message]),
      [['InvalidParameterException', 'Creation of service was not idempotent.']],
    );
    const token = { serviceName: 'token', clientToken: 'abc' };
    const [first, second] = await Promise.all([create(one, token), create(other, token)]);
    assert.equal(first.service.serviceArn, second.service.serviceArn);
  },
);

test('two replicas that register the same family get different revisions', options, async () => {
  const register = (replica: EcsReplica) =>
    replica.ecs('RegisterTaskDefinition', { family: 'many', containerDefinitions: [CONTAINER] });
  const all = await Promise.all(Array.from({ length: 10 }, (_, i) => register(i % 2 ? one : other)));
  const revisions = all.map(({ taskDefinition }) => taskDefinition.revision).sort((a, b) => a - b);
  assert.deepEqual(revisions, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
});

test('a task outside of services runs, is described by each replica, and is stopped', options, async () => {
  await define('job');
  const overrides = { containerOverrides: [{ name: 'web', environment: [{ name: 'A', value: 'b' }] }] };
  const { tasks } = await one.ecs('RunTask', { taskDefinition: 'job', startedBy: 'test', overrides });
  const id = idOf(tasks[0]);
  const shown = async (replica: EcsReplica) => {
    const [task] = (await replica.ecs('DescribeTasks', { tasks: [id] })).tasks;
    return [task?.lastStatus, task?.startedBy, task?.group];
  };
  for (const replica of [one, other]) await until(() => shown(replica), ['RUNNING', 'test', 'family:job']);
  const { body } = await cluster.plane.client.get(`/api/v1/namespaces/${NAMESPACE}/pods/${id}`);
  assert.deepEqual(body.spec.containers[0].env, [{ name: 'A', value: 'b' }]);
  await other.ecs('TagResource', { resourceArn: tasks[0].taskArn, tags: [{ key: 'a', value: 'b' }] });
  const tags = async () => (await one.ecs('ListTagsForResource', { resourceArn: tasks[0].taskArn })).tags;
  await until(tags, [{ key: 'a', value: 'b' }]);
  await other.ecs('StopTask', { task: id, reason: 'enough' });
  const stopped = async (replica: EcsReplica) => {
    const [task] = (await replica.ecs('DescribeTasks', { tasks: [id] })).tasks;
    return [task.lastStatus, task.stopCode, task.stoppedReason];
  };
  for (const replica of [one, other]) await until(() => stopped(replica), ['STOPPED', 'UserInitiated', 'enough']);
});

test('a service that is deleted takes its Deployment and tasks with it', options, async () => {
  await define('gone');
  await createService('gone', { desiredCount: 1 });
  await one.stable('gone');
  await assert.rejects(one.ecs('DeleteService', { service: 'gone' }), { name: 'InvalidParameterException' });
  await one.ecs('DeleteService', { service: 'gone', force: true });
  await until(async () => (await other.service('gone')).status, 'INACTIVE');
  assert.equal(await cluster.deployment('gone'), undefined);
  assert.deepEqual((await one.ecs('ListTasks', { family: 'gone' })).taskArns, []);
});

test(
  'a Deployment that was changed or deleted by others is restored; a foreign Deployment is left alone',
  options,
  async () => {
    const path = `/apis/apps/v1/namespaces/${NAMESPACE}/deployments`;
    await define('right');
    await createService('right', { desiredCount: 1 });
    await one.stable('right');
    await cluster.plane.client.patch(`${path}/right`, { spec: { replicas: 5 } });
    await until(async () => (await cluster.deployment('right'))?.spec.replicas, 1);
    await cluster.plane.client.delete(`${path}/right`);
    await until(async () => (await cluster.deployment('right'))?.spec.replicas, 1);

    const labels = { app: 'theirs' };
    const template = { metadata: { labels }, spec: { containers: [{ name: 'a', image: 'a' }] } };
    await cluster.plane.client.create(path, {
      metadata: { name: 'theirs' },
      spec: { replicas: 0, selector: { matchLabels: labels }, template },
    });
    await one.ecs('CreateService', { serviceName: 'theirs', taskDefinition: 'right', desiredCount: 2 });
    await one.ecs('CreateService', { serviceName: 'after', taskDefinition: 'right', desiredCount: 1 });
    await one.stable('after');
    assert.equal((await cluster.deployment('theirs')).spec.replicas, 0);
  },
);

test('any input generated from the service model gets an output or an error that the model allows', {
  ...requirement('controller-manager', 'boto3'),
  timeout: 120_000,
}, async () => {
  const operations = [
    ...['CreateCluster', 'DescribeClusters', 'ListClusters', 'DeleteCluster', 'RegisterTaskDefinition'],
    ...['DescribeTaskDefinition', 'ListTaskDefinitions', 'DeregisterTaskDefinition', 'CreateService', 'UpdateService'],
    ...['DescribeServices', 'ListServices', 'DeleteService', 'RunTask', 'StopTask', 'ListTasks', 'DescribeTasks'],
    ...['TagResource', 'UntagResource', 'ListTagsForResource'],
  ];
  const fuzz = ['test/support/aws_model_fuzz.py', one.cloudMap.url, 'ecs', '300', '7', operations.join(',')];
  await promisify(execFile)('python3', fuzz);
});

test('when the writing replica is gone, another replica takes over writing', options, async () => {
  await define('lead');
  const third = await cluster.startReplica();
  await one.stop();
  await other.stop();
  one = third;
  other = third;
  await third.ecs('CreateService', { serviceName: 'lead', taskDefinition: 'lead', desiredCount: 1 });
  await third.stable('lead');
});

test(
  'while the API server is unreachable, ECS requests that write fail with ServiceUnavailable and change nothing, and reads return what is known',
  options,
  async () => {
    const before = await one.ecs('ListServices', { maxResults: 100 });
    await cluster.plane.apiServer.stop();
    for (const [operation, input] of [
      ['CreateService', { serviceName: 'half', taskDefinition: 'lead', desiredCount: 1 }],
      ['RegisterTaskDefinition', { family: 'half', containerDefinitions: [CONTAINER] }],
      ['UpdateService', { service: 'lead', desiredCount: 9 }],
      ['RunTask', { taskDefinition: 'lead' }],
    ] as const)
      await assert.rejects(one.ecs(operation, input), { name: 'ServiceUnavailable' });
    assert.deepEqual(await one.ecs('ListServices', { maxResults: 100 }), before);
    assert.equal((await one.service('lead')).desiredCount, 1);
    assert.deepEqual((await one.ecs('ListTaskDefinitions', { familyPrefix: 'half' })).taskDefinitionArns, []);
    await cluster.plane.apiServer.start();
    await until(async () => {
      await one.ecs('UpdateService', { service: 'lead', desiredCount: 2 }).catch(() => undefined);
      return (await one.service('lead')).desiredCount;
    }, 2);
    await one.stable('lead');
  },
);
