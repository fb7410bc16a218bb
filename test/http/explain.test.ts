import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createConfigInForce } from '../../src/config/in-force.ts';
import { HealthSync } from '../../src/health/sync.ts';
import { createHistory } from '../../src/history/history.ts';
import { createCensus } from '../../src/http/census.ts';
import type { HttpRequest, HttpResponse } from '../../src/http/endpoint.ts';
import { explainChain, explainEndpoint, explainName } from '../../src/http/explain.ts';
import { explanationText } from '../../src/http/explanation-text.ts';
import { overviewOf } from '../../src/http/overview.ts';
import { statusEndpoint } from '../../src/http/status.ts';
import { createRegistry } from '../../src/registry/registry.ts';
import { createStatusBoard } from '../../src/sources/status.ts';
import type { NameExplanation } from '../../src/zone/explain/explain.ts';
import type { OwnerExplanation } from '../../src/zone/explain/explain-owner.ts';
import { fakeClock } from '../support/fake-clock.ts';
import { fakeSlots } from '../support/fake-slots.ts';
import { fact, instance, POLICY, service } from '../support/model.ts';

const API = 'static/test.local./default/api';
const FOUND = { zone: 'test.local.', ready: true, stale: false, filledBy: ['test.local.'] };
const OWNERS: NameExplanation = {
  ...FOUND,
  name: 'api.test.local.',
  exists: 'records',
  rrsets: [
    { type: 'A', ttlSeconds: 5, outcome: 'answered', answered: ['192.0.2.1'], leftOut: ['192.0.2.2'], atMost: 0 },
  ],
  otherwise: 'NODATA',
  owners: [claim(API, true, ['A'])],
};
const ABSENT: NameExplanation = {
  ...FOUND,
  name: 'no.test.local.',
  exists: 'absent',
  rrsets: [],
  otherwise: 'NXDOMAIN',
  owners: [],
};

function claim(owner: string, isService: boolean, types: readonly string[]): OwnerExplanation {
  const reason = 'no other owner claims the name';
  return { owner, isService, types, answered: types, reason, problems: [], slots: undefined };
}

/** A registry with service api: one instance healthy, one with a failed check, a hostile reason among its facts. */
function rooms() {
  const clock = fakeClock();
  const slots = fakeSlots();
  const registry = createRegistry(slots);
  const board = createStatusBoard(clock);
  const health = new HealthSync({ registry, slots, clock, schedule: () => {} });
  const census = createCensus({ registry, health });
  registry.replaceService(service('api'));
  const reason = 'connect ECONNREFUSED <script>alert(1)</script>\u001b[2J';
  registry.replaceGroup('g', API, [
    instance('api-1', '192.0.2.1', { facts: [fact('HEALTHY', 'check', { reason: 'HTTP 200' })] }),
    instance('api-2', '192.0.2.2', {
      facts: [
        fact('UNHEALTHY', 'pod', { reason, sinceMs: Date.UTC(2026, 0, 1) }),
        fact('HEALTHY', 'endpointslice', { reason: 'ready', repeats: 'pod' }),
      ],
    }),
  ]);
  health.flush();
  return { registry, board, census };
}

async function ask(owners: NameExplanation, more: Partial<HttpRequest> = {}) {
  const { registry, board } = rooms();
  const history = createHistory();
  const explain = () => explainName(owners, registry, board);
  const endpoint = explainEndpoint({
    ...{ explain, history, settleHistory() {}, registry, clock: fakeClock() },
    zones: () => [],
    replica: 'healthdns-0',
    page: {
      of: ({ status, explanation }) => ({ status, type: 'text/html', body: `page of ${explanation.name}` }),
      refused: (problem) => ({ status: 400, type: 'text/html', body: `page: ${problem}` }),
    },
  });
  const request = {
    method: 'GET',
    rest: owners.name,
    query: new URLSearchParams(),
    headers: {},
    boundTo: '127.0.0.1',
    body: Buffer.alloc(0),
  };
  const response = await endpoint.handle({ ...request, ...more });
  return { ...response, body: String(response.body) };
}

test('explain of an alias explains its target, and a loop of aliases ends', async () => {
  const { registry, board } = rooms();
  const aliases = new Map([
    ['www.test.local.', 'api.test.local.'],
    ['loop.test.local.', 'pool.test.local.'],
    ['pool.test.local.', 'loop.test.local.'],
  ]);
  const find = (name: string): NameExplanation => {
    const alias = aliases.get(name);
    if (alias === undefined) return OWNERS;
    const owners = [claim('static', false, ['CNAME'])];
    const rrsets = [{ ...OWNERS.rrsets[0], type: 'CNAME', answered: [alias], leftOut: [] }];
    return { ...OWNERS, name, alias, rrsets, owners };
  };
  const www = explainChain('www.test.local.', find, registry, board);
  assert.equal(www.summary, 'Alias (CNAME) of api.test.local.');
  assert.equal(www.target?.services[0]?.instances.length, 2);
  assert.match(explanationText(www), /^www.*\n\napi\.test\.local\.\n.*OUT api-2/s);
  const loop = explainChain('loop.test.local.', find, registry, board);
  assert.equal(loop.target?.name, 'pool.test.local.');
  assert.equal(loop.target?.target, undefined);
});

test('explain of the root, which no path can name, uses ?name=', async () => {
  assert.equal(
    (await ask({ ...ABSENT, zone: undefined }, { rest: '', query: new URLSearchParams('name=.') })).status,
    404,
  );
  for (const query of ['', 'name=']) {
    const { status, body } = await ask(ABSENT, { rest: '', query: new URLSearchParams(query) });
    assert.deepEqual([status, body.trimEnd()], [400, 'a name is missing: /explain/api.production.local']);
  }
});

test('explain lists status, facts with source, time and reason, and the rule for each instance', async () => {
  const response = await ask(OWNERS);
  assert.deepEqual([response.status, response.type], [200, 'application/json']);
  const { summary, services } = JSON.parse(response.body);
  assert.equal(summary, 'Has A records. 1 of 2 instances may be answered.');
  const [failed, healthy] = services[0].instances;
  assert.deepEqual(
    [healthy.id, healthy.answered, healthy.rule, healthy.reason],
    ['api-1', true, 'healthy', 'HTTP 200'],
  );
  assert.deepEqual([failed.id, failed.answered, failed.rule], ['api-2', false, 'unhealthy']);
  assert.equal(failed.since, '2026-01-01T00:00:00.000Z');
  assert.deepEqual(
    failed.facts.map(({ source, status, counted }: Record<string, unknown>) => [source, status, counted]),
    [
      ['pod', 'UNHEALTHY', true],
      ['endpointslice', 'HEALTHY', false],
    ],
  );
});

test('explain as text is readable and contains no control sequences', async () => {
  for (const more of [{ query: new URLSearchParams('format=text') }, { headers: { accept: 'text/plain' } }]) {
    const { type, body } = await ask(OWNERS, more);
    assert.equal(type, 'text/plain; charset=utf-8');
    assert.match(body, /^ {2}in {2}api-1 \(192\.0\.2\.1\) HEALTHY$/m);
    assert.match(body, /^ {2}OUT api-2 \(192\.0\.2\.2\) UNHEALTHY$/m);
    assert.match(
      body,
      /^ {6}fact endpointslice .* HEALTHY: ready \(not counted: repeats pod, which reports itself\)$/m,
    );
    assert.equal(body.includes('\u001b'), false);
  }
});

test('explain is a page for browsers, text for terminals and JSON for programs, and `format` overrides Accept', async () => {
  const browser = { headers: { accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8' } };
  assert.equal((await ask(OWNERS, browser)).body, 'page of api.test.local.');
  assert.equal((await ask(ABSENT, browser)).status, 404);
  assert.match((await ask(OWNERS, { headers: { accept: 'text/plain' } })).body, /^api\.test\.local\.\n/);
  assert.match((await ask(OWNERS, { headers: { accept: '*/*' } })).body, /^\{/);
  const query = new URLSearchParams('format=json');
  assert.match((await ask(OWNERS, { ...browser, query })).body, /^\{/);
});

test('explain of a name with two claimants names the winner and the rule', async () => {
  const loser = { ...claim('kubernetes/b/x', true, ['A']), answered: [], reason: `${API} is older` };
  const { body } = await ask(
    { ...OWNERS, owners: [...OWNERS.owners, loser] },
    { query: new URLSearchParams('format=text') },
  );
  assert.match(body, /kubernetes\/b\/x \(A\): not answered; static\/test\.local\.\/default\/api is older/);
});

test('explain of a name that does not exist is 404 with the explanation, of an invalid name 400', async () => {
  const absent = await ask(ABSENT);
  assert.equal(absent.status, 404);
  assert.match(JSON.parse(absent.body).summary, /^NXDOMAIN: nothing in test\.local\. has this name/);
  const outside = await ask({ ...ABSENT, name: 'example.com.', zone: undefined });
  assert.match(JSON.parse(outside.body).summary, /REFUSED/);
  assert.equal((await ask(OWNERS, { rest: '' })).status, 400);
});

test('explain names the cluster that has not been read and may change the answer', async () => {
  const { registry, board } = rooms();
  board.add('kubernetes/east', ['test.local.']).kind('services', true);
  const known = explainName({ ...OWNERS, ready: false, stale: true }, registry, board).summary;
  assert.match(known, /The answer may change \(EDE 3\): kubernetes\/east has not been read yet\.$/);
  const unknown = { ...ABSENT, ready: false, stale: true, otherwise: 'SERVFAIL' } as const;
  assert.doesNotMatch(explainName(unknown, registry, board).summary, /EDE 3/);
});

test('explain of a zone that is not ready reports SERVFAIL and the missing source', async () => {
  const { registry, board } = rooms();
  board.add('kubernetes/prod', ['test.local.']).kind('pods', true);
  const name: NameExplanation = { ...ABSENT, ready: false, otherwise: 'SERVFAIL' };
  assert.equal(
    explainName(name, registry, board).summary,
    'SERVFAIL (EDE 14, not ready): kubernetes/prod has not synced, so the content of test.local is not known.',
  );
});

test('an overview of many services lists those in trouble first and counts the rest', async () => {
  const { registry, board, census } = rooms();
  for (let index = 0; index < 5; index++)
    registry.replaceService(service(`a${index}`, { key: `static/test.local./default/a${index}` }));
  const [zone] = overviewOf(
    { zones: [{ name: 'test.local.', records: { count: 0 } }], registry, board, census },
    2,
  ).zones;
  assert.deepEqual(
    zone.services.map(({ name }) => name),
    ['api.test.local.', 'a0.test.local.'],
  );
  assert.deepEqual([zone.serviceCount, zone.instanceCount, zone.answeredCount], [6, 2, 1]);
});

test('a status of 1,000 healthy services and one in trouble describes that one', () => {
  const { registry, board, census } = rooms();
  for (let index = 0; index < 1_000; index++)
    registry.replaceService(service(`a${index}`, { key: `static/test.local./default/a${index}` }));
  let described = 0;
  const counting = {
    service(key: string) {
      described++;
      return registry.service(key);
    },
  };
  const zones = [{ name: 'test.local.', records: { count: 0 } }];
  const { handle } = statusEndpoint(
    (limit, wholeLimit) => overviewOf({ zones, registry: counting, board, census }, limit, wholeLimit),
    () => [],
    createConfigInForce('/etc/zones.yaml', 'abc', fakeClock()).status,
  );
  const { trouble } = JSON.parse(String((handle(undefined as never) as HttpResponse).body));
  assert.deepEqual(
    trouble.map(({ name }: { name: string }) => name),
    ['api.test.local.'],
  );
  assert.equal(described, 1);
});

test('explain of a slow start shows the current share of the weight', async () => {
  const slots = fakeSlots();
  const registry = createRegistry(slots);
  const clock = fakeClock();
  const health = new HealthSync({ registry, slots, clock, schedule: () => {} });
  registry.replaceService(service('api', { policy: { ...POLICY, routing: 'weighted', slowStartSeconds: 100 } }));
  registry.replaceGroup('g', API, [instance('api-1', '192.0.2.1', { weight: 2 })]);
  health.flush();
  const text = explanationText(explainName(OWNERS, registry, createStatusBoard(clock)));
  assert.match(text, /slow start: 10 % of its weight by now/);
});
