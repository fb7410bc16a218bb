// Two HTTP addresses: `http`, which everyone may reach, and `admin`.
import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, rename, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { healthdns, launcher, serving, temporaryFolder } from '../support/command.ts';
import { freePorts } from '../support/free-ports.ts';
import { requirement } from '../support/requirement.ts';
import { until } from '../support/until.ts';

const ADMIN = ['/', '/explain/api.a.local', '/cache'];

async function start(t: TestContext, config: string, ...options: string[]) {
  const folder = await temporaryFolder(t);
  const file = join(folder, 'zones.yaml');
  await writeFile(join(folder, 'token'), 'secret\n');
  await writeFile(
    file,
    `${config}\nzones: [{ name: a.local, services: [{ name: api, instances: [{ id: one, ipv4: 192.0.2.1 }] }] }]\n`,
  );
  const server = serving([file, '--listen', '127.0.0.1:0', ...options]);
  t.after(() => server.stop('SIGKILL'));
  const addressOf = async (kind: RegExp) => (await server.shows(kind))[1]!.replace('0.0.0.0', '127.0.0.1');
  return {
    server,
    folder,
    http: () => addressOf(/HTTP {2}(http:\S+)/),
    admin: () => addressOf(/admin (http:\S+)/),
  };
}

const statuses = (url: string, paths: readonly string[], headers: Record<string, string> = {}) =>
  Promise.all(paths.map(async (path) => (await fetch(`${url}${path}`, { headers })).status));

test('on a loopback address, one HTTP server has all endpoints', async (t) => {
  const { http, server } = await start(t, '', '--http', '127.0.0.1:0');
  assert.deepEqual(await statuses(await http(), ['/health', '/metrics', ...ADMIN]), [200, 200, 200, 200, 200]);
  assert.doesNotMatch(server.stdout(), /admin/);
});

test('on another address, HTTP serves only health, ready and metrics, and a log line reports it', async (t) => {
  const { http, server } = await start(t, '', '--http', '0.0.0.0:0');
  await server.shows(/only health, ready and metrics are served/);
  assert.deepEqual(await statuses(await http(), ['/health', '/ready', '/metrics', ...ADMIN]), [
    ...[200, 200, 200],
    ...[404, 404, 404],
  ]);
  const { stderr, code } = await healthdns('explain', 'api.a.local', '--http', await http());
  assert.equal(code, 1);
  assert.match(stderr, /does not explain names \(404\): is it the `admin` address/);
});

test('with `admin`, the other endpoints are served there, and `http` is safe even on loopback', async (t) => {
  const { http, admin } = await start(t, '', '--http', '127.0.0.1:0', '--admin', '127.0.0.1:0');
  assert.deepEqual(await statuses(await http(), ['/health', ...ADMIN]), [200, 404, 404, 404]);
  assert.deepEqual(await statuses(await admin(), ['/health', ...ADMIN]), [200, 200, 200, 200]);
});

test('an admin address that is not loopback without a token is rejected, also on the command line', async (t) => {
  const { server } = await start(t, '', '--admin', '0.0.0.0:0');
  await server.shows(/the admin address 0\.0\.0\.0:0 needs `adminToken`/);
  assert.equal(await server.stop(), 1);
});

test('an admin address that is not loopback requires the token, which the commands send', async (t) => {
  const { admin, folder, server } = await start(t, 'admin: 0.0.0.0:0\nadminToken: token', '--http', '127.0.0.1:0');
  const url = await admin();
  assert.deepEqual(await statuses(url, ['/health', ...ADMIN]), [200, 401, 401, 401]);
  assert.deepEqual(await statuses(url, ADMIN, { authorization: 'Bearer secret' }), [200, 200, 200]);

  const explain = ['explain', 'api.a.local', '--http', url];
  const refused = await healthdns(...explain);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /requires a token: --token-file FILE/);
  const explained = await healthdns(...explain, '--token-file', join(folder, 'token'));
  assert.match(explained.stdout, /1 of 1 instances may be answered/);
  const flushed = await healthdns('cache', 'flush', '--http', url, '--token-file', join(folder, 'token'));
  assert.equal(flushed.stdout, '0 answers flushed\n');
  await writeFile(join(folder, 'other'), 'wrong');
  const wrong = await healthdns('status', '--http', url, '--token-file', join(folder, 'other'));
  assert.match(wrong.stderr, /does not accept the token in .*other: expected the content of its `adminToken` file/);

  await writeFile(join(folder, 'token'), '');
  server.process.kill('SIGHUP');
  await server.shows(/reload failed/);
  assert.match(server.stderr(), /the file of adminToken, \S+token, cannot be read or is empty/);
  await until(async () => (await fetch(`${url}/status`)).status, 503);
  assert.match(
    (await healthdns('status', '--http', url)).stderr,
    /: the file of adminToken cannot be read, or is empty \(503\)/,
  );
});

test('a reload moves the addresses of HTTP; one that is in use changes nothing', async (t) => {
  const [first, second, admin, taken] = await freePorts(4);
  const folder = await temporaryFolder(t);
  const file = join(folder, 'zones.yaml');
  const write = (addresses: string) =>
    writeFile(file, `${addresses}\nzones: [{ name: a.local, records: [{ name: www, type: A, value: 192.0.2.1 }] }]\n`);
  await write(`http: 127.0.0.1:${first}`);
  const server = serving([file, '--listen', '127.0.0.1:0']);
  t.after(() => server.stop('SIGKILL'));
  await server.shows(/HTTP {2}http/);
  const status = (port: number, path: string) =>
    fetch(`http://127.0.0.1:${port}${path}`).then(
      (response) => response.status,
      () => 'refused',
    );
  assert.equal(await status(first, '/explain/www.a.local'), 200);

  await write(`http: 127.0.0.1:${second}\nadmin: 127.0.0.1:${admin}`);
  server.process.kill('SIGHUP');
  await server.shows(/configuration reloaded/);
  assert.deepEqual(await Promise.all([first, second, admin].map((port) => status(port, '/explain/www.a.local'))), [
    'refused',
    404,
    200,
  ]);

  const occupant = createServer().listen(taken, '127.0.0.1');
  await once(occupant, 'listening');
  t.after(() => occupant.close());
  await write(`http: 127.0.0.1:${taken}`);
  server.process.kill('SIGHUP');
  await server.shows(/address already in use.*reload failed/);
  assert.deepEqual(await Promise.all([second, admin].map((port) => status(port, '/explain/www.a.local'))), [404, 200]);
});

test(
  'with TLS, only clients with a certificate of the authority are served; renewed files take effect',
  requirement('openssl'),
  async (t) => {
    const folder = await temporaryFolder(t);
    const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: folder, stdio: 'ignore' });
    const make = (name: string) =>
      openssl(
        ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'],
        ...['-keyout', `${name}-key.pem`, '-out', `${name}.pem`, '-subj', `/CN=${name}`],
        ...['-addext', 'subjectAltName=IP:127.0.0.1'],
      );
    for (const name of ['server', 'client', 'stranger']) make(name);
    await copyFile(join(folder, 'client.pem'), join(folder, 'authority.pem'));
    const [port] = await freePorts(1);
    const tls = ['cert: server.pem', 'key: server-key.pem', 'clientCa: authority.pem'].map((one) =>
      one.replace(' ', ` ${folder}/`),
    );
    const config = `admin: { address: "0.0.0.0:${port}", tls: { ${tls.join(', ')} } }`;
    const { server } = await start(t, config, '--http', '127.0.0.1:0');
    await server.shows(new RegExp(`admin https://0\\.0\\.0\\.0:${port}`));
    const isServed = (client: string | undefined) => {
      const own = client && {
        HEALTHDNS_CERT_FILE: join(folder, `${client}.pem`),
        HEALTHDNS_KEY_FILE: join(folder, `${client}-key.pem`),
      };
      const env = { ...process.env, HEALTHDNS_CA_FILE: join(folder, 'server.pem'), ...own };
      const command = [launcher, 'explain', 'api.a.local', '--http', `https://127.0.0.1:${port}`];
      return promisify(execFile)(process.execPath, command, { env }).then(
        ({ stdout }) => /1 of 1 instances may be answered/.test(stdout),
        () => false,
      );
    };
    const clients = ['client', 'stranger', undefined];
    assert.deepEqual(await Promise.all(clients.map(isServed)), [true, false, false]);
    make('server');
    await copyFile(join(folder, 'stranger.pem'), join(folder, 'ca.pem'));
    await rename(join(folder, 'ca.pem'), join(folder, 'authority.pem'));
    server.process.kill('SIGHUP');
    await server.shows(/certificates of the admin address reloaded/);
    assert.deepEqual(await Promise.all(clients.map(isServed)), [false, true, false]);
  },
);

test('the output of a health check is shown on the admin address only, not to other HTTP clients or in DNS', async (t) => {
  const check = `healthCheck: { type: exec, command: ["CMD-SHELL", "echo password-in-a-stack-trace; exit 1"], interval: 5, retries: 1 }`;
  const folder = await temporaryFolder(t);
  const file = join(folder, 'zones.yaml');
  const service = `{ name: api, instances: [{ id: one, ipv4: 192.0.2.1, port: 80 }], ${check} }`;
  await writeFile(file, `zones: [{ name: a.local, services: [${service}] }]\n`);
  const server = serving([file, '--listen', '127.0.0.1:0', '--http', '127.0.0.1:0', '--admin', '127.0.0.1:0']);
  t.after(() => server.stop('SIGKILL'));
  const [[, dns], [, http], [, admin]] = await Promise.all([
    server.shows(/DNS {3}127\.0\.0\.1:(\d+)/),
    server.shows(/HTTP {2}(http:\S+)/),
    server.shows(/admin (http:\S+)/),
  ]);
  const printed = /password-in-a-stack-trace/;
  const explained = async () => printed.test(await (await fetch(`${admin}/explain/api.a.local`)).text());
  await until(explained, true);
  for (const path of ['/ready', '/health', '/metrics'])
    assert.doesNotMatch(await (await fetch(`${http}${path}`)).text(), printed, path);
  const { stdout } = await healthdns('query', 'api.a.local', `@127.0.0.1:${dns}`);
  assert.match(stdout, /api\.a\.local/);
  assert.doesNotMatch(stdout, printed);
});
