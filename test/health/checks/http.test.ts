import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { probeHttp } from '../../../src/health/checks/http.ts';
import { probeTcp } from '../../../src/health/checks/tcp.ts';
import { requirement } from '../../support/requirement.ts';
import { never, target } from './target.ts';

async function serve(t: TestContext, answer: RequestListener, server: Server = createServer()): Promise<number> {
  server.on('request', answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** A port that nothing listens on. */
async function closedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

test('http check: a status in the range passes, another fails with the expected range', async (t) => {
  const port = await serve(t, (request, response) => {
    response.writeHead(Number(request.url?.slice(1))).end('x'.repeat(1000));
  });
  const check = (path: string, expectedStatus?: [number, number]) =>
    probeHttp(target({ type: 'http', path, expectedStatus }, port), never());
  assert.deepEqual(await check('/200'), { passed: true, reason: '200 OK' });
  assert.deepEqual(await check('/302'), { passed: true, reason: '302 Found' });
  assert.deepEqual(await check('/503'), { passed: false, reason: '503 Service Unavailable, expected 200 to 399' });
  assert.deepEqual(await check('/204', [200, 200]), { passed: false, reason: '204 No Content, expected 200 to 200' });
});

test('http check: path and Host are sent, and the connection is not reused', async (t) => {
  const seen: unknown[] = [];
  const port = await serve(t, (request, response) => {
    seen.push([request.url, request.headers.host, request.headers.connection]);
    response.end();
  });
  await probeHttp(target({ type: 'http', path: '/health?deep=1', host: 'api.example' }, port), never());
  await probeHttp(target({ type: 'http' }, port), never());
  assert.deepEqual(seen, [
    ['/health?deep=1', 'api.example', 'close'],
    ['/', `127.0.0.1:${port}`, 'close'],
  ]);
});

test('http check: redirects are followed only if configured, and only up to a limit', async (t) => {
  const port = await serve(t, (request, response) => {
    if (request.url === '/good') response.end();
    else if (request.url === '/old') response.writeHead(301, { Location: '/good' }).end();
    else if (request.url === '/far') response.writeHead(302, { Location: `http://other.example:${port}/good` }).end();
    else response.writeHead(302, { Location: '/loop' }).end();
  });
  const check = (path: string, followRedirects: boolean) =>
    probeHttp(target({ type: 'http', path, followRedirects, expectedStatus: [200, 200] }, port), never());
  assert.equal((await check('/old', false)).passed, false);
  assert.equal((await check('/old', true)).passed, true);
  assert.equal((await check('/far', true)).passed, true);
  assert.match((await check('/loop', true)).reason, /^more than 5 redirects/);
});

test('http check: an endless body neither delays nor fails the check', async (t) => {
  const port = await serve(t, (_request, response) => {
    const pour = () => {
      while (!response.destroyed && response.write('x'.repeat(16_384)));
    };
    response.on('drain', pour);
    pour();
  });
  assert.deepEqual(await probeHttp(target({ type: 'http' }, port), never()), { passed: true, reason: '200 OK' });
});

test('http check: the connection to a silent server is closed when the check is aborted', async (t) => {
  let closed = () => {};
  const gone = new Promise<void>((resolve) => {
    closed = resolve;
  });
  const abort = new AbortController();
  const port = await serve(t, (request) => {
    request.socket.once('close', closed);
    abort.abort();
  });
  assert.equal((await probeHttp(target({ type: 'http' }, port), abort.signal)).passed, false);
  await gone;
});

test('http check: a refused connection, an invalid response and an invalid path fail with a reason', async (t) => {
  const port = await closedPort();
  assert.deepEqual(await probeHttp(target({ type: 'http' }, port), never()), {
    passed: false,
    reason: `connect ECONNREFUSED 127.0.0.1:${port}`,
  });
  const rude = await serve(t, (request) => void request.socket.end('nonsense\r\n\r\n'));
  assert.match((await probeHttp(target({ type: 'http' }, rude), never())).reason, /Parse Error/);
  assert.equal((await probeHttp(target({ type: 'http', host: 'a b' }, port), never())).passed, false);
});

test(
  'https check: any certificate is accepted unless verification is configured',
  requirement('openssl'),
  async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'healthdns-'));
    t.after(() => rmSync(folder, { recursive: true }));
    const words = '-x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN=api.example';
    const files = ['-keyout', join(folder, 'key'), '-out', join(folder, 'certificate')];
    execFileSync('openssl', ['req', ...words.split(' '), ...files], { stdio: 'ignore' });
    const key = readFileSync(join(folder, 'key'));
    const cert = readFileSync(join(folder, 'certificate'));
    const port = await serve(t, (_request, response) => void response.end(), createSecureServer({ key, cert }));
    const check = (verifyCertificate: boolean, host?: string) =>
      probeHttp(target({ type: 'https', verifyCertificate, host }, port), never());
    assert.deepEqual(await check(false), { passed: true, reason: '200 OK' });
    assert.deepEqual(await check(false, 'api.example'), { passed: true, reason: '200 OK' });
    assert.match((await check(true, 'api.example')).reason, /self-signed certificate/);
  },
);

test('tcp check: passes if the port is open and fails otherwise', async (t) => {
  const port = await serve(t, () => {});
  assert.deepEqual(await probeTcp(target({}, port), never()), {
    passed: true,
    reason: `connected to 127.0.0.1:${port}`,
  });
  const closed = await closedPort();
  assert.deepEqual(await probeTcp(target({}, closed), never()), {
    passed: false,
    reason: `connect ECONNREFUSED 127.0.0.1:${closed}`,
  });
  assert.equal((await probeTcp(target({}, 0), never())).passed, false);
  assert.equal((await probeTcp(target({}, port), AbortSignal.abort())).passed, false);
});

test('the reason of a check is one line, even if the system reports more', async (t) => {
  const port = await serve(t, (_, response) => response.end());
  const { passed, reason } = await probeHttp(target({ type: 'https', path: '/' }, port), never());
  assert.equal(passed, false);
  assert.match(reason, /^\S[^\n]*wrong version number[^\n]*\S$/);
});
