import assert from 'node:assert/strict';
import { test } from 'node:test';
import { operatorFact } from '../../src/health/operator-order.ts';
import { HealthSync } from '../../src/health/sync.ts';
import { drainEndpoints, type KeptIn, type Ordered } from '../../src/http/drain.ts';
import { type Logger, silentLogger } from '../../src/log.ts';
import { INSTANCE } from '../../src/registry/reference.ts';
import { createRegistry } from '../../src/registry/registry.ts';
import { fakeClock } from '../support/fake-clock.ts';
import { fakeSlots } from '../support/fake-slots.ts';
import { instance, service } from '../support/model.ts';

function setUp(keptIn: KeptIn | Error = 'pod') {
  const clock = fakeClock();
  const slots = fakeSlots();
  const registry = createRegistry(slots);
  const health = new HealthSync({ registry, slots, clock, schedule: () => {} });
  registry.replaceService(service('api', { key: 'k' }));
  registry.replaceGroup('g', 'k', [
    instance('api-1', '10.0.0.1', { hostname: 'first' }),
    instance('api-2', '10.0.0.2'),
  ]);
  const logged: string[] = [];
  const log: Logger = {
    ...silentLogger,
    warn: (message, fields) => void logged.push(`${message} ${JSON.stringify(fields)}`),
  };
  const [list, post] = drainEndpoints({
    operators: {
      async order(state, order) {
        if (keptIn instanceof Error) throw keptIn;
        const facts = order === undefined ? [] : [operatorFact(order, clock.now())];
        registry.replaceFacts(INSTANCE.format('k', state.instance.id), 'operator', facts);
        return keptIn;
      },
      subjectOf: (state) => INSTANCE.format('k', state.instance.id),
    },
    explain: (name) => ({
      name,
      owners: ['api.test', 'api.test.'].includes(name)
        ? [{ owner: 'k', isService: true, types: [], answered: [], reason: '', problems: [], slots: undefined }]
        : [],
    }),
    zones: () => [{ name: 'test.', isCluster: false }],
    registry,
    inForce: async () => health.flush(),
    now: clock.now,
    log,
  });
  const request = (body: string, more: Record<string, string> = {}, boundTo = '127.0.0.1') => ({
    ...{ method: 'POST', rest: '', query: new URLSearchParams(), boundTo, body: Buffer.from(body) },
    headers: { host: 'localhost:8053', 'content-type': 'application/json', ...more },
  });
  const send = async (value: unknown, more?: Record<string, string>, boundTo?: string) => {
    const body = typeof value === 'string' ? value : JSON.stringify(value);
    const { status, body: answer } = await post.handle(request(body, more, boundTo));
    return { status, body: String(answer).trim() };
  };
  const listed = async () => JSON.parse(String((await list.handle(request(''))).body)) as Ordered['instances'];
  return { clock, send, listed, logged };
}

const DRAIN = { name: 'api.test', instance: 'api-1', status: 'UNHEALTHY', reason: 'new disk' };

test('a drained instance is reported as left out, listed, and in the audit log, until the order is withdrawn', async () => {
  const { send, listed, logged, clock } = setUp();
  const { status, body } = await send({ ...DRAIN, seconds: 60 });
  assert.equal(status, 200);
  const { instances, until, remarks }: Ordered = JSON.parse(body);
  assert.equal(until, new Date(clock.now() + 60_000).toISOString());
  assert.deepEqual(
    instances.map(({ id, answered }) => [id, answered]),
    [['api-1', false]],
  );
  assert.deepEqual(remarks, []);
  assert.deepEqual(
    (await listed()).map(({ reason }) => reason),
    [`drained by an operator until ${until}: new disk`],
  );
  assert.match(logged[0], /^operator order .*"order":"UNHEALTHY".*"reason":"new disk".*instance\/k\/api-1/);
  const withdrawn = await send({ ...DRAIN, status: null });
  assert.equal((JSON.parse(withdrawn.body) as Ordered).instances[0].answered, true);
  assert.deepEqual((JSON.parse(withdrawn.body) as Ordered).remarks, []);
  const again = await send({ ...DRAIN, status: null });
  assert.deepEqual((JSON.parse(again.body) as Ordered).remarks, ['there was no order to withdraw']);
  assert.deepEqual(await listed(), []);
});

test('short names are completed as by explain, names with a final dot are not', async () => {
  assert.equal((await setUp().send({ ...DRAIN, name: 'api' })).status, 200);
  assert.equal((await setUp().send({ ...DRAIN, name: 'api.' })).status, 404);
  assert.equal((await setUp().send({ ...DRAIN, name: 'web' })).status, 404);
});

test('an instance is found by its id, its hostname and its address', async () => {
  for (const instance of ['api-1', 'first', '10.0.0.1']) {
    const { body } = await setUp().send({ ...DRAIN, instance });
    assert.equal((JSON.parse(body) as Ordered).instances[0].id, 'api-1', instance);
  }
});

test('unknown names and instances are 404 with what was meant', async () => {
  const { send } = setUp();
  assert.deepEqual(await send({ ...DRAIN, instance: 'api-11' }), {
    status: 404,
    body: 'api.test has no instance "api-11": did you mean api-1? It has api-1, api-2',
  });
  assert.match((await send({ ...DRAIN, name: 'other.test' })).body, /^other\.test has no instances: expected/);
});

test('malformed orders are 400 and name the key', async () => {
  const { send } = setUp();
  for (const [value, expected] of [
    ['{', /^not JSON/],
    ['[]', /^expected a JSON object/],
    [{ ...DRAIN, name: '' }, /^name: /],
    [{ ...DRAIN, instance: 7 }, /^instance: /],
    [{ ...DRAIN, status: 'UNKNOWN' }, /^status: /],
    [{ ...DRAIN, seconds: -1 }, /^seconds: /],
    [{ ...DRAIN, seconds: 1e12 }, /^seconds: /],
    [{ ...DRAIN, reason: '' }, /^reason: /],
    [{ ...DRAIN, reason: 'x'.repeat(201) }, /^reason: /],
    [{ ...DRAIN, reason: '\u001b\n' }, /^reason: /],
  ] as const) {
    const { status, body } = await send(value);
    assert.equal(status, 400, body);
    assert.match(body, expected);
  }
});

test('web pages, foreign hosts and addresses that are not loopback without a token may not order', async () => {
  const { send } = setUp();
  assert.equal((await send(DRAIN, { origin: 'http://evil.example' })).status, 403);
  assert.equal((await send(DRAIN, { host: 'evil.example' })).status, 403);
  assert.equal((await send(DRAIN, {}, '0.0.0.0')).status, 403);
  assert.equal((await send(DRAIN, { 'content-type': 'text/plain' })).status, 415);
});

test('control characters of a reason do not reach a view', async () => {
  const { send } = setUp();
  const { body } = await send({ ...DRAIN, reason: 'a\u001b[2J\nb\u202e' });
  assert.match((JSON.parse(body) as Ordered).instances[0].reason, /: a \[2J b$/);
});

test('an order that cannot be stored is 502 with the reason, and logged', async () => {
  const { send, logged } = setUp(new Error('pod shop/db-0: healthdns may not patch pods'));
  assert.deepEqual(await send(DRAIN), { status: 502, body: 'pod shop/db-0: healthdns may not patch pods' });
  assert.match(logged[0], /^operator order refused .*may not patch pods/);
});

test('the response to an order in memory warns that it is lost at a restart', async () => {
  const { body } = await setUp('memory').send(DRAIN);
  assert.match((JSON.parse(body) as Ordered).remarks.join(), /lost at a restart.*other replicas do not see it/);
});
