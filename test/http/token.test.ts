import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Endpoint, type HttpResponse, text } from '../../src/http/endpoint.ts';
import { createTokenCheck, withToken } from '../../src/http/token.ts';
import { fakeClock } from '../support/fake-clock.ts';

const asked = (authorization?: string, method = 'GET') => ({
  method,
  headers: authorization === undefined ? {} : { authorization },
});
const bearer = (token: string) => asked(`Bearer ${token}`);

test('the admin token is accepted, anything else is 401', () => {
  const check = createTokenCheck(() => 'secret', fakeClock());
  assert.equal(check(bearer('secret')), undefined);
  assert.equal(check(asked('bearer  secret')), undefined);
  for (const authorization of [
    '',
    'secret',
    'Basic secret',
    'Bearer',
    'Bearer secret x',
    'Bearer secre',
    'Bearer Secret',
  ])
    assert.equal(check(asked(authorization))?.status, 401, authorization);
  assert.equal(check(asked('', 'POST'))?.headers?.['www-authenticate'], 'Bearer');
});

test('browsers give the token as a password, which reads but never writes', () => {
  const check = createTokenCheck(() => 'secret', fakeClock());
  assert.match(check(asked())?.headers?.['www-authenticate'] ?? '', /^Basic realm=/);
  const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`;
  for (const text of [':secret', 'admin:secret']) assert.equal(check(asked(basic(text))), undefined, text);
  for (const text of ['secret', 'secret:', 'secret:x', ':Secret', ''])
    assert.equal(check(asked(basic(text)))?.status, 401, text);
  assert.equal(check(asked(basic(':secret'), 'POST'))?.status, 401);
});

test('wrong tokens are 429 after ten in a second, while the right one is always accepted', async () => {
  const clock = fakeClock();
  const check = createTokenCheck(() => 'secret', clock);
  const statuses = Array.from({ length: 12 }, () => check(bearer('guess'))?.status);
  assert.deepEqual(statuses, [...Array(10).fill(401), 429, 429]);
  assert.equal(check(bearer('secret')), undefined);
  await clock.advance(1_000);
  assert.equal(check(bearer('guess'))?.status, 401);
});

test('a replaced token takes effect within a second', async () => {
  const clock = fakeClock();
  let token: string | undefined = 'old';
  const check = createTokenCheck(() => token, clock);
  assert.equal(check(bearer('old')), undefined);
  token = 'new';
  await clock.advance(1_000);
  assert.equal(check(bearer('old'))?.status, 401);
  assert.equal(check(bearer('new')), undefined);
});

test('without a readable token no request is accepted', async () => {
  for (const token of [undefined, '']) {
    const check = createTokenCheck(() => token, fakeClock());
    assert.equal(check(bearer(''))?.status, 503);
    assert.equal(check(bearer('undefined'))?.status, 503);
    assert.equal(check(asked())?.status, 503);
  }
});

test('an endpoint behind the token only sees authenticated requests', async () => {
  const seen: (boolean | undefined)[] = [];
  const endpoint: Endpoint = {
    path: '/x',
    methods: ['GET'],
    handle(request) {
      seen.push(request.isAuthenticated);
      return text(200, 'fine');
    },
  };
  const { handle } = withToken(
    endpoint,
    createTokenCheck(() => 'secret', fakeClock()),
  );
  const ask = async (given: ReturnType<typeof asked>) => {
    const request = {
      ...given,
      rest: '',
      query: new URLSearchParams(),
      boundTo: '::',
      body: Buffer.alloc(0),
    };
    const response: HttpResponse = await handle(request);
    return response.status;
  };
  assert.deepEqual([await ask(bearer('secret')), await ask(asked()), await ask(bearer('x'))], [200, 401, 401]);
  assert.deepEqual(seen, [true]);
});
