import assert from 'node:assert/strict';
import { test } from 'node:test';
import { queryLogEndpoints } from '../../src/http/query-log.ts';
import { silentLogger } from '../../src/log.ts';
import type { QueryLogInstead } from '../../src/plane/forward-settings.ts';

function setUp() {
  let state: { instead: QueryLogInstead; untilMs: number | undefined } = { instead: undefined, untilMs: undefined };
  const control = {
    current: () => state,
    set(instead: QueryLogInstead, seconds: number | undefined) {
      state = { instead, untilMs: seconds && seconds * 1_000 };
    },
  };
  const [get, post] = queryLogEndpoints(control, silentLogger);
  const request = { method: 'POST', rest: '', query: new URLSearchParams(), boundTo: '127.0.0.1' };
  const send = async (value: unknown, more: Record<string, string> = {}) => {
    const body = Buffer.from(typeof value === 'string' ? value : JSON.stringify(value));
    const headers = { host: '127.0.0.1:8053', 'content-type': 'application/json', ...more };
    const response = await post.handle({ ...request, headers, body });
    return { status: response.status, body: String(response.body).trim() };
  };
  return {
    send,
    state: () => state,
    show: async () => JSON.parse(String((await get.handle({ ...request, headers: {}, body: Buffer.alloc(0) })).body)),
  };
}

test('the query log is switched on, for ten minutes by default, off, and back to the configuration', async () => {
  const { send, state, show } = setUp();
  assert.deepEqual(await show(), { state: 'as configured' });
  await send({ queryLog: { names: ['Shop.Example'], rcodes: ['NXDOMAIN'], clients: ['10.0.0.0/8'] } });
  assert.deepEqual(state(), {
    instead: {
      every: 1,
      rcodes: [3],
      classes: [],
      names: ['shop.example.'],
      networks: ['10.0.0.0/8'],
      format: undefined,
    },
    untilMs: 600_000,
  });
  await send({ queryLog: true, seconds: 5 });
  assert.deepEqual([(await show()).state, (await show()).until], ['on', '1970-01-01T00:00:05.000Z']);
  await send({ queryLog: false });
  assert.deepEqual([state(), (await show()).state], [{ instead: 'off', untilMs: undefined }, 'off']);
  await send({ queryLog: null });
  assert.deepEqual(state(), { instead: undefined, untilMs: undefined });
});

test('an invalid request to the query log changes nothing and reports the problem', async () => {
  const { send, state } = setUp();
  for (const [value, expected] of [
    ['{', /not JSON/],
    [{ queryLog: 'yes' }, /expected a mapping/],
    [{ queryLog: { clients: ['nobody'] } }, /network/],
    [{ queryLog: { names: ['a..b'] } }, /a\.\.b/],
    [{ queryLog: { format: '{x}' } }, /unknown field/],
    [{ queryLog: { nmaes: [] } }, /unknown key/],
    [{ queryLog: true, seconds: 1e9 }, /seconds: expected/],
  ] as const) {
    const { status, body } = await send(value);
    assert.equal(status, 400, body);
    assert.match(body, expected);
  }
  assert.equal((await send({ queryLog: true }, { origin: 'http://evil.example' })).status, 403);
  assert.equal(state().instead, undefined);
});
