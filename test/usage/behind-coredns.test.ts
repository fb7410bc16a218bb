// Third way of use: behind a real CoreDNS, whose `forward` asks healthdns, by the Corefiles of docs/install.md.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type Serving, serving } from '../support/command.ts';
import { dig, digAddresses } from '../support/dig.ts';
import { documented } from '../support/documented.ts';
import { freePorts } from '../support/free-ports.ts';
import { requirement } from '../support/requirement.ts';
import { temporary } from '../support/temporary.ts';
import { until } from '../support/until.ts';

const coredns = requirement('coredns', 'dig');
const unbound = requirement('unbound', 'dig');
const MANY = Array.from({ length: 150 }, (_, i) => `10.9.0.${i + 1}`);
let folder: string;
let server: Serving;
let ourPort: number;
let http: string;

before(async () => {
  if (coredns.skip !== false && unbound.skip !== false) return;
  folder = await temporary();
  const instances = MANY.map((ipv4, i) => `          - { id: many-${i}, ipv4: ${ipv4} }\n`).join('');
  await writeFile(
    join(folder, 'zones.yaml'),
    `zones:
  - name: production.local
    services:
      - name: api
        healthCheck:
          type: exec
          command: [CMD-SHELL, "test -e '${folder}'/$HEALTHDNS_INSTANCE_ID"]
          interval: 1
          timeout: 60 # on a busy machine a healthy instance stays healthy
          retries: 1
        instances:
          - { id: api-1, ipv4: 10.1.0.1 }
          - { id: api-2, ipv4: 10.1.0.2 }
          - { id: api-3, ipv4: 10.1.0.3 }
      - name: many
        instances:
${instances}
  - name: cluster.local
    names: ["{service}.{namespace}.svc"]
    reverse: [10.0.0.0/8]
    services:
      - { name: web, namespace: default, instances: [{ id: web-1, ipv4: 10.3.0.1 }] }
`,
  );
  for (const id of ['api-1', 'api-2', 'api-3']) await writeFile(join(folder, id), '');
  server = serving([join(folder, 'zones.yaml'), '--listen', '127.0.0.1:0', '--http', '127.0.0.1:0']);
  const [, listening] = await server.shows(/DNS {3}127\.0\.0\.1:(\d+)/);
  ourPort = Number(listening);
  [, http] = await server.shows(/HTTP {2}(http:\S+)/);
});
after(async () => {
  await server?.stop();
  if (folder !== undefined) await rm(folder, { recursive: true, force: true });
});

interface Resolver {
  readonly port: number;
  stop(): Promise<void>;
}

async function started(program: string, args: readonly string[], port: number): Promise<Resolver> {
  const child: ChildProcess = spawn(program, args, {
    stdio: 'ignore',
    env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` },
  });
  const stop = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  };
  try {
    await until(async () => (await dig(port, 'api.production.local', 'A').catch(() => undefined))?.status, 'NOERROR');
  } catch (error) {
    await stop();
    throw error;
  }
  return { port, stop };
}

/** The documented Corefile number `which`, with the addresses of this test. */
async function startCoredns(which: number): Promise<Resolver> {
  const [port] = await freePorts(1);
  const text = (await documented('install.md', 'corefile'))[which];
  const blocks = which === 0 ? `${text}\nproduction.local:53 {\n forward . 10.96.0.53\n}\n` : text;
  const corefile = blocks
    .replaceAll('10.96.0.53', `127.0.0.1:${ourPort}`)
    .replaceAll(':53 {', `:${port} {\n bind 127.0.0.1`)
    .replaceAll(':53 ', `:${port} `)
    .replaceAll('forward . /etc/resolv.conf', 'forward . 127.0.0.1:1'); // nothing of this test asks the world
  const file = join(folder, `Corefile-${which}`);
  await writeFile(file, corefile);
  return started(join(process.env.KUBEBUILDER_ASSETS!, 'coredns'), ['-conf', file], port);
}

async function healthShowsThrough(port: number): Promise<void> {
  assert.deepEqual(await digAddresses(port, 'api.production.local'), ['10.1.0.1', '10.1.0.2', '10.1.0.3']);
  await rm(join(folder, 'api-2'));
  await until(() => digAddresses(port, 'api.production.local'), ['10.1.0.1', '10.1.0.3']);
  await writeFile(join(folder, 'api-2'), '');
  await until(() => digAddresses(port, 'api.production.local'), ['10.1.0.1', '10.1.0.2', '10.1.0.3']);
}

/** How many queries of a transport healthdns has answered. */
async function queries(transport: 'udp' | 'tcp'): Promise<number> {
  const metrics = await (await fetch(`${http}/metrics`)).text();
  const lines = metrics.split('\n').filter((line) => line.startsWith('healthdns_dns_requests_total{'));
  return lines
    .filter((line) => line.includes(`proto="${transport}"`))
    .reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}

test('CoreDNS forwards the cluster zone and reverse zones over UDP, and answers follow health', coredns, async (t) => {
  const { port, stop } = await startCoredns(0);
  t.after(stop);
  await healthShowsThrough(port);
  assert.deepEqual(await digAddresses(port, 'web.default.svc.cluster.local'), ['10.3.0.1']);
  assert.deepEqual(
    (await dig(port, '-x', '10.3.0.1')).answer.map((line) => line.split(' ')[1]),
    ['PTR'],
  );
  const absent = await dig(port, 'absent.default.svc.cluster.local', 'A');
  assert.deepEqual([absent.status, absent.flags.includes('aa')], ['NXDOMAIN', true]);
  assert.deepEqual(await digAddresses(port, 'many.production.local'), [...MANY].sort());
});

test('CoreDNS forwards a stub domain with force_tcp, and answers follow health', coredns, async (t) => {
  const before = await queries('tcp');
  const { port, stop } = await startCoredns(1);
  t.after(stop);
  const udpBefore = await queries('udp');
  await healthShowsThrough(port);
  assert.deepEqual(await digAddresses(port, 'many.production.local'), [...MANY].sort());
  assert.ok((await queries('tcp')) > before);
  assert.equal(await queries('udp'), udpBefore);
});

test('Unbound uses healthdns as a stub zone, and answers follow health', unbound, async (t) => {
  const [port] = await freePorts(1);
  const [text] = await documented('install.md', 'unbound');
  const configuration = text
    .replace('10.96.0.53', `127.0.0.1@${ourPort}`)
    .replace('server:', `server:\n    interface: 127.0.0.1\n    port: ${port}\n${UNBOUND_FOR_TESTS}`);
  const file = join(folder, 'unbound.conf');
  await writeFile(file, configuration);
  const { stop } = await started('unbound', ['-d', '-c', file], port);
  t.after(stop);
  await healthShowsThrough(port);
});

// No privileges, no files of the machine, no other server asked.
const UNBOUND_FOR_TESTS = `    chroot: ""
    username: ""
    directory: ""
    pidfile: ""
    use-syslog: no
    module-config: "iterator"
`;
