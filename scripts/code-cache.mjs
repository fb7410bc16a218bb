// Starts servers from a finished bundle and keeps the code that V8 compiled for them: first for a static zone, so that the
// smallest server has no more than it needs, then for what clusters need beside it; and an agent of a node.
import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const TIMEOUT_MS = 20_000;
/** What a server does soon after its start belongs to it. */
const RUNS_MS = 300;

const common = { listen: '127.0.0.1:0', http: '127.0.0.1:0', threads: 1 };
const records = [{ name: 'www', type: 'A', value: '192.0.2.1' }];

/** `folder`: the bundle. */
export async function writeCodeCache(folder) {
  const temporary = await mkdtemp(join(tmpdir(), 'healthdns-build-'));
  try {
    const unreachable = {
      clusters: [{ name: 'none', cluster: { server: 'http://127.0.0.1:9' } }],
      contexts: [{ name: 'none', context: { cluster: 'none', user: '' } }],
      'current-context': 'none',
    };
    await writeFile(join(temporary, 'kubeconfig'), JSON.stringify(unreachable));
    await run(folder, temporary, { ...common, zones: [{ name: 'static.test', records }] });
    const cluster = [{ name: 'cluster.test', kubernetes: { kubeconfig: './kubeconfig' } }];
    await run(folder, temporary, { ...common, zones: cluster, cloudMap: { store: 'memory' } });
    const replicas = { push: '127.0.0.1:9', plaintext: true };
    const { listen, http } = common;
    await run(folder, temporary, { listen, http, zones: ['static.test'], replicas }, ['node', '--config']);
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

async function run(folder, temporary, config, command = ['serve']) {
  const file = join(temporary, 'zones.yaml');
  await writeFile(file, JSON.stringify(config));
  const recorder = fileURLToPath(new URL('record-code-cache.cjs', import.meta.url));
  const server = spawn(process.execPath, ['--require', recorder, join(folder, 'cli.js'), ...command, file], {
    env: { ...process.env, HEALTHDNS_RECORDED: join(process.cwd(), folder, 'load.js') },
    stdio: ['ignore', 'pipe', 'ignore'],
    timeout: TIMEOUT_MS,
  });
  const ended = once(server, 'exit');
  let shown = '';
  for await (const text of server.stdout.setEncoding('utf8')) {
    shown += text;
    const port = /^ *DNS .*:(\d+)/m.exec(shown)?.[1];
    if (port === undefined) continue;
    await ask(Number(port));
    await new Promise((resolve) => setTimeout(resolve, RUNS_MS));
    server.kill('SIGTERM');
    break;
  }
  const [code] = await ended;
  if (code !== 0) throw new Error(`the server ended with ${code}`);
}

/** www.static.test. A, with EDNS. */
async function ask(port) {
  const socket = createSocket('udp4');
  const query = '000101000001000000000001037777770673746174696304746573740000010001000029100000000000000000';
  socket.connect(port, '127.0.0.1', () => socket.send(Buffer.from(query, 'hex')));
  await Promise.race([once(socket, 'message'), new Promise((resolve) => setTimeout(resolve, RUNS_MS))]);
  socket.close();
}
