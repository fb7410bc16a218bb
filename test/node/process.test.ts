// The agent as a process: its file, its exit codes, its HTTP server, and the next process that takes over.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { loadNodeConfig } from '../../src/config/loading/load-node.ts';
import { composeMessage, parseMessage } from '../../src/dns/message/message.ts';
import { parseName } from '../../src/dns/name.ts';
import { CLASS, FLAG, TYPE } from '../../src/dns/types.ts';
import { healthdns, repository, temporaryFolder } from '../support/command.ts';
import { type FakeReplica, startFakeReplica } from '../support/fake-replica.ts';
import { until } from '../support/until.ts';

const WWW = 'www.test. 5 IN A 192.0.2.1';

async function fileOf(t: TestContext, text: string): Promise<string> {
  const file = join(await temporaryFolder(t), 'node.yaml');
  await writeFile(file, text);
  return file;
}

interface AgentProcess {
  readonly child: ChildProcess;
  /** Resolves to the port. */
  readonly listening: Promise<number>;
  readonly exited: Promise<number>;
  errors(): string;
}

function start(t: TestContext, file: string): AgentProcess {
  const child = spawn(process.execPath, [join(repository, 'dist/cli.js'), 'node', '--config', file]);
  t.after(() => child.kill('SIGKILL'));
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text;
  });
  const exited = once(child, 'exit').then(([code]) => Number(code));
  const listening = new Promise<number>((resolve) => {
    let shown = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      shown += text;
      const port = /^DNS .*:(\d+)/m.exec(shown)?.[1];
      if (port !== undefined) resolve(Number(port));
    });
  });
  return { child, listening, exited, errors: () => errors };
}

async function replicaOf(t: TestContext, zone = WWW): Promise<FakeReplica> {
  const replica = await startFakeReplica(zone);
  t.after(() => replica.close());
  return replica;
}

const configOf = ({ port }: FakeReplica, listen: string, http = 'false') =>
  `listen: ${listen}\nhttp: ${http}\nzones: [test]\nreplicas: { push: "127.0.0.1:${port}", plaintext: true }\n`;

/** Over UDP, as a client that does not ask twice; undefined: no answer within 5 seconds. */
async function ask(port: number): Promise<string | undefined> {
  const socket = createSocket('udp4');
  const question = { name: parseName('www.test'), type: TYPE.A, class: CLASS.IN };
  try {
    socket.connect(port, '127.0.0.1');
    await once(socket, 'connect');
    socket.send(composeMessage({ id: 1, flags: FLAG.RD, questions: [question] }));
    const [message] = await once(socket, 'message', { signal: AbortSignal.timeout(5_000) });
    return String(parseMessage(message).answers[0]?.rdata.join('.'));
  } catch {
    return undefined;
  } finally {
    socket.close();
  }
}

test('a file with problems is refused with their places, and exit code 1', async (t) => {
  const { exited, errors } = start(t, await fileOf(t, 'zones: []\nreplicas: { push: 10.0.0.1, serverNam: x }\n'));
  assert.equal(await exited, 1);
  assert.match(errors(), /node\.yaml:2:19: `push`: expected ADDRESS:PORT .*"10\.0\.0\.1": write 10\.0\.0\.1:853$/m);
  assert.match(errors(), /node\.yaml:2:29: unknown key `serverNam`/);
});

test('check reads the file of a node, and says how where it is taken for zones.yaml', async (t) => {
  const replicas = 'replicas: { push: "10.0.0.1:853", serverName: push.example }';
  const good = await fileOf(t, `listen: "127.0.0.1:5300"\nzones: [x.test]\n${replicas}\n`);
  const checked = await healthdns('check', '--node', good);
  assert.deepEqual([checked.code, checked.stderr], [0, '']);
  assert.match(
    checked.stdout,
    /^zones x\.test\. from 10\.0\.0\.1:853 \(TLS, certificate for push\.example\)\nrest {2}REFUSED/m,
  );
  const taken = await healthdns('check', good);
  assert.deepEqual([taken.code, /healthdns check --node .*node\.yaml$/m.test(taken.stderr)], [1, true]);
  const bad = await healthdns('check', '--node', await fileOf(t, `zones: [x.test]\n${replicas}\nhold: { rrset: 5 }\n`));
  assert.equal(bad.code, 1);
  assert.match(bad.stderr, /node\.yaml:3:9: unknown key `rrset`, did you mean `rrsets`\?\n.*: 1 problem\n$/);
});

test('sections of zones.yaml mean the same in the file of a node', async (t) => {
  const text =
    'listen: ["169.254.20.10:53"]\nzones: [cluster.local, 10.in-addr.arpa.]\nforward: 192.0.2.53\n' +
    'acl: [{ action: block, clients: [192.0.2.0/24] }]\nhosts: { entries: [{ address: 192.0.2.7, names: [printer.example] }] }\n' +
    'replicas: { push: ["10.96.0.53:853", "[fd00::53]:853"], dns: 10.96.0.53, serverName: push.example }\n';
  const loaded = await loadNodeConfig(await fileOf(t, text));
  assert.ok(loaded.ok, JSON.stringify(loaded));
  const { zones, replicas, forward, front, hold } = loaded.config;
  assert.deepEqual(zones, ['cluster.local.', '10.in-addr.arpa.']);
  assert.deepEqual(replicas, {
    push: [
      { address: '10.96.0.53', port: 853 },
      { address: 'fd00::53', port: 853 },
    ],
    dns: [{ address: '10.96.0.53', port: 53, tls: undefined }],
    tls: { ca: undefined, serverName: 'push.example' },
  });
  assert.deepEqual([forward.routes.length, front?.acl.length, hold.rrsets], [1, 1, 10_000]);
});

test('probes, metrics and explanations are served, and readiness needs a session', async (t) => {
  const replica = await replicaOf(t);
  replica.isSilent = true;
  const reserved = createSocket('udp4');
  reserved.bind(0, '127.0.0.1');
  await once(reserved, 'listening');
  const { port } = reserved.address();
  reserved.close();
  const agent = start(t, await fileOf(t, configOf(replica, '127.0.0.1:0', `127.0.0.1:${port}`)));
  const get = async (path: string) => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`);
    return [response.status, await response.text()] as const;
  };
  const dns = await agent.listening;
  assert.equal((await get('/health'))[0], 200);
  assert.equal((await get('/ready'))[0], 503);
  replica.isSilent = false;
  replica.cut();
  await until(async () => (await get('/ready'))[0], 200);
  assert.equal(await ask(dns), '192.0.2.1');
  await until(async () => /A true at this moment.*\n {4}192\.0\.2\.1/.test((await get('/explain/www.test'))[1]), true);
  assert.match((await get('/metrics'))[1], /^healthdns_node_held_rrsets 1$/m);
  assert.equal((await get('/explain/a..b'))[0], 400);
});

test('a second process takes the addresses over without a lost query', async (t) => {
  const replica = await replicaOf(t);
  const first = start(t, await fileOf(t, configOf(replica, '127.0.0.1:0')));
  const port = await first.listening;
  let isOver = false;
  let asked = 0;
  const lost: number[] = [];
  const client = async () => {
    while (!isOver) {
      const number = asked++;
      if ((await ask(port)) !== '192.0.2.1') lost.push(number);
    }
  };
  const clients = [client(), client(), client()];
  const second = start(t, await fileOf(t, configOf(replica, `127.0.0.1:${port}`)));
  assert.equal(await second.listening, port);
  first.child.kill('SIGTERM');
  assert.equal(await first.exited, 0);
  const before = asked;
  await until(() => asked > before + 20, true);
  isOver = true;
  await Promise.all(clients);
  assert.deepEqual(lost, []);
  second.child.kill('SIGTERM');
  assert.equal(await second.exited, 0);
});

test('when one of two processes is killed, each client loses one query at most', async (t) => {
  const replica = await replicaOf(t);
  const killed = start(t, await fileOf(t, configOf(replica, '127.0.0.1:0')));
  const port = await killed.listening;
  const other = start(t, await fileOf(t, configOf(replica, `127.0.0.1:${port}`)));
  assert.equal(await other.listening, port);
  let isOver = false;
  const clients = Array.from({ length: 10 }, () => ({ asked: 0, lost: 0 }));
  const running = clients.map(async (client) => {
    while (!isOver) {
      client.asked++;
      if ((await ask(port)) !== '192.0.2.1') client.lost++;
    }
  });
  const more = async (queries: number) => {
    const before = clients.map(({ asked }) => asked);
    await until(() => clients.every(({ asked }, i) => asked >= before[i] + queries), true);
  };
  await more(20);
  killed.child.kill('SIGKILL');
  await killed.exited;
  await more(20);
  isOver = true;
  await Promise.all(running);
  assert.deepEqual(
    clients.filter(({ lost }) => lost > 1),
    [],
  );
});
