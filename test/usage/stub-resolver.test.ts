// First way of use: the resolver of a machine. The C library and Node ask healthdns on port 53, by the resolv.conf of
// docs/install.md, in a namespace of its own; healthdns has the privileges of its pod: none.
import assert from 'node:assert/strict';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { repository } from '../support/command.ts';
import { documented } from '../support/documented.ts';
import { requirement } from '../support/requirement.ts';
import { type ResolverNamespace, resolverNamespace } from '../support/resolver-namespace.ts';
import { temporary } from '../support/temporary.ts';
import { until } from '../support/until.ts';

const options = requirement('linux', 'network-namespace', 'ip');
const MANY = Array.from({ length: 150 }, (_, i) => `10.9.0.${i + 1}`);
let folder: string;
let inside: ResolverNamespace;

before(async () => {
  if (options.skip !== false) return;
  folder = await temporary();
  const [resolvConf] = await documented('install.md', 'resolv.conf');
  inside = await resolverNamespace(folder, resolvConf.replace('10.96.0.53', '127.0.0.1'));
  const instances = MANY.map((ipv4, i) => `          - { id: many-${i}, ipv4: ${ipv4} }\n`).join('');
  await writeFile(
    join(folder, 'zones.yaml'),
    `listen: ["127.0.0.1:53", "[::1]:53"]
http: 127.0.0.1:8053
forward: 127.0.0.2
zones:
  - name: cluster.local
    names: ["{service}.{namespace}.svc"]
    services:
      - name: api
        namespace: default
        healthCheck:
          type: exec
          command: [CMD-SHELL, "test -e '${folder}'/$HEALTHDNS_INSTANCE_ID"]
          interval: 1
          timeout: 60 # on a busy machine a healthy instance stays healthy
          retries: 1
        instances:
          - { id: api-1, ipv4: 10.1.0.1, ipv6: "fd00::1" }
          - { id: api-2, ipv4: 10.1.0.2, ipv6: "fd00::2" }
      - name: billing
        namespace: payments
        instances: [{ id: billing-1, ipv4: 10.2.0.1 }]
      - name: many
        namespace: default
        instances:
${instances}`,
  );
  // The world outside the cluster.
  await writeFile(
    join(folder, 'outside.yaml'),
    `listen: 127.0.0.2:53
http: false
zones: [{ name: example.org, records: [{ name: www, type: A, value: 192.0.2.80 }] }]
templates: [{ rcode: NXDOMAIN }]
`,
  );
  for (const id of ['api-1', 'api-2']) await writeFile(join(folder, id), '');
  await inside.run({}, 'sh', '-c', 'echo 0 >/proc/sys/net/ipv4/ip_unprivileged_port_start');
  for (const file of ['outside.yaml', 'zones.yaml']) unprivileged(file);
  await until(() => getent('api'), ['10.1.0.1', '10.1.0.2', 'fd00::1', 'fd00::2']);
  await until(() => getent('www.example.org'), ['192.0.2.80']);
});
after(async () => {
  await inside?.stop();
  if (folder !== undefined) await rm(folder, { recursive: true, force: true });
});

/** healthdns without any capability, as in its pod. */
function unprivileged(file: string): void {
  const nothing = ['--bounding-set', '-all', '--inh-caps', '-all', '--no-new-privs'];
  const launcher = join(repository, 'bin/healthdns');
  inside.start('setpriv', ...nothing, process.execPath, launcher, 'serve', join(folder, file), '--log-level', 'warn');
}

/** What the C library's getaddrinfo finds; [] where it finds nothing. */
async function getent(name: string, environment = {}, database = 'ahosts'): Promise<string[]> {
  const output = await inside.run(environment, 'getent', database, name).catch((error: { code: number }) => {
    if (error.code !== 2) throw error; // 2: not found
    return '';
  });
  const addresses = output.split('\n').filter((line) => line.includes('STREAM'));
  return addresses.map((line) => line.split(/\s+/)[0]).sort();
}

/** What Node's dns.lookup finds, which asks the C library from a thread; or its error code. */
async function lookup(name: string): Promise<string[]> {
  const script = `require('dns').lookup(process.argv[1], { all: true }, (error, found) =>
    console.log(JSON.stringify(error ? [error.code] : found.map(({ address }) => address))))`;
  return JSON.parse(await inside.run({}, process.execPath, '-e', script, name)).sort();
}

test('getent finds a service by its short name through the search list', options, async () => {
  assert.deepEqual(await getent('api'), ['10.1.0.1', '10.1.0.2', 'fd00::1', 'fd00::2']);
  assert.deepEqual(await getent('api', {}, 'ahostsv6'), ['fd00::1', 'fd00::2']);
  assert.deepEqual(await getent('billing.payments'), ['10.2.0.1']);
  assert.deepEqual(await getent('billing'), []);
});

test('getent finds full names, with fewer dots than ndots and with a trailing dot', options, async () => {
  assert.deepEqual(await getent('billing.payments.svc.cluster.local'), ['10.2.0.1']);
  assert.deepEqual(await getent('billing.payments.svc.cluster.local.'), ['10.2.0.1']);
  assert.deepEqual(await getent('absent.payments.svc.cluster.local'), []);
});

test('an external name goes through the search list and is forwarded', options, async () => {
  assert.deepEqual(await getent('www.example.org'), ['192.0.2.80']);
  assert.deepEqual(await getent('absent.example.org'), []);
});

test('getent gets 150 addresses, which do not fit into UDP, over TCP', options, async () => {
  assert.deepEqual(await getent('many', {}, 'ahostsv4'), [...MANY].sort());
  assert.deepEqual(await getent('api', { RES_OPTIONS: 'use-vc' }, 'ahostsv4'), ['10.1.0.1', '10.1.0.2']);
  assert.deepEqual(await getent('api', { RES_OPTIONS: 'edns0' }, 'ahostsv4'), ['10.1.0.1', '10.1.0.2']);
});

test('Node’s dns.lookup finds the same addresses as getent', options, async () => {
  assert.deepEqual(await lookup('api'), ['10.1.0.1', '10.1.0.2', 'fd00::1', 'fd00::2']);
  assert.deepEqual(await lookup('www.example.org'), ['192.0.2.80']);
  assert.deepEqual(await lookup('absent'), ['ENOTFOUND']);
});

test('an instance that becomes unhealthy is not found until it is healthy again', options, async () => {
  await rm(join(folder, 'api-1'));
  await until(() => getent('api'), ['10.1.0.2', 'fd00::2']);
  assert.deepEqual(await lookup('api'), ['10.1.0.2', 'fd00::2']);
  await rm(join(folder, 'api-2'));
  await until(() => getent('api'), []);
  await writeFile(join(folder, 'api-1'), '');
  await until(() => getent('api'), ['10.1.0.1', 'fd00::1']);
});
