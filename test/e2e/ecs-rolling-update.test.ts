// A rolling update of an ECS service while clients ask DNS and connect to the answers, on the whole product.
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { composeMessage, parseMessage } from '../../src/dns/message/message.ts';
import { parseName } from '../../src/dns/name.ts';
import { CLASS, TYPE } from '../../src/dns/types.ts';
import { serving } from '../support/command.ts';
import { requirement } from '../support/requirement.ts';
import { temporary } from '../support/temporary.ts';
import { until } from '../support/until.ts';

const TASKS = 10;
const PORT = 8080;
const QUERIES_PER_MS = 2;
const TURN_MS = 10;
/** A turn that comes late sends what is due, but no client waits for more answers than it reads in a moment. */
const MAX_WAITING = 50;
/** A client that comes to an answer when its TTL has passed asks again, rather than connect. */
const TTL_SECONDS = 1;

test('during a rolling update of 10 tasks under load, no answer is empty and no connection is refused', {
  ...requirement('linux'),
  timeout: 120_000,
}, async (t) => {
  const folder = await temporary();
  const file = join(folder, 'zones.yaml');
  const ecsKeys = `{ engine: processes, directory: ${folder}/ecs, drainSeconds: 2 }`;
  await writeFile(file, `cloudMap: { writes: loopback, store: memory }\necs: ${ecsKeys}\nzones: []\n`);
  const server = serving([file, '--listen', '127.0.0.1:0', '--http', '127.0.0.1:0']);
  t.after(async () => {
    await server.stop();
    await rm(folder, { recursive: true });
  });
  const [, dnsPort] = await server.shows(/DNS +127\.0\.0\.1:(\d+)/);
  const [, url] = await server.shows(/HTTP +(http:\S+?)\/?(\s|$)/);

  // biome-ignore lint/suspicious/noExplicitAny: outputs differ by operation
  async function call(target: string, operation: string, input: object): Promise<any> {
    const headers = { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': `${target}.${operation}` };
    const response = await fetch(url!, { method: 'POST', headers, body: JSON.stringify(input) });
    const output = await response.json();
    assert.equal(response.status, 200, JSON.stringify(output));
    return output;
  }
  const cloudMap = (operation: string, input: object) => call('Route53AutoNaming_v20170314', operation, input);
  const ecs = (operation: string, input: object) => call('AmazonEC2ContainerServiceV20141113', operation, input);
  const define = (revision: string) => {
    const code = 'require("net").createServer((s) => s.destroy()).listen(+process.env.PORT, process.env.HOST)';
    const probe = `${process.execPath} -e 'require("net").connect(+process.env.PORT, process.env.HOST).on("error", () => process.exit(1)).on("connect", () => process.exit(0))'`;
    const container = {
      ...{
        name: 'web',
        image: 'none',
        command: [process.execPath, '-e', code],
        portMappings: [{ containerPort: PORT }],
      },
      environment: [{ name: 'REVISION', value: revision }],
      healthCheck: { command: ['CMD-SHELL', probe], interval: 5 },
    };
    return ecs('RegisterTaskDefinition', { family: 'web', networkMode: 'awsvpc', containerDefinitions: [container] });
  };
  const isStable = async () => {
    const [service] = (await ecs('DescribeServices', { services: ['web'] })).services;
    return service.deployments.length === 1 && service.deployments[0].rolloutState === 'COMPLETED';
  };

  const { OperationId } = await cloudMap('CreatePrivateDnsNamespace', { Name: 'roll.test', Vpc: 'vpc-1' });
  const { Operation } = await cloudMap('GetOperation', { OperationId });
  const DnsConfig = { DnsRecords: [{ Type: 'A', TTL: TTL_SECONDS }] };
  const { Service } = await cloudMap('CreateService', {
    Name: 'web',
    NamespaceId: Operation.Targets.NAMESPACE,
    DnsConfig,
  });
  await define('1');
  const createdMs = performance.now();
  const serviceRegistries = [{ registryArn: Service.Arn }];
  await ecs('CreateService', { serviceName: 'web', taskDefinition: 'web', desiredCount: TASKS, serviceRegistries });
  await until(isStable, true);
  t.diagnostic(`${TASKS} tasks answered after ${Math.round(performance.now() - createdMs)} ms`);

  const clients = startClients(Number(dnsPort));
  await define('2');
  const updatedMs = performance.now();
  await ecs('UpdateService', { service: 'web', taskDefinition: 'web' });
  await until(isStable, true);
  const tookMs = Math.round(performance.now() - updatedMs);
  const { answers, empty, refused, connected } = await clients.stop();
  t.diagnostic(`update ${tookMs} ms, ${answers} answers, ${empty} empty; ${connected} connections, ${refused} refused`);
  assert.deepEqual([empty, refused], [0, 0]);
  assert.ok(answers > 100 && connected > 100);
});

/** Asks again and again, and connects to one address of each fifth answer. */
function startClients(dnsPort: number) {
  const totals = { answers: 0, empty: 0, refused: 0, connected: 0 };
  const socket = createSocket({ type: 'udp4', recvBufferSize: 4 * 1024 * 1024 });
  const open = new Set<Promise<void>>();
  const name = parseName('web.roll.test.');
  const question = { name, type: TYPE.A, class: CLASS.IN };
  /** When the queries were sent that have no answer yet. */
  const waiting = new Map<number, number>();
  let asked = 0;
  socket.on('message', (bytes) => {
    const { id, answers } = parseMessage(bytes);
    const isFresh = performance.now() - (waiting.get(id) ?? 0) < TTL_SECONDS * 1000;
    waiting.delete(id);
    const addresses = answers.map(({ rdata }) => rdata.join('.'));
    totals.answers++;
    if (addresses.length === 0) totals.empty++;
    else if (isFresh && totals.answers % 5 === 0) {
      const one = attempt(addresses[totals.answers % addresses.length]!).finally(() => open.delete(one));
      open.add(one);
    }
  });
  let sentMs = performance.now();
  const timer = setInterval(() => {
    const nowMs = performance.now();
    for (const [id, atMs] of waiting) if (nowMs - atMs > 5_000) waiting.delete(id); // lost
    const due = Math.min(MAX_WAITING - waiting.size, Math.round((nowMs - sentMs) * QUERIES_PER_MS));
    sentMs = nowMs;
    for (let i = 0; i < due; i++) {
      const id = asked++ & 0xffff;
      waiting.set(id, nowMs);
      socket.send(composeMessage({ id, questions: [question] }), dnsPort, '127.0.0.1');
    }
  }, TURN_MS);
  function attempt(address: string): Promise<void> {
    return new Promise((resolve) => {
      const client = connect(PORT, address);
      client.once('connect', () => totals.connected++).once('error', () => totals.refused++);
      client.once('close', () => resolve()).once('connect', () => client.destroy());
    });
  }
  return {
    async stop() {
      clearInterval(timer);
      await Promise.all(open);
      socket.close();
      return totals;
    },
  };
}
