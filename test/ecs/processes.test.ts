// biome-ignore-all lint/suspicious/noExplicitAny: outputs differ by operation; tests look at what they need
// ECS services whose tasks are processes of this machine.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { type EcsOnProcesses, SICK_CHECK, startEcsOnProcesses } from '../support/ecs-on-processes.ts';
import { requirement } from '../support/requirement.ts';
import { until } from '../support/until.ts';

const options = requirement('linux');
let setup: EcsOnProcesses;
before(async () => {
  setup = await startEcsOnProcesses();
});
after(() => setup.stop());

/** Ids of the processes that carry a variable of this supervisor. */
function processesOf(folder: string): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter(Number.isInteger)
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/environ`, 'latin1').includes(`HEALTHDNS_SUPERVISOR=${folder}`);
      } catch {
        return false;
      }
    });
}

async function tasksOf(serviceName: string) {
  const { taskArns } = await setup.ecs('ListTasks', { serviceName });
  return taskArns.length === 0 ? [] : (await setup.ecs('DescribeTasks', { tasks: taskArns })).tasks;
}

const idOf = ({ taskArn }: { taskArn: string }) => taskArn.slice(taskArn.lastIndexOf('/') + 1);
const folderOf = (task: { taskArn: string }) => join(setup.folder, 'ecs/tasks', idOf(task), 'web');

function connects(address: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, address);
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}

test(
  'a service runs its tasks, registers them with their addresses and ports, and becomes stable',
  options,
  async () => {
    await setup.define('web', {
      healthCheck: {
        command: [
          'CMD-SHELL',
          `${process.execPath} -e 'require("net").connect(+process.env.PORT, process.env.HOST).on("error", () => process.exit(1)).on("connect", () => process.exit(0))'`,
        ],
        interval: 5,
      },
    });
    const { serviceId } = await setup.createService('web', { desiredCount: 3 });
    await setup.stable('web');
    const tasks = await tasksOf('web');
    assert.deepEqual(
      tasks.map((task: any) => [task.lastStatus, task.healthStatus, task.containers[0].healthStatus]),
      Array(3).fill(['RUNNING', 'HEALTHY', 'HEALTHY']),
    );
    const { Instances } = await setup.cloudMap.call('ListInstances', { ServiceId: serviceId });
    assert.deepEqual(Instances.map((one: any) => one.Id).sort(), tasks.map(idOf).sort());
    for (const { Attributes } of Instances) {
      assert.deepEqual([Attributes.ECS_SERVICE_NAME, Attributes.ECS_TASK_DEFINITION_FAMILY], ['web', 'web']);
      assert.ok(await connects(Attributes.AWS_INSTANCE_IPV4, Number(Attributes.AWS_INSTANCE_PORT)));
    }
    assert.equal(new Set(Instances.map((one: any) => one.Attributes.AWS_INSTANCE_IPV4)).size, 3);
    const { events } = await setup.service('web');
    assert.match(events[0].message, /^\(service web\) has reached a steady state\.$/);
  },
);

test('a task that fails its health check leaves DNS at once, and is replaced', options, async () => {
  await setup.define('sick', { healthCheck: SICK_CHECK });
  const { serviceId } = await setup.createService('sick', { desiredCount: 2 });
  await setup.stable('sick');
  const [victim, other] = await tasksOf('sick');
  await writeFile(join(folderOf(victim), 'sick'), '');
  await until(() => setup.cloudMap.instances(serviceId, 'answered').some((one) => one.startsWith(idOf(victim))), false);
  assert.ok(setup.cloudMap.instances(serviceId, 'answered').some((one) => one.startsWith(idOf(other))));
  await until(async () => (await setup.ecs('DescribeTasks', { tasks: [idOf(victim)] })).tasks[0].lastStatus, 'STOPPED');
  await setup.stable('sick');
  const [stopped] = (await setup.ecs('DescribeTasks', { tasks: [idOf(victim)] })).tasks;
  assert.equal(stopped.healthStatus, 'UNHEALTHY');
  assert.match(stopped.stoppedReason, /failed container health checks/);
  assert.equal((await tasksOf('sick')).length, 2);
});

test(
  'a rolling update keeps minimumHealthyPercent of the tasks answered, and ends with the new revision only',
  options,
  async () => {
    await setup.define('roll', { healthCheck: SICK_CHECK });
    const { serviceId } = await setup.createService('roll', { desiredCount: 4 });
    await setup.stable('roll');
    await setup.define('roll', { healthCheck: SICK_CHECK, environment: [{ name: 'REVISION', value: '2' }] });
    let fewest = 4;
    const watch = setInterval(() => {
      fewest = Math.min(fewest, setup.cloudMap.instances(serviceId, 'answered').length);
    }, 1);
    await setup.ecs('UpdateService', { service: 'roll', taskDefinition: 'roll' });
    await setup.stable('roll');
    clearInterval(watch);
    assert.equal(fewest, 4);
    const revisions = (await tasksOf('roll')).map((task: any) => task.taskDefinitionArn.split(':').at(-1));
    assert.deepEqual(revisions, ['2', '2', '2', '2']);
  },
);

test('the circuit breaker rolls back a revision whose tasks cannot start', options, async () => {
  await setup.define('broken', { healthCheck: SICK_CHECK });
  const deploymentCircuitBreaker = { enable: true, rollback: true };
  await setup.createService('broken', { desiredCount: 1, deploymentConfiguration: { deploymentCircuitBreaker } });
  await setup.stable('broken');
  await setup.define('broken', { command: ['/no/such/program'] });
  await setup.ecs('UpdateService', { service: 'broken', taskDefinition: 'broken' });
  await until(
    async () => (await setup.service('broken')).events.some((one: any) => /rolling back/.test(one.message)),
    true,
  );
  await setup.stable('broken');
  assert.match((await setup.service('broken')).taskDefinition, /broken:1$/);
  const { taskArns } = await setup.ecs('ListTasks', { desiredStatus: 'STOPPED', family: 'broken' });
  const { tasks } = await setup.ecs('DescribeTasks', { tasks: taskArns });
  const failed = tasks.find((task: any) => task.stopCode === 'TaskFailedToStart');
  assert.match(failed.stoppedReason, /CannotStartContainerError: .*ENOENT/);
});

test(
  'a revision without a health check whose tasks end at once is rolled back, and replaces no task',
  options,
  async () => {
    await setup.define('fragile');
    const deploymentCircuitBreaker = { enable: true, rollback: true };
    const more = { desiredCount: 2, deploymentConfiguration: { deploymentCircuitBreaker } };
    await setup.createService('fragile', more);
    await setup.stable('fragile');
    const before = (await tasksOf('fragile')).map(idOf).sort();
    await setup.define('fragile', { command: ['sh', '-c', 'exit 3'] });
    await setup.ecs('UpdateService', { service: 'fragile', taskDefinition: 'fragile' });
    await until(
      async () => (await setup.service('fragile')).events.some((one: any) => /rolling back/.test(one.message)),
      true,
    );
    await setup.stable('fragile');
    assert.deepEqual((await tasksOf('fragile')).map(idOf).sort(), before);
  },
);

test('an essential container that exits stops its task, and the service starts another', options, async () => {
  await setup.define('ends');
  await setup.createService('ends', { desiredCount: 1 });
  await setup.stable('ends');
  const [task] = await tasksOf('ends');
  process.kill(Number(task.containers[0].runtimeId), 'SIGKILL');
  await until(
    async () => (await setup.ecs('DescribeTasks', { tasks: [idOf(task)] })).tasks[0].stopCode,
    'EssentialContainerExited',
  );
  await until(
    async () =>
      (await tasksOf('ends')).filter((one: any) => one.lastStatus === 'RUNNING' && idOf(one) !== idOf(task)).length,
    1,
  );
});

test('a stopped task leaves DNS first, and its containers end after the drain delay', options, async () => {
  const draining = await startEcsOnProcesses(1);
  try {
    await draining.define('slow');
    const { serviceId } = await draining.createService('slow', { desiredCount: 1 });
    await draining.stable('slow');
    const [answered] = draining.cloudMap.instances(serviceId, 'answered');
    const address = answered!.split(' ').at(-1)!;
    const { Instances } = await draining.cloudMap.call('ListInstances', { ServiceId: serviceId });
    const port = Number(Instances[0].Attributes.AWS_INSTANCE_PORT);
    await until(() => connects(address, port), true);
    await draining.ecs('UpdateService', { service: 'slow', desiredCount: 0 });
    await until(() => draining.cloudMap.instances(serviceId).length, 0);
    assert.ok(await connects(address, port), 'it still accepts connections');
    await until(() => connects(address, port), false);
  } finally {
    await draining.stop();
  }
});

test('dependencies, environment and processes outside the group all end with the task', options, async () => {
  const sleeping = ['sh', '-c', 'setsid sleep 600 & echo "$GREETING $ORDER" >> ../order; sleep 600'];
  const container = (name: string, more: object) => ({ name, image: 'none', command: sleeping, ...more });
  const greeting = { name: 'GREETING', value: 'hello' };
  await setup.ecs('RegisterTaskDefinition', {
    family: 'many',
    containerDefinitions: [
      container('second', {
        dependsOn: [{ containerName: 'init', condition: 'SUCCESS' }],
        environment: [greeting, { name: 'ORDER', value: '2' }],
      }),
      container('init', { essential: false, command: ['sh', '-c', 'echo init >> ../order'] }),
    ],
  });
  const { tasks } = await setup.ecs('RunTask', { taskDefinition: 'many' });
  const order = join(setup.folder, 'ecs/tasks', idOf(tasks[0]), 'order');
  await until(() => existsSync(order) && readFileSync(order, 'utf8'), 'init\nhello 2\n');
  const task = idOf(tasks[0]);
  const marked = () =>
    processesOf(`${setup.folder}/ecs`).filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/environ`, 'latin1').includes(task);
      } catch {
        return false;
      }
    });
  await until(() => marked().length >= 3, true);
  await setup.ecs('StopTask', { task, reason: 'enough' });
  await until(async () => (await setup.ecs('DescribeTasks', { tasks: [task] })).tasks[0].lastStatus, 'STOPPED');
  assert.deepEqual(marked(), []);
});

test(
  'a restarted supervisor keeps services and definitions, ends leftover tasks, and starts no duplicates',
  options,
  async () => {
    const first = await startEcsOnProcesses();
    try {
      await first.define('again');
      await first.createService('again', { desiredCount: 2 });
      await first.stable('again');
      const mine = `${first.folder}/ecs`;
      // As after kill -9: a process that nobody stopped.
      const orphan = promisify(execFile)('sleep', ['600'], { env: { ...process.env, HEALTHDNS_SUPERVISOR: mine } });
      orphan.catch(() => {});
      await until(() => processesOf(mine).length, 3);
      await first.restart();
      await first.stable('again');
      await until(() => processesOf(mine).length, 2);
      assert.equal((await first.ecs('ListTasks', { serviceName: 'again' })).taskArns.length, 2);
      assert.equal(orphan.child.signalCode, 'SIGKILL');
    } finally {
      await first.stop();
    }
    assert.deepEqual(processesOf(`${first.folder}/ecs`), []);
  },
);

test('reset deletes everything of the ECS API', options, async () => {
  const own = await startEcsOnProcesses();
  try {
    await own.define('gone');
    await own.createService('gone', { desiredCount: 1 });
    await own.stable('gone');
    assert.equal((await fetch(`${own.cloudMap.url}/reset`, { method: 'POST' })).status, 204);
    assert.deepEqual((await own.ecs('ListTaskDefinitions', {})).taskDefinitionArns, []);
    assert.deepEqual((await own.cloudMap.call('ListNamespaces', {})).Namespaces, []);
    await until(() => processesOf(`${own.folder}/ecs`).length, 0);
    const origin = { method: 'POST', headers: { origin: 'https://evil.example' } };
    assert.equal((await fetch(`${own.cloudMap.url}/reset`, origin)).status, 403);
  } finally {
    await own.stop();
  }
});

test(
  'two revisions in one WEIGHTED service share the answers by their weights, which tags change',
  options,
  async () => {
    await setup.define('paint');
    await setup.define('paint');
    const DnsConfig = { RoutingPolicy: 'WEIGHTED', DnsRecords: [{ Type: 'A', TTL: 5 }] };
    const serviceId = await setup.cloudMap.createService('paint.test', 'paint', { DnsConfig });
    const { Service } = await setup.cloudMap.call('GetService', { Id: serviceId });
    const serviceRegistries = [{ registryArn: Service.Arn }];
    for (const [serviceName, taskDefinition] of [
      ['blue', 'paint:1'],
      ['green', 'paint:2'],
    ])
      await setup.ecs('CreateService', { serviceName, taskDefinition, serviceRegistries, desiredCount: 1 });
    await Promise.all([setup.stable('blue'), setup.stable('green')]);
    const weights = () =>
      Object.fromEntries(
        [...setup.cloudMap.registry.service(`cloudmap/${serviceId}`)!.instances.values()].map(({ instance }) => [
          instance.attributes?.ECS_SERVICE_NAME,
          instance.weight,
        ]),
      );
    assert.deepEqual(weights(), { blue: 1, green: 1 });
    const arn = 'arn:aws:ecs:us-east-1:000000000000';
    const tag = (resourceArn: string, key: string, value: string) =>
      setup.ecs('TagResource', { resourceArn, tags: [{ key, value }] });
    await tag(`${arn}:task-definition/paint:1`, 'healthdns.dev/weight', '90');
    await tag(`${arn}:task-definition/paint:2`, 'healthdns.dev/weight', '10');
    assert.deepEqual(weights(), { blue: 90, green: 10 });
    await tag(`${arn}:service/default/green`, 'healthdns.dev/weight/2', '0');
    assert.deepEqual(weights(), { blue: 90, green: 0 });
    await assert.rejects(tag(`${arn}:service/default/green`, 'healthdns.dev/weight/2', 'much'), {
      name: 'InvalidParameterException',
    });
    await setup.ecs('UntagResource', {
      resourceArn: `${arn}:service/default/green`,
      tagKeys: ['healthdns.dev/weight/2'],
    });
    assert.deepEqual(weights(), { blue: 90, green: 10 });
  },
);

test(
  'a request that refers to a missing resource, or to one in another cluster, is rejected and starts nothing',
  options,
  async () => {
    await setup.define('astray');
    await setup.createService('astray', { desiredCount: 0 });
    const nowhere = 'arn:aws:servicediscovery:us-east-1:000000000000:service/srv-nowhere';
    const unknown = {
      name: 'InvalidParameterException',
      message: /Cloud Map service arn:.*srv-nowhere does not exist/,
    };
    const serviceRegistries = [{ registryArn: nowhere }];
    await assert.rejects(
      setup.ecs('CreateService', { serviceName: 'lost', taskDefinition: 'astray', serviceRegistries }),
      unknown,
    );
    await assert.rejects(setup.ecs('UpdateService', { service: 'astray', serviceRegistries }), unknown);
    assert.equal((await setup.ecs('DescribeServices', { services: ['lost'] })).failures[0].reason, 'MISSING');

    const elsewhere = 'arn:aws:ecs:us-east-1:000000000000:service/other/astray';
    const foreign = { name: 'InvalidParameterException', message: 'Identifier is for other. Your cluster is default' };
    await assert.rejects(setup.ecs('DescribeServices', { services: [elsewhere] }), foreign);
    await assert.rejects(setup.ecs('UpdateService', { service: elsewhere, desiredCount: 1 }), foreign);
    await assert.rejects(setup.ecs('DeleteService', { service: elsewhere }), foreign);
    await assert.rejects(setup.ecs('ListTasks', { serviceName: elsewhere }), foreign);
    assert.equal((await setup.service('astray')).status, 'ACTIVE');
  },
);

test('a deleted cluster is described as INACTIVE, and can be created again', options, async () => {
  await setup.ecs('CreateCluster', { clusterName: 'brief', tags: [{ key: 'a', value: 'b' }] });
  await setup.ecs('DeleteCluster', { cluster: 'brief' });
  const describe = async () =>
    (await setup.ecs('DescribeClusters', { clusters: ['brief'], include: ['TAGS'] })).clusters;
  assert.equal((await describe())[0].status, 'INACTIVE');
  await setup.restart();
  assert.equal((await describe())[0].status, 'INACTIVE');
  const gone = { name: 'ClusterNotFoundException' };
  await assert.rejects(setup.ecs('DeleteCluster', { cluster: 'brief' }), gone);
  await assert.rejects(setup.ecs('ListServices', { cluster: 'brief' }), gone);
  await assert.rejects(setup.ecs('RunTask', { cluster: 'brief', taskDefinition: 'astray' }), gone);
  const { clusterArns } = await setup.ecs('ListClusters', {});
  assert.ok(!clusterArns.some((arn: string) => arn.endsWith('/brief')));
  await setup.ecs('CreateCluster', { clusterName: 'brief' });
  assert.deepEqual(
    (await describe()).map(({ status, tags }: any) => ({ status, tags })),
    [{ status: 'ACTIVE', tags: [] }],
  );
});

test('a client that deletes what each page lists sees everything', options, async () => {
  const names = Array.from({ length: 7 }, (_, i) => `paged-${i}`);
  for (const clusterName of names) await setup.ecs('CreateCluster', { clusterName });
  for (let i = 0; i < 12; i++) await setup.define('paged');
  const listed: string[] = [];
  for (let nextToken: string | undefined, more = true; more; more = nextToken !== undefined) {
    const page: any = await setup.ecs('ListClusters', { maxResults: 2, nextToken });
    for (const arn of page.clusterArns.filter((one: string) => one.includes('/paged-'))) {
      listed.push(arn.split('/').at(-1)!);
      await setup.ecs('DeleteCluster', { cluster: arn });
    }
    nextToken = page.nextToken;
  }
  assert.deepEqual(listed, names);

  const revisions: number[] = [];
  for (let nextToken: string | undefined, more = true; more; more = nextToken !== undefined) {
    const request = { familyPrefix: 'paged', sort: 'DESC', maxResults: 5, nextToken };
    const page: any = await setup.ecs('ListTaskDefinitions', request);
    for (const taskDefinition of page.taskDefinitionArns) {
      revisions.push(Number(taskDefinition.split(':').at(-1)));
      await setup.ecs('DeregisterTaskDefinition', { taskDefinition });
    }
    nextToken = page.nextToken;
  }
  assert.deepEqual(revisions, [12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1]);
  await assert.rejects(setup.ecs('ListClusters', { nextToken: 'zzz' }), /Invalid token in request/);
});
