import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { healthdns, launcher, repository, type Serving, serving, temporaryFolder } from '../support/command.ts';
import { freePort } from '../support/free-ports.ts';
import { requirement } from '../support/requirement.ts';
import { until } from '../support/until.ts';

const LOCAL = ['--listen', '127.0.0.1:0', '--http', '127.0.0.1:0'];
const zone = (address: string) =>
  `zones:\n  - name: a.local\n    records: [{ name: www, type: A, value: ${address} }]\n`;

/** Starts `serve` on free ports and waits until it says where; stopped after the test. */
async function start(t: TestContext, args: readonly string[]) {
  const server = serving(args);
  t.after(() => server.stop('SIGKILL'));
  const [, dns] = await server.shows(/DNS {3}127\.0\.0\.1:(\d+)/);
  const [, http] = await server.shows(/HTTP {2}(http:\S+)/);
  return { server, dns: Number(dns), http };
}

async function startFile(t: TestContext, content: string, ...more: string[]) {
  const file = join(await temporaryFolder(t), 'zones.yaml');
  await writeFile(file, content);
  return { file, ...(await start(t, [file, ...LOCAL, ...more])) };
}

const addresses = async (name: string, port: number, ...more: string[]) => {
  const { stdout } = await healthdns('query', name, `@127.0.0.1:${port}`, '--short', ...more);
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .sort();
};

async function logged(server: Serving, message: string) {
  await server.shows(new RegExp(`"message":"${message}"`));
  return server
    .stderr()
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line));
}

/** zones.example.yaml with the HTTP port exchanged for a free one: its health checks ask that port. */
async function startExample(t: TestContext) {
  const port = await freePort();
  const example = (await readFile(join(repository, 'zones.example.yaml'), 'utf8')).replaceAll('8053', String(port));
  const file = join(await temporaryFolder(t), 'zones.yaml');
  await writeFile(file, example);
  const running = await start(t, [file, '--listen', '127.0.0.1:0']);
  await running.server.shows(/Health after the first checks/);
  return running;
}

test('the example answers only api-1 and api-2 over UDP and TCP, and explains why', async (t) => {
  const { server, dns, http } = await startExample(t);
  assert.deepEqual(await addresses('api.production.local', dns), ['127.0.0.1', '127.0.0.2']);
  assert.deepEqual(await addresses('api.production.local', dns, '--tcp'), ['127.0.0.1', '127.0.0.2']);
  assert.match(server.stdout(), /api\.production\.local\. answers api-1, api-2\n {4}left out: api-3, UNHEALTHY/);
  assert.match(server.stdout(), /^Try: {2}dig @127\.0\.0\.1 -p \d+ api\.production\.local$/m);
  const { code, stdout } = await healthdns('explain', 'api.production.local', '--http', http);
  assert.equal(code, 0);
  assert.match(stdout, /OUT api-3 \(127\.0\.0\.3\) UNHEALTHY\n.*rule unhealthy: .*ECONNREFUSED/);
  const unknown = await healthdns('explain', 'nothing.production.local', '--http', http, '--json');
  assert.deepEqual([unknown.code, JSON.parse(unknown.stdout).exists], [3, 'absent']);
  const root = await healthdns('explain', '.', '--http', http);
  assert.match(root.stdout, /^\.\n.*REFUSED: not in a zone of this server/s);
});

test('the metrics exposition contains each series once, under a single HELP and TYPE', async (t) => {
  const { dns, http } = await startExample(t);
  await addresses('api.production.local', dns);
  const lines = (await (await fetch(`${http}/metrics`)).text()).trimEnd().split('\n');
  assert.deepEqual(repeatedSeries(lines), []);
  assert.ok(lines.includes('healthdns_instances{zone="production.local.",status="UNHEALTHY",answered="false"} 1'));
  assert.ok(lines.some((line) => /^healthdns_dns_responses_total\{rcode="NOERROR",by="own"\} [1-9]/.test(line)));
});

function repeatedSeries(lines: readonly string[]): string[] {
  const series = lines.map((line) =>
    line.startsWith('#') ? line.split(' ', 3).join(' ') : line.replace(/ [^ ]+$/, ''),
  );
  return series.filter((one, index) => series.indexOf(one) !== index);
}

test('two zones of one cluster have separate series', async (t) => {
  const kubernetes = (more: string) => `kubernetes: { kubeconfig: kc${more} }`;
  const zones = `zones:
  - { name: cluster.local, ${kubernetes('')} }
  - { name: clusterset.local, ${kubernetes(', multicluster: true')} }
`;
  const { http } = await startFile(t, zones);
  const lines = (await (await fetch(`${http}/metrics`)).text()).trimEnd().split('\n');
  assert.deepEqual(repeatedSeries(lines), []);
  assert.ok(lines.includes('healthdns_source_synced{source="kubernetes/kc/clusterset.local"} 0'));
});

test('dig gets the expected answers from the example', requirement('dig'), async (t) => {
  const { dns } = await startExample(t);
  const dig = async (...words: string[]) => {
    const { stdout } = await promisify(execFile)('dig', ['@127.0.0.1', '-p', String(dns), '+short', ...words]);
    return stdout.trimEnd().split('\n').sort();
  };
  assert.deepEqual(await dig('api.production.local'), ['127.0.0.1', '127.0.0.2']);
  assert.deepEqual(await dig('www.production.local'), ['127.0.0.1', '127.0.0.2', 'api.production.local.']);
  assert.deepEqual(await dig('web.production.local', 'AAAA'), ['2001:db8::10', '2001:db8::11']);
  assert.equal((await dig('billing.payments.production.local')).length, 1);
  assert.deepEqual(await dig('any.preview.production.local', '+tcp'), ['192.0.2.80', '192.0.2.81']);
});

test('SIGTERM and SIGINT stop the server with exit code 0', async (t) => {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    const { server } = await startFile(t, zone('192.0.2.1'));
    assert.equal(await server.stop(signal), 0);
    assert.equal(server.stderr(), '');
  }
});

test('during shutdown health is 503 and queries are answered; a second signal exits immediately', async (t) => {
  const { server, dns, http } = await startFile(t, `server: { lameduckSeconds: 300 }\n${zone('192.0.2.1')}`);
  assert.equal((await fetch(`${http}/health`)).status, 200);
  server.process.kill('SIGTERM');
  await logged(server, 'stopping after the lameduck time');
  assert.equal((await fetch(`${http}/health`)).status, 503);
  assert.equal((await fetch(`${http}/ready`)).status, 503);
  assert.deepEqual(await addresses('www.a.local', dns), ['192.0.2.1']);
  // One that comes right after the first is taken for the same (npm passes on what its child has had already).
  const again = setInterval(() => server.process.kill('SIGTERM'), 100);
  await once(server.process, 'close');
  clearInterval(again);
  assert.equal(server.process.exitCode, 1);
});

test('SIGHUP reloads the file; an invalid file is logged, counted, and changes nothing', async (t) => {
  const { server, file, dns, http } = await startFile(t, zone('192.0.2.1'));
  await writeFile(file, 'zones: [{ name: a.local, recods: [] }]');
  server.process.kill('SIGHUP');
  const lines = await logged(server, 'the current configuration stays in effect');
  assert.match(JSON.stringify(lines), /zones\.yaml:1:\d+: .*recods/);
  assert.deepEqual(await addresses('www.a.local', dns), ['192.0.2.1']);
  const refused = /in force since \S+\nconfiguration \S+ refused at \S+:\n {2}\S+zones\.yaml:1:\d+: .*recods/;
  assert.match(await (await fetch(`${http}/ready`)).text(), refused);
  assert.match(await (await fetch(`${http}/`)).text(), /refused at/);
  const explained = await healthdns('explain', '--config', '--http', http);
  assert.match(explained.stdout, refused);
  assert.equal(explained.code, 1);

  // A kubeconfig that cannot be used is a mistake of the file that names it.
  await writeFile(join(dirname(file), 'kc'), '');
  await writeFile(file, `${zone('192.0.2.1')}  - { name: b.local, kubernetes: { kubeconfig: kc } }\n`);
  server.process.kill('SIGHUP');
  await server.shows(/kc is empty/);

  await writeFile(
    file,
    `${zone('192.0.2.2')}  - name: b.local\n    records: [{ name: "@", type: A, value: 192.0.2.3 }]\n`,
  );
  server.process.kill('SIGHUP');
  await logged(server, 'configuration reloaded');
  assert.deepEqual(await addresses('www.a.local', dns), ['192.0.2.2']);
  assert.deepEqual(await addresses('b.local', dns), ['192.0.2.3']);
  assert.equal((await healthdns('explain', '--config', '--http', http)).code, 0);
  const metrics = await (await fetch(`${http}/metrics`)).text();
  assert.match(metrics, /^healthdns_reloads_total\{result="refused"\} 2$/m);
  assert.match(metrics, /^healthdns_config_reload_failed_total 2$/m);
  assert.match(metrics, /^healthdns_config_hash\{hash="[0-9a-f]{16}"\} 1$/m);
  assert.match(metrics, /^healthdns_reloads_total\{result="ok"\} 1$/m);
});

test('a reload that adds an unreachable cluster leaves the replica ready and names the cluster', async (t) => {
  const { server, file, http } = await startFile(t, zone('192.0.2.1'));
  const ready = async () => {
    const response = await fetch(`${http}/ready`);
    return [response.status, await response.text()] as const;
  };
  assert.match(
    (await ready()).join(' '),
    /^200 OK\nconfiguration [0-9a-f]{16} of \S+zones\.yaml, in force since \S+\n$/,
  );
  await writeFile(file, `${zone('192.0.2.1')}  - { name: far.local, kubernetes: { kubeconfig: absent } }\n`);
  server.process.kill('SIGHUP');
  await logged(server, 'configuration reloaded');
  const [status, body] = await ready();
  assert.equal(status, 200);
  assert.match(body, /^OK\nkubernetes\/absent \(far\.local\.\): /);
  const metrics = await (await fetch(`${http}/metrics`)).text();
  assert.match(metrics, /^healthdns_source_synced\{source="kubernetes\/absent"\} 0$/m);

  // A replica that starts with this file has never said that it is ready.
  const fresh = await start(t, [file, ...LOCAL]);
  assert.equal((await fetch(`${fresh.http}/ready`)).status, 503);
  await writeFile(file, `${zone('192.0.2.1')}  - { name: far.local, kubernetes: { kubeconfig: other } }\n`);
  fresh.server.process.kill('SIGHUP');
  await logged(fresh.server, 'configuration reloaded');
  assert.equal((await fetch(`${fresh.http}/ready`)).status, 503);
});

test('a reload removes deleted services and zones', async (t) => {
  const service = (name: string) => `      - { name: ${name}, instances: [{ id: one, ipv4: 192.0.2.9 }] }\n`;
  const zones = (...services: string[]) =>
    `zones:\n  - name: a.local\n    services:\n${services.map(service).join('')}`;
  const { server, file, dns } = await startFile(t, `${zones('x', 'y')}  - { name: b.local }\n`);
  await writeFile(file, zones('y', 'z'));
  server.process.kill('SIGHUP');
  await logged(server, 'configuration reloaded');
  assert.deepEqual(await addresses('x.a.local', dns), []);
  assert.deepEqual(await addresses('y.a.local', dns), ['192.0.2.9']);
  assert.deepEqual(await addresses('z.a.local', dns), ['192.0.2.9']);
  assert.equal((await healthdns('query', 'b.local', `@127.0.0.1:${dns}`)).code, 1);
});

test('with --watch, a replaced file is reloaded', async (t) => {
  const { server, file, dns } = await startFile(t, zone('192.0.2.1'), '--watch');
  await writeFile(`${file}.new`, zone('192.0.2.2'));
  await rename(`${file}.new`, file);
  await logged(server, 'configuration reloaded');
  assert.deepEqual(await addresses('www.a.local', dns), ['192.0.2.2']);
});

test('with --watch, a changed zone file is reloaded, also one that was refused', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'serve-'));
  t.after(() => rm(folder, { recursive: true }));
  const db = join(folder, 'db.a');
  await writeFile(db, '@ SOA ns h 1 2 3 4 5\nwww A 192.0.2.1\n');
  const { server, dns } = await startFile(t, `zones: [{ name: a.local, file: ${db} }]\n`, '--watch');
  assert.deepEqual(await addresses('www.a.local', dns), ['192.0.2.1']);
  await writeFile(db, '@ SOA ns h 2 2 3 4 5\nwww A 192.0.2\n');
  await logged(server, 'configuration refused');
  assert.deepEqual(await addresses('www.a.local', dns), ['192.0.2.1']);
  await writeFile(db, '@ SOA ns h 2 2 3 4 5\nwww A 192.0.2.2\n');
  await logged(server, 'configuration reloaded');
  assert.deepEqual(await addresses('www.a.local', dns), ['192.0.2.2']);
});

test('with --watch, included files are reloaded when they change, appear and vanish', async (t) => {
  const folder = await temporaryFolder(t);
  const included = (name: string) => join(folder, 'custom', `${name}.yaml`);
  const other = (name: string, address: string) => zone(address).replace('a.local', `${name}.local`);
  const file = join(folder, 'zones.yaml');
  await mkdir(join(folder, 'custom'));
  await writeFile(file, `include: custom/*.yaml\n${zone('192.0.2.1')}`);
  await writeFile(included('b'), other('b', '192.0.2.2'));
  const { server, dns } = await start(t, [file, ...LOCAL, '--watch']);
  const reloaded = () => server.stderr().split('"message":"configuration reloaded"').length - 1;
  assert.deepEqual(await addresses('www.b.local', dns), ['192.0.2.2']);
  await writeFile(included('b'), other('b', '192.0.2.3'));
  await until(reloaded, 1);
  assert.deepEqual(await addresses('www.b.local', dns), ['192.0.2.3']);
  await writeFile(`${included('c')}.new`, other('c', '192.0.2.4'));
  await rename(`${included('c')}.new`, included('c'));
  await until(reloaded, 2);
  assert.deepEqual(await addresses('www.c.local', dns), ['192.0.2.4']);
  await rm(included('b'));
  await until(reloaded, 3);
  assert.deepEqual(await addresses('www.b.local', dns), []);
  // A link that leads nowhere is refused, and the server stays.
  await symlink('absent', included('d'));
  const lines = await logged(server, 'configuration refused');
  assert.match(String(lines.find(({ problem }) => problem !== undefined).problem), /d\.yaml:1:1: cannot read the file/);
  assert.deepEqual(await addresses('www.c.local', dns), ['192.0.2.4']);
});

test('external names are forwarded, cached, listed and flushed', async (t) => {
  const lasting = zone('192.0.2.1').replace('records:', 'ttlSeconds: 3600\n    records:');
  const upstream = await startFile(t, lasting);
  const { dns, http } = await startFile(t, `forward: 127.0.0.1:${upstream.dns}\nzones: [{ name: own.local }]\n`);
  assert.deepEqual(await addresses('www.a.local', dns), ['192.0.2.1']);
  await upstream.server.stop();
  assert.deepEqual(await addresses('www.a.local', dns), ['192.0.2.1']);
  const listed = await healthdns('cache', 'list', '--http', http);
  assert.match(listed.stdout, /^www\.a\.local\.\t\d+\tA\t/m);
  const refusals = [
    ['POST', 'cache/flush?nmae=www.a.local'],
    ['POST', 'cache/flush?name=a.local&name=b.local'],
    ['POST', 'cache/flush?name=a.local&below=b.local'],
    ['GET', 'cache?limit=abc'],
    ['GET', 'cache?limti=1'],
  ].map(async ([method, path]) => {
    const response = await fetch(new URL(path, http), { method, headers: { 'content-type': 'application/json' } });
    return response.status;
  });
  assert.deepEqual(await Promise.all(refusals), [400, 400, 400, 400, 400]);
  assert.equal((await healthdns('cache', 'flush', '--below', '--http', http)).code, 2);
  const flushed = await healthdns('cache', 'flush', 'www.a.local', '--http', http);
  assert.deepEqual([flushed.code, flushed.stdout], [0, '1 answer flushed\n']);
  assert.equal((await healthdns('cache', 'list', '--http', http)).stdout, '');
});

test('an address in use yields one line that names it, and exit code 1', async (t) => {
  const file = join(await temporaryFolder(t), 'zones.yaml');
  await writeFile(file, zone('192.0.2.1'));
  const tcp = createServer().listen(0, '127.0.0.1');
  await once(tcp, 'listening');
  t.after(() => tcp.close());
  const { port } = tcp.address() as { port: number };
  const udp = createSocket('udp4').bind(0, '127.0.0.1');
  await once(udp, 'listening');
  t.after(() => udp.close());

  for (const args of [
    ['--listen', `127.0.0.1:${port}`, '--http', '127.0.0.1:0'],
    ['--listen', `127.0.0.1:${udp.address().port}`, '--http', '127.0.0.1:0'],
    ['--listen', '127.0.0.1:0', '--http', `127.0.0.1:${port}`],
  ]) {
    const { code, stderr } = await healthdns('serve', file, ...args);
    assert.equal(code, 1);
    assert.match(stderr, /^healthdns: [^\n]*127\.0\.0\.1:\d+[^\n]*in use[^\n]*\n$/);
  }
});

test('without its API server, the server answers its other zones and /ready names the missing source', async (t) => {
  const kubeconfig = join(await temporaryFolder(t), 'kubeconfig');
  await writeFile(
    kubeconfig,
    JSON.stringify({
      clusters: [{ name: 'c', cluster: { server: 'http://127.0.0.1:9' } }],
      contexts: [{ name: 'gone', context: { cluster: 'c', user: 'u' } }],
      users: [{ name: 'u', user: {} }],
      'current-context': 'gone',
    }),
  );
  const kubernetes = `  - name: cluster.local\n    kubernetes: { kubeconfig: ${kubeconfig}, context: gone }\n`;
  const { server, dns, http } = await startFile(t, zone('192.0.2.1') + kubernetes, '--log-level', 'silent');
  assert.deepEqual(await addresses('www.a.local', dns), ['192.0.2.1']);
  const ready = await fetch(`${http}/ready`);
  assert.equal(ready.status, 503);
  assert.match(await ready.text(), /^not ready\nkubernetes\/gone \(cluster\.local\.\): /);
  const { code, stdout } = await healthdns('query', 'x.default.svc.cluster.local', `@127.0.0.1:${dns}`);
  assert.equal(code, 1);
  assert.match(stdout, /SERVFAIL/);
  assert.match(stdout, /EDE: 14/);
  assert.equal(await server.stop(), 0);
});

test('at start-up a file descriptor limit that is too low for the configured limits is a warning', async (t) => {
  const file = join(await temporaryFolder(t), 'zones.yaml');
  await writeFile(file, zone('192.0.2.1'));
  const command = `ulimit -n 512; exec '${process.execPath}' '${launcher}' serve '${file}' ${LOCAL.join(' ')}`;
  const server = spawn('sh', ['-c', command], { stdio: ['ignore', 'ignore', 'pipe'] });
  t.after(() => server.kill('SIGKILL'));
  let log = '';
  server.stderr.setEncoding('utf8').on('data', (text) => {
    log += text;
  });
  await until(() => /need up to \d+ file descriptors, but the process may open 512/.test(log), true);
});

test('a pushed status is answered by DNS as soon as the push is acknowledged', async (t) => {
  const { dns, http } = await startFile(
    t,
    `zones:
  - name: a.local
    services:
      - name: api
        externalHealth: { sources: [{ name: deployer }] }
        instances: [{ id: one, ipv4: 192.0.2.1 }, { id: two, ipv4: 192.0.2.2 }]
`,
  );
  const push = { zone: 'a.local', service: 'api', instance: 'one', source: 'deployer', status: 'UNHEALTHY' };
  const headers = { 'content-type': 'application/json' };
  const pushed = await fetch(`${http}/external-health`, { method: 'POST', headers, body: JSON.stringify(push) });
  assert.equal(pushed.status, 204);
  assert.deepEqual(await addresses('api.a.local', dns), ['192.0.2.2']);
});
