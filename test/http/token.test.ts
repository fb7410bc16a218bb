import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Endpoint, type HttpResponse, text } from '../../src/http/endpoint.ts';
import { createTokenCheck, withToken } from '../../src/http/token.ts';
import { fakeClock } from '../support/fake-clock.ts';

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

test('the admin token is accepted, anything else is 401', () => {
  const check = createTokenCheck(() => 'secret', fakeClock());
  assert.equal(check(bearer('secret')), undefined);
  assert.equal(check({ authorization: 'bearer  secret' }), undefined);
  for (const authorization of [
    '',
    'secret',
    'Basic secret',
    'Bearer',
    'Bearer secret x',
    'Bearer secre',
    'Bearer Secret',
  ])
    assert.equal(check({ authorization })?.status, 401, authorization);
  assert.equal(check({})?.headers?.['www-authenticate'], 'Bearer');
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
    assert.equal(check({})?.status, 503);
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
  const ask = async (headers: Record<string, string>) => {
    const request = {
      method: 'GET',
      rest: '',
      query: new URLSearchParams(),
      headers,
      boundTo: '::',
      body: Buffer.alloc(0),
    };
    const response: HttpResponse = await handle(request);
    return response.status;
  };
  assert.deepEqual([await ask(bearer('secret')), await ask({}), await ask(bearer('x'))], [200, 401, 401]);
  assert.deepEqual(seen, [true]);
});
