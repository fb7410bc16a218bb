import assert from 'node:assert/strict';
import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { test } from 'node:test';
import { refusalOfWrite } from '../../src/http/writes.ts';
import { repository, serving } from '../support/command.ts';

const example = join(repository, 'zones.example.yaml');

const from = (headers: Record<string, string>, boundTo = '127.0.0.1') => ({ headers, boundTo });

test('only hosts that belong to the address itself are accepted', () => {
  for (const host of ['127.0.0.1', '127.0.0.1:8053', '[::1]:8053', 'localhost', 'LOCALHOST:1', '10.0.0.1:8053'])
    assert.equal(refusalOfWrite(from({ host }), 'anyone'), undefined, host);
  for (const host of ['', 'example.com', 'localhost.example', '127.0.0.1.example:8053', '[::1', '1.2.3', 'localhost:x'])
    assert.match(refusalOfWrite(from({ host }), 'anyone') ?? '', /^the Host header/, host);
});

test('a header that only browsers send leads to rejection, whatever its value, signed or not', () => {
  for (const header of ['origin', 'sec-fetch-site'])
    for (const access of ['anyone', 'loopback', 'signed'] as const)
      assert.match(refusalOfWrite(from({ host: 'localhost', [header]: 'same-origin' }), access) ?? '', /web pages/);
});

test('an unsigned write requires a loopback address', () => {
  const host = '127.0.0.1:8053';
  for (const boundTo of ['127.0.0.1', '127.8.0.1', '::1'])
    assert.equal(refusalOfWrite(from({ host }, boundTo), 'loopback'), undefined);
  for (const boundTo of ['0.0.0.0', '::', '10.0.0.1', '1::1', '12.7.0.1'])
    assert.match(refusalOfWrite(from({ host }, boundTo), 'loopback') ?? '', /require a loopback address/, boundTo);
});

test('a signature covers the Host header, so a signed write may use any name', () => {
  assert.equal(refusalOfWrite(from({ host: 'cloudmap.prod.svc' }, '0.0.0.0'), 'signed'), undefined);
});

test('without a token, operator endpoints reject requests for a foreign host name', async (t) => {
  const server = serving([example, '--listen', '127.0.0.1:0', '--http', '127.0.0.1:0']);
  t.after(() => server.stop());
  const [, port] = await server.shows(/HTTP {2}http:\/\/127\.0\.0\.1:(\d+)/);
  const status = async (path: string, host: string) => {
    const request = get({ host: '127.0.0.1', port, path, headers: { host } });
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    response.resume();
    return response.statusCode;
  };
  for (const path of ['/', '/services', '/explain/api.production.local', '/status', '/config', '/top', '/cache'])
    assert.deepEqual(
      [await status(path, `rebound.example:${port}`), await status(path, `localhost:${port}`)],
      [403, 200],
      path,
    );
  for (const path of ['/health', '/metrics']) assert.equal(await status(path, 'monitoring.example'), 200, path);
});
