// The figures of the ECS API: pages of many services and tasks, the start of a service, and the time from a failing check to an
// answer without the task, on both engines. Usage: node build/bench/ecs.js [services] [rounds]; no pages with 0 services.
import { createSocket } from 'node:dgram';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { composeMessage, parseMessage } from '../src/dns/message/message.ts';
import { parseName } from '../src/dns/name.ts';
import { CLASS, TYPE } from '../src/dns/types.ts';
import { type Serving, serving } from '../test/support/command.ts';
import { startControlPlane } from '../test/support/control-plane.ts';
import { temporary } from '../test/support/temporary.ts';

const SERVICES = Number(process.argv[2] ?? 500);
const ROUNDS = Number(process.argv[3] ?? 20);
const TASKS_PER_SERVICE = 4;
const POLL_MS = 0.5;

interface Product {
  readonly folder: string;
  readonly dnsPort: number;
  // biome-ignore lint/suspicious/noExplicitAny: outputs differ by operation
  ecs(operation: string, input: object): Promise<any>;
  // biome-ignore lint/suspicious/noExplicitAny: outputs differ by operation
  cloudMap(operation: string, input: object): Promise<any>;
  /** The ARN of a new Cloud Map service NAME.bench.test. */
  registry(name: string): Promise<string>;
  stop(): Promise<void>;
}

async function start(folder: string, keys: string): Promise<Product> {
  const file = join(folder, 'zones.yaml');
  await writeFile(file, `${keys}\nzones: []\nlogLevel: error\n`);
  const server: Serving = serving([file, '--listen', '127.0.0.1:0', '--http', '127.0.0.1:0']);
  const [, dnsPort] = await server.shows(/DNS +127\.0\.0\.1:(\d+)/);
  const [, url] = await server.shows(/HTTP +(http:\S+?)\/?(\s|$)/);
  while ((await fetch(`${url}/ready`)).status !== 200) await sleep(50);
  // biome-ignore lint/suspicious/noExplicitAny: outputs differ by operation
  const call = async (target: string, operation: string, input: object): Promise<any> => {
    const headers = { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': `${target}.${operation}` };
    const response = await fetch(url!, { method: 'POST', headers, body: JSON.stringify(input) });
    const output = await response.text();
    if (response.status !== 200) throw new Error(`${operation}: ${output}`);
    return JSON.parse(output);
  };
  const cloudMap = (operation: string, input: object) => call('Route53AutoNaming_v20170314', operation, input);
  let namespaceId = '';
  return {
    ...{ folder, dnsPort: Number(dnsPort), cloudMap },
    ecs: (operation, input) => call('AmazonEC2ContainerServiceV20141113', operation, input),
    async registry(name) {
      if (namespaceId === '') {
        const { OperationId } = await cloudMap('CreatePrivateDnsNamespace', { Name: 'bench.test', Vpc: 'vpc-1' });
        namespaceId = (await cloudMap('GetOperation', { OperationId })).Operation.Targets.NAMESPACE;
      }
      const DnsConfig = { RoutingPolicy: 'MULTIVALUE', DnsRecords: [{ Type: 'A', TTL: 1 }] };
      return (await cloudMap('CreateService', { Name: name, NamespaceId: namespaceId, DnsConfig })).Service.Arn;
    },
    stop: async () => void (await server.stop()),
  };
}

/** Asks until `isExpected` holds for the addresses; resolves to the wall-clock time of that answer, in milliseconds. */
async function answered(
  { dnsPort }: Product,
  name: string,
  isExpected: (addresses: readonly string[]) => boolean,
): Promise<number> {
  const socket = createSocket('udp4');
  const question = { name: parseName(name), type: TYPE.A, class: CLASS.IN };
  const query = composeMessage({ questions: [question] });
  try {
    return await new Promise<number>((resolve) => {
      const ask = () => socket.send(query, dnsPort, '127.0.0.1');
      socket.on('message', (bytes) => {
        const addresses = parseMessage(bytes).answers.map(({ rdata }) => rdata.join('.'));
        if (isExpected(addresses)) resolve(performance.timeOrigin + performance.now());
        else setTimeout(ask, POLL_MS);
      });
      ask();
    });
  } finally {
    socket.close();
  }
}

const percentile = (values: readonly number[], share: number) =>
  [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))]!;
const figures = (values: readonly number[]) =>
  `${percentile(values, 0.5).toFixed(1)} (max ${Math.max(...values).toFixed(1)})`;

async function timed(rounds: number, run: () => Promise<unknown>): Promise<string> {
  const times: number[] = [];
  for (let i = 0; i < rounds; i++) {
    const beganMs = performance.now();
    await run();
    times.push(performance.now() - beganMs);
  }
  return figures(times);
}

const container = (more: object) => ({ name: 'web', image: 'none', portMappings: [{ containerPort: 80 }], ...more });

async function pages(product: Product): Promise<void> {
  const { ecs } = product;
  await ecs('RegisterTaskDefinition', {
    family: 'many',
    containerDefinitions: [container({ command: ['sleep', '3600'] })],
  });
  for (let i = 0; i < SERVICES; i++)
    await ecs('CreateService', { serviceName: `s${i}`, taskDefinition: 'many', desiredCount: TASKS_PER_SERVICE });
  const running = async () => (await ecs('DescribeClusters', {})).clusters[0].runningTasksCount;
  while ((await running()) < SERVICES * TASKS_PER_SERVICE) await sleep(500);
  const { serviceArns } = await ecs('ListServices', { maxResults: 100 });
  const { taskArns } = await ecs('ListTasks', { maxResults: 100 });
  console.log(
    `| ${SERVICES} services × ${TASKS_PER_SERVICE} tasks, ms of one page: median (maximum) | |\n| --- | ---: |`,
  );
  console.log(`| ListServices, 100 | ${await timed(ROUNDS, () => ecs('ListServices', { maxResults: 100 }))} |`);
  const ten = { services: serviceArns.slice(0, 10) };
  console.log(`| DescribeServices, 10 | ${await timed(ROUNDS, () => ecs('DescribeServices', ten))} |`);
  console.log(`| ListTasks, 100 | ${await timed(ROUNDS, () => ecs('ListTasks', { maxResults: 100 }))} |`);
  console.log(`| DescribeTasks, 100 | ${await timed(ROUNDS, () => ecs('DescribeTasks', { tasks: taskArns }))} |`);
  for (const arn of (await allServices(ecs)) as string[]) await ecs('DeleteService', { service: arn, force: true });
  while ((await running()) > 0) await sleep(500);
}

async function allServices(ecs: Product['ecs']): Promise<string[]> {
  const arns: string[] = [];
  let nextToken: string | undefined;
  do {
    const page = await ecs('ListServices', { maxResults: 100, nextToken });
    arns.push(...page.serviceArns);
    nextToken = page.nextToken;
  } while (nextToken !== undefined);
  return arns;
}

/** RegisterTaskDefinition and CreateService → an answer with all tasks. Cloud Map answers at most 8 at once: 8 tasks. */
async function startOfService(product: Product): Promise<void> {
  const times: number[] = [];
  const healthCheck = { command: ['CMD-SHELL', 'true'], interval: 5, timeout: 2, retries: 1 };
  for (let i = 0; i < 5; i++) {
    const registryArn = await product.registry(`start${i}`);
    const beganMs = performance.timeOrigin + performance.now();
    const containerDefinitions = [container({ command: ['sleep', '3600'], healthCheck })];
    await product.ecs('RegisterTaskDefinition', { family: `start${i}`, containerDefinitions });
    const service = { serviceName: `start${i}`, taskDefinition: `start${i}`, serviceRegistries: [{ registryArn }] };
    await product.ecs('CreateService', { ...service, desiredCount: 10 });
    const whole = (addresses: readonly string[]) => addresses.length === 8;
    await answered(product, `start${i}.bench.test.`, whole);
    while (
      (await product.cloudMap('ListInstances', { ServiceId: registryArn.split('/')[1], MaxResults: 100 })).Instances
        .length < 10
    )
      await sleep(5);
    times.push(performance.timeOrigin + performance.now() - beganMs);
    await product.ecs('DeleteService', { service: `start${i}`, force: true });
  }
  console.log(`| 10 tasks with a check, from RegisterTaskDefinition to all of them answered, ms | ${figures(times)} |`);
}

/** The check notes when it fails; from there to an answer without the task. */
async function failingProcess(product: Product): Promise<void> {
  const registryArn = await product.registry('fail');
  const line = 'test ! -e sick || { date +%s%N >failed; exit 1; }';
  const healthCheck = { command: ['CMD-SHELL', line], interval: 5, timeout: 2, retries: 1 };
  const containerDefinitions = [container({ command: ['sleep', '3600'], healthCheck })];
  await product.ecs('RegisterTaskDefinition', { family: 'fail', containerDefinitions });
  const service = { serviceName: 'fail', taskDefinition: 'fail', serviceRegistries: [{ registryArn }] };
  await product.ecs('CreateService', { ...service, desiredCount: 2 });
  const times: number[] = [];
  for (let round = 0; round < Math.min(ROUNDS, 10); round++) {
    await answered(product, 'fail.bench.test.', (addresses) => addresses.length === 2);
    const { taskArns } = await product.ecs('ListTasks', { serviceName: 'fail' });
    const folder = join(product.folder, 'ecs/tasks', taskArns[0].split('/').at(-1), 'web');
    await writeFile(join(folder, 'sick'), '');
    const outMs = await answered(product, 'fail.bench.test.', (addresses) => addresses.length === 1);
    times.push(outMs - Number(await readFile(join(folder, 'failed'), 'utf8')) / 1e6);
  }
  console.log(`| processes: from the check that fails to an answer without the task, ms | ${figures(times)} |`);
}

/** From the API server's response to the kubelet's report that a container is not ready, to an answer without its pod. */
async function failingPod(): Promise<void> {
  const plane = await startControlPlane({
    controllerManager: true,
    controllers: ['deployment-controller', 'replicaset-controller'],
  });
  await plane.client.create('/api/v1/namespaces', { metadata: { name: 'tasks' } });
  const store = `{ kubernetes: { kubeconfig: kubeconfig, context: admin, namespace: tasks } }`;
  const keys = `cloudMap: { writes: loopback, store: ${store} }\necs: { engine: kubernetes, drainSeconds: 0 }`;
  const product = await start(plane.folder, keys);
  const pods = '/api/v1/namespaces/tasks/pods';
  const report = (name: string, ip: string, ready: boolean) =>
    plane.client.patch(`${pods}/${name}/status`, {
      status: {
        ...{ phase: 'Running', podIP: ip, podIPs: [{ ip }] },
        conditions: ['Ready', 'ContainersReady'].map((type) => ({ type, status: ready ? 'True' : 'False' })),
        containerStatuses: [
          {
            ...{
              name: 'web',
              image: 'none',
              imageID: 'none',
              containerID: `containerd://${name}`,
              restartCount: 0,
              ready,
            },
            ...{ started: true, state: { running: { startedAt: '2026-01-01T00:00:00Z' } } },
          },
        ],
      },
    });
  try {
    const registryArn = await product.registry('fail');
    const healthCheck = { command: ['CMD-SHELL', 'true'], interval: 5, timeout: 2, retries: 1 };
    const containerDefinitions = [container({ healthCheck })];
    await product.ecs('RegisterTaskDefinition', { family: 'fail', containerDefinitions });
    const service = { serviceName: 'fail', taskDefinition: 'fail', serviceRegistries: [{ registryArn }] };
    await product.ecs('CreateService', { ...service, desiredCount: 2 });
    let names: string[] = [];
    while (names.length < 2) {
      const { body } = await plane.client.get(pods);
      names = body.items.map(({ metadata }: { metadata: { name: string } }) => metadata.name);
      await sleep(50);
    }
    for (const [i, name] of names.entries()) await report(name, `10.1.0.${i + 1}`, true);
    const times: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      await answered(product, 'fail.bench.test.', (addresses) => addresses.length === 2);
      const out = answered(product, 'fail.bench.test.', (addresses) => addresses.length === 1);
      await report(names[0]!, '10.1.0.1', false);
      const writtenMs = performance.timeOrigin + performance.now();
      times.push(Math.max(0, (await out) - writtenMs));
      await report(names[0]!, '10.1.0.1', true);
    }
    console.log(
      `| Kubernetes: from the API server's response to the kubelet to an answer without the task, ms | ${figures(times)} |`,
    );
  } finally {
    await product.stop();
    await plane.stop();
  }
}

const folder = await temporary();
const product = await start(
  folder,
  `cloudMap: { writes: loopback, store: memory }\necs: { engine: processes, directory: ${folder}/ecs, drainSeconds: 0 }`,
);
try {
  if (SERVICES > 0) await pages(product);
  await startOfService(product);
  await failingProcess(product);
} finally {
  await product.stop();
  await rm(folder, { recursive: true });
}
if (process.env.KUBEBUILDER_ASSETS === undefined) console.log('KUBEBUILDER_ASSETS is not set: Kubernetes was left out');
else await failingPod();
