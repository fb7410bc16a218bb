// What is answered before all that may own names has been read.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { composeMessage } from '../../src/dns/message/message.ts';
import { parseName } from '../../src/dns/name.ts';
import { CLASS, TYPE } from '../../src/dns/types.ts';
import { endpoint, service, slice } from '../support/cluster-objects.ts';
import { healthdns, serving, temporaryFolder } from '../support/command.ts';
import { startFakeApiServer } from '../support/fake-api-server.ts';
import { startRelay } from '../support/relay.ts';
import { requirement } from '../support/requirement.ts';
import { until } from '../support/until.ts';

const linux = requirement('linux');

/** An upstream that answers every query with NXDOMAIN, and the names that it was asked. */
async function startUpstream(t: TestContext) {
  const socket = createSocket('udp4');
  const asked: string[] = [];
  socket.on('message', (query, { port, address }) => {
    const response = Buffer.from(query);
    response.writeUInt16BE(0x8183, 2);
    const text = query.toString('latin1', 12);
    if (/example|local|arpa/.test(text)) asked.push(text); // not the probes that look for loops
    socket.send(response, port, address);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  t.after(() => socket.close());
  return { port: socket.address().port, asked };
}

async function serve(t: TestContext, config: string, environment: NodeJS.ProcessEnv = {}) {
  const file = join(await temporaryFolder(t), 'zones.yaml');
  await writeFile(file, config);
  const server = serving([file, '--listen', '127.0.0.1:0', '--http', '127.0.0.1:0'], undefined, environment);
  t.after(() => server.stop('SIGKILL'));
  const [, port] = await server.shows(/DNS {3}127\.0\.0\.1:(\d+)/);
  const [, http] = await server.shows(/HTTP {2}(http:\S+)/);
  const ask = async (name: string) => {
    const { stdout } = await healthdns('query', name, `@127.0.0.1:${port}`, '--json');
    const { status, extendedErrors } = JSON.parse(stdout);
    return { rcode: status, edes: extendedErrors.map(({ infoCode }: { infoCode: number }) => infoCode) };
  };
  const isReady = async () => (await fetch(`${http}/ready`)).status === 200;
  return { ask, isReady, server, port: Number(port) };
}

test('before the Cloud Map store has been read, no name is REFUSED, NXDOMAIN or forwarded', async (t) => {
  const upstream = await startUpstream(t);
  const api = await startFakeApiServer();
  t.after(() => api.close());
  const relay = await startRelay(api.port);
  t.after(() => relay.close());
  relay.cut();
  const kubeconfig = join(await temporaryFolder(t), 'kubeconfig');
  await writeFile(
    kubeconfig,
    JSON.stringify({
      clusters: [{ name: 'c', cluster: { server: `http://127.0.0.1:${relay.port}` } }],
      contexts: [{ name: 'x', context: { cluster: 'c' } }],
      'current-context': 'x',
    }),
  );
  const { ask, isReady } = await serve(
    t,
    `
zones:
  - { name: static.local, records: [{ name: www, type: A, value: 192.0.2.1 }] }
cloudMap: { store: { kubernetes: { kubeconfig: ${kubeconfig}, namespace: cloudmap } }, tasks: [] }
forward: 127.0.0.1:${upstream.port}
`,
  );
  for (const name of ['api.shop.local', 'www.example.com', '1.2.0.192.in-addr.arpa'])
    assert.deepEqual(await ask(name), { rcode: 'SERVFAIL', edes: [14] }, name);
  assert.deepEqual(await ask('www.static.local'), { rcode: 'NOERROR', edes: [] });
  assert.deepEqual(await ask('nothing.static.local'), { rcode: 'NXDOMAIN', edes: [] });
  assert.deepEqual([await isReady(), upstream.asked], [false, []]);
  relay.mend();
  await until(isReady, true);
  assert.equal((await ask('www.example.com')).rcode, 'NXDOMAIN');
  assert.equal(upstream.asked.length, 1);
});

test('only names below the configured suffixes wait for the Cloud Map store', async (t) => {
  const upstream = await startUpstream(t);
  const { ask } = await serve(
    t,
    `
cloudMap:
  namespaces: [Internal.Example]
  store: { kubernetes: { kubeconfig: /nowhere/kubeconfig, namespace: cloudmap } }
  tasks: []
forward: 127.0.0.1:${upstream.port}
`,
  );
  assert.deepEqual(await ask('api.internal.example'), { rcode: 'SERVFAIL', edes: [14] });
  assert.equal((await ask('www.example.com')).rcode, 'NXDOMAIN');
  assert.equal(upstream.asked.length, 1);
});

/** A disk or network file system that is slow: opening a file that is called so waits until there is another beside it. */
const SLOW = `
const promises = require('node:fs/promises');
const { existsSync } = require('node:fs');
const { open } = promises;
promises.open = async (path, ...more) => {
  while (/slow$/.test(path) && !existsSync(path + '.open')) await new Promise((resolve) => setTimeout(resolve, 20));
  return open(path, ...more);
};
`;

/** A file, how to let a server open it, and the environment in which it is slow. */
async function slowFile(t: TestContext, content: string) {
  const folder = await temporaryFolder(t);
  const file = join(folder, 'slow');
  await writeFile(file, content);
  const preload = join(folder, 'preload.cjs');
  await writeFile(preload, SLOW);
  return { file, release: () => writeFile(`${file}.open`, ''), environment: { NODE_OPTIONS: `--require=${preload}` } };
}

test('no name is forwarded before the hosts file has been read', async (t) => {
  const upstream = await startUpstream(t);
  const hosts = await slowFile(t, '192.0.2.7 h.example\n');
  const { ask, isReady } = await serve(
    t,
    `
threads: 1
zones:
  - { name: static.local, records: [{ name: www, type: A, value: 192.0.2.1 }, { name: out, type: CNAME, value: h.example. }] }
forward: 127.0.0.1:${upstream.port}
hosts: { files: [${hosts.file}] }
`,
    hosts.environment,
  );
  assert.deepEqual(await ask('h.example'), { rcode: 'SERVFAIL', edes: [14] });
  assert.equal((await ask('out.static.local')).rcode, 'SERVFAIL');
  assert.deepEqual(await ask('www.static.local'), { rcode: 'NOERROR', edes: [] });
  assert.deepEqual([await isReady(), upstream.asked], [false, []]);
  await hosts.release();
  await until(isReady, true);
  assert.equal((await ask('h.example')).rcode, 'NOERROR');
  assert.deepEqual(upstream.asked, []);
});

test('queries wait for a file of upstream servers, unless it cannot be read', async (t) => {
  const upstream = await startUpstream(t);
  const resolvConf = await slowFile(t, '# none\n');
  const slow = await serve(t, `threads: 1\nforward: ${resolvConf.file}\n`, resolvConf.environment);
  assert.deepEqual(await slow.ask('www.example'), { rcode: 'SERVFAIL', edes: [14] });
  assert.equal(await slow.isReady(), false);
  await resolvConf.release();
  await until(slow.isReady, true);
  const absent = await serve(t, `forward: 127.0.0.1:${upstream.port}\nhosts: { files: [/nowhere/hosts] }\n`);
  await until(absent.isReady, true);
  assert.equal((await absent.ask('www.example')).rcode, 'NXDOMAIN');
});

test('a hosts file that is a named pipe is reported, not waited for, and does not delay the end', linux, async (t) => {
  const upstream = await startUpstream(t);
  const pipe = join(await temporaryFolder(t), 'hosts');
  await promisify(execFile)('mkfifo', [pipe]);
  const config = `threads: 1\nforward: 127.0.0.1:${upstream.port}\nhosts: { files: [${pipe}] }\n`;
  const { ask, isReady, server } = await serve(t, config);
  await server.shows(/cannot read \S+: '\S+' is a named pipe, not a regular file/);
  await until(isReady, true);
  assert.equal((await ask('www.example')).rcode, 'NXDOMAIN');
  assert.equal(await server.stop(), 0);
});

test(
  'a configuration file that is a named pipe is refused by a server, which would read it again',
  linux,
  async (t) => {
    const pipe = join(await temporaryFolder(t), 'zones.yaml');
    await promisify(execFile)('mkfifo', [pipe]);
    const { code, stderr } = await healthdns('serve', pipe);
    assert.equal(code, 1);
    assert.match(stderr, /zones\.yaml:1:1: .*cannot read the file: it is a named pipe/);
  },
);

/** The RCODEs of the answers to A queries for these names, sent at once; a lost query is sent again. */
async function rcodes(port: number, names: readonly string[]): Promise<number[]> {
  const socket = createSocket('udp4');
  const answers = new Map<number, number>();
  socket.on('message', (answer) => void answers.set(answer.readUInt16BE(0), answer[3] & 15));
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const send = () =>
    names.forEach((name, id) => {
      const question = { name: parseName(name), type: TYPE.A, class: CLASS.IN };
      if (!answers.has(id)) socket.send(composeMessage({ id, flags: 0, questions: [question] }), port, '127.0.0.1');
    });
  await until(() => {
    send();
    return answers.size;
  }, names.length);
  socket.close();
  return [...answers.values()];
}

test('with 3,000 services, no name is SERVFAIL after the first 200 of /ready', async (t) => {
  const api = await startFakeApiServer();
  t.after(() => api.close());
  api.put('namespaces', { metadata: { name: 'default' } });
  const names = Array.from({ length: 3_000 }, (_, i) => `web-${i}`);
  for (const [i, name] of names.entries()) {
    api.put('services', service(name));
    api.put('endpointslices', slice(name, name, [endpoint(`10.0.${i >> 8}.${i & 255}`)]));
  }
  const config = `zones:\n  - { name: cluster.local, kubernetes: { kubeconfig: ${api.kubeconfig} } }\n`;
  const { isReady, port } = await serve(t, config);
  while (!(await isReady()));
  const found = await rcodes(
    port,
    names.filter((_, i) => i % 15 === 0).map((name) => `${name}.default.svc.cluster.local.`),
  );
  assert.deepEqual(new Set(found), new Set([0]));
});
