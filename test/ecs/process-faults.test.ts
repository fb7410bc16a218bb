// biome-ignore-all lint/suspicious/noExplicitAny: outputs differ by operation; tests look at what they need
// Faults of tasks and of their supervisor.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Serving, serving } from '../support/command.ts';
import { startEcsOnProcesses } from '../support/ecs-on-processes.ts';
import { requirement } from '../support/requirement.ts';
import { temporary } from '../support/temporary.ts';
import { until } from '../support/until.ts';

const options = requirement('linux');

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

test(
  'after kill -9 of the supervisor, the next start takes over its tasks and ends other leftover processes',
  options,
  async (t) => {
    const folder = await temporary();
    const file = join(folder, 'zones.yaml');
    await writeFile(
      file,
      `cloudMap: { writes: loopback, store: { path: store } }\necs: { engine: processes }\nzones: []\n`,
    );
    let server: Serving | undefined;
    t.after(async () => {
      await server?.stop();
      await rm(folder, { recursive: true });
    });
    const start = async () => {
      server = serving([file, '--listen', '127.0.0.1:0', '--http', '127.0.0.1:0']);
      const [, url] = await server.shows(/HTTP +(http:\S+?)\/?(\s|$)/);
      return async (operation: string, input: object): Promise<any> => {
        const target = `AmazonEC2ContainerServiceV20141113.${operation}`;
        const headers = { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': target };
        const response = await fetch(url!, { method: 'POST', headers, body: JSON.stringify(input) });
        return response.json();
      };
    };
    const mine = () => processesOf(join(folder, 'ecs'));
    const running = async (ecs: Awaited<ReturnType<typeof start>>) =>
      (await ecs('DescribeServices', { services: ['s'] })).services[0].runningCount;

    const first = await start();
    const healthCheck = { command: ['CMD-SHELL', 'test ! -e sick'], interval: 5, timeout: 2, retries: 1 };
    const containerDefinitions = [{ name: 'web', image: 'none', command: ['sleep', '600'], healthCheck }];
    await first('RegisterTaskDefinition', { family: 's', containerDefinitions });
    await first('CreateService', { serviceName: 's', taskDefinition: 's', desiredCount: 3 });
    await until(() => running(first), 3);
    const taskIds = async (ecs: Awaited<ReturnType<typeof start>>) =>
      (await ecs('ListTasks', { serviceName: 's' })).taskArns.sort();
    const tasks = await taskIds(first);
    const argumentsOf = (pid: number) => readFileSync(`/proc/${pid}/cmdline`, 'latin1').split('\0');
    const sleeps = () => mine().filter((pid) => argumentsOf(pid)[1] === '600');
    const before = sleeps();
    // One that was being stopped, and one that no record tells of.
    const { tasks: run } = await first('RunTask', { taskDefinition: 's' });
    await until(() => sleeps().length, 4);
    const [stray] = sleeps().filter((pid) => !before.includes(pid));
    await until(() => existsSync(join(folder, 'ecs/tasks', run[0].taskArn.split('/').at(-1), 'task.json')), true);
    await rm(join(folder, 'ecs/tasks', run[0].taskArn.split('/').at(-1), 'task.json'));
    await server!.stop('SIGKILL');
    assert.ok(sleeps().includes(stray!), 'the children outlive their supervisor');
    const second = await start();
    await until(() => running(second), 3);
    assert.deepEqual(sleeps().sort(), before.sort());
    assert.deepEqual(await taskIds(second), tasks);
    const health = async () =>
      (await second('DescribeTasks', { tasks })).tasks.map((task: any) => task.healthStatus).join(' ');
    await until(health, 'HEALTHY HEALTHY HEALTHY');

    // The end of a process that it did not start is noticed, and its task replaced.
    process.kill(before[0]!, 'SIGKILL');
    await until(async () => (await taskIds(second)).filter((id: string) => tasks.includes(id)).length, 2);
    await until(() => running(second), 3);
    await server!.stop();
    assert.deepEqual(mine(), []);
  },
);

test(
  'with Cloud Map in memory, the next start begins without clusters, definitions and services',
  options,
  async (t) => {
    const folder = await temporary();
    const file = join(folder, 'zones.yaml');
    await writeFile(file, 'cloudMap: { writes: loopback, store: memory }\necs: { engine: processes }\nzones: []\n');
    let server: Serving | undefined;
    t.after(async () => {
      await server?.stop();
      await rm(folder, { recursive: true });
    });
    const revision = async () => {
      server = serving([file, '--listen', '127.0.0.1:0', '--http', '127.0.0.1:0']);
      const [, url] = await server.shows(/HTTP +(http:\S+?)\/?(\s|$)/);
      const ecs = async (operation: string, input: object): Promise<any> => {
        const target = `AmazonEC2ContainerServiceV20141113.${operation}`;
        const headers = { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': target };
        return (await fetch(url!, { method: 'POST', headers, body: JSON.stringify(input) })).json();
      };
      const containerDefinitions = [{ name: 'web', image: 'none', command: ['sleep', '600'] }];
      const { taskDefinition } = await ecs('RegisterTaskDefinition', { family: 'm', containerDefinitions });
      const { service } = await ecs('CreateService', { serviceName: 'm', taskDefinition: 'm', desiredCount: 1 });
      return [taskDefinition.revision, service?.status];
    };
    assert.deepEqual(await revision(), [1, 'ACTIVE']);
    await server!.stop('SIGKILL');
    assert.deepEqual(await revision(), [1, 'ACTIVE']);
  },
);

test('a check that hangs fails at its timeout, and a flood of output only fills its log', options, async () => {
  const setup = await startEcsOnProcesses();
  try {
    const hangs = {
      command: ['CMD-SHELL', 'test -e first || { touch first; exit 0; }; sleep 600'],
      interval: 5,
      timeout: 2,
      retries: 1,
    };
    const flood =
      'i=0; while :; do i=$((i + 1)); echo "a line of output number $i of a container that talks too much"; done';
    await setup.define('hangs', { command: ['sh', '-c', flood], healthCheck: hangs });
    await setup.createService('hangs', { desiredCount: 1, healthCheckGracePeriodSeconds: 3600 });
    await setup.stable('hangs');
    const { taskArns } = await setup.ecs('ListTasks', { serviceName: 'hangs' });
    const id = taskArns[0].split('/').at(-1);
    const health = async () => (await setup.ecs('DescribeTasks', { tasks: [id] })).tasks[0].healthStatus;
    await until(health, 'UNHEALTHY');
    assert.ok((await stat(join(setup.folder, 'ecs/tasks', id, 'web.log'))).size > 100_000);
  } finally {
    await setup.stop();
  }
});

test('a task whose port is taken does not start, and the event tells why', options, async () => {
  const setup = await startEcsOnProcesses();
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, '0.0.0.0', resolve));
  const { port } = other.address() as { port: number };
  try {
    await setup.define('taken', { portMappings: [{ containerPort: 80, hostPort: port }] });
    await setup.createService('taken', { desiredCount: 1 });
    const messages = async () => (await setup.service('taken')).events.map((one: any) => one.message).join('\n');
    await until(async () => /unable to consistently start tasks/.test(await messages()), true);
    assert.match(
      await messages(),
      new RegExp(`CannotStartContainerError: port ${port} of 127\\.77\\.\\d+\\.\\d+ is taken`),
    );
  } finally {
    await setup.stop();
    other.close();
  }
});

test(
  'a Cloud Map service with tasks cannot be deleted; without it a service still runs, and ends',
  options,
  async () => {
    const setup = await startEcsOnProcesses();
    try {
      await setup.define('under');
      const { serviceId } = await setup.createService('under', { desiredCount: 2 });
      await setup.stable('under');
      const { Service } = await setup.cloudMap.call('GetService', { Id: serviceId });
      assert.equal(Service.InstanceCount, 2);
      await assert.rejects(setup.cloudMap.call('DeleteService', { Id: serviceId }), { name: 'ResourceInUse' });
      await setup.ecs('UpdateService', { service: 'under', desiredCount: 0 });
      await setup.stable('under');
      await setup.cloudMap.call('DeleteService', { Id: serviceId });
      await setup.cloudMap.call('DeleteNamespace', { Id: Service.NamespaceId });
      await setup.ecs('UpdateService', { service: 'under', desiredCount: 2 });
      await setup.stable('under');
      assert.equal((await setup.service('under')).runningCount, 2);
      await setup.ecs('DeleteService', { service: 'under', force: true });
      await setup.inactive('under');
    } finally {
      await setup.stop();
    }
  },
);

test('a definition beyond ECS’s limits is refused with the limit, and leaves no revision behind', options, async () => {
  const setup = await startEcsOnProcesses();
  const web = { name: 'web', image: 'none', command: ['sleep', '600'] };
  const refused = async (containerDefinitions: object[], message: RegExp) =>
    assert.rejects(setup.ecs('RegisterTaskDefinition', { family: 'much', containerDefinitions }), (error: Error) => {
      assert.ok(['ClientException', 'InvalidParameterException'].includes(error.name), error.name);
      assert.match(error.message, message);
      return true;
    });
  try {
    const eleven = Array.from({ length: 11 }, (_, i) => ({ ...web, name: `web${i}` }));
    await refused(eleven, /length.*10|10 containers/i);
    await refused([{ ...web, environment: [{ name: 'A', value: 'x'.repeat(64 * 1024) }] }], /maximum of 65536 bytes/);
    await refused([{ ...web, healthCheck: { command: ['CMD', 'true'], interval: 1 } }], /from 5 to 300/);
    await refused([{ ...web, stopTimeout: 1e9 }], /from 0 to 86400/);
    assert.deepEqual((await setup.ecs('ListTaskDefinitions', { familyPrefix: 'much' })).taskDefinitionArns, []);
  } finally {
    await setup.stop();
  }
});
