import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createUpstreamCounters } from '../../../src/plane/forward-statistics.ts';
import { fact, instance, POLICY, service } from '../../support/model.ts';
import { pageRooms, textOf } from '../../support/page-rooms.ts';

const bad = (reason: string) => ({ facts: [fact('UNHEALTHY', 'check', { reason })] });
const key = (name: string) => `static/test.local./default/${name}`;

type Rooms = ReturnType<typeof pageRooms>;

/** Each with one instance for each reason, '': healthy. */
function serve({ registry }: Pick<Rooms, 'registry'>, name: string, reasons: readonly string[], more = {}): void {
  registry.replaceService(service(name, more));
  const instances = reasons.map((reason, index) =>
    instance(`${name}-${index}`, `192.0.2.${index + 1}`, reason === '' ? { facts: [fact('HEALTHY')] } : bad(reason)),
  );
  registry.replaceGroup(name, key(name), instances);
}

test('the page says first what is wrong, the worst first', async () => {
  const rooms = pageRooms();
  serve(rooms, 'good', ['']);
  serve(rooms, 'half', ['', 'ECONNREFUSED']);
  serve(rooms, 'dead', ['timeout after 1 s', 'timeout']);
  serve(rooms, 'open', ['timeout'], { policy: { ...POLICY, whenAllUnhealthy: 'all' } });
  serve(rooms, 'scaled-to-zero', []);
  rooms.inForce.refused('def', ['zones.yaml:3:1: unknown key `zoness`']);
  rooms.upstreams.push(
    { ...createUpstreamCounters('192.0.2.53:53', '.'), up: 0, reason: 'no reply to 3 questions' },
    createUpstreamCounters('192.0.2.54:53', '.'),
  );
  const { status, body } = await rooms.get('/');
  assert.equal(status, 200);
  const text = textOf(body);
  const [problems] = text.split('\nZones\n');
  const parts = [
    '5 problems',
    '5 services, 2 of 6 instances answered',
    'Dead services 2',
    'dead.test.local 0 of 2 instances may be answered: NODATA. dead-0: timeout after 1 s; and 1 more',
    'open.test.local 0 of 1 instance may be answered, so all of them are (whenAllUnhealthy: all). open-0: timeout',
    'Upstream servers that are down 1',
    '192.0.2.53:53 Down, for .: no reply to 3 questions',
    'Refused configuration 1',
    'configuration def refused at',
    'zones.yaml:3:1: unknown key `zoness`',
    'Services answered in part 1',
    'half.test.local 1 of 2 instances may be answered. half-1: ECONNREFUSED',
  ];
  let at = 0;
  for (const part of parts) {
    const next = problems.indexOf(part, at);
    assert.ok(next >= at, `${part} not after ${at} in\n${problems}`);
    at = next;
  }
  assert.doesNotMatch(problems, /good\.test|192\.0\.2\.54|scaled/);
});

test('a page without problems says so', async () => {
  const rooms = pageRooms();
  serve(rooms, 'good', ['']);
  const { body } = await rooms.get('/');
  assert.match(textOf(body), /All services are answered\n/);
});

test('a source that is behind and a zone that is not ready are problems', async () => {
  const rooms = pageRooms();
  rooms.board
    .add('kubernetes/prod', ['test.local.'])
    .kind('Service', true)
    .state('disconnected', 'connect ECONNREFUSED');
  const text = textOf((await rooms.get('/')).body);
  assert.match(text, /Zones that are not ready 1\ntest\.local Not ready/);
  assert.match(
    text,
    /Sources that are behind 1\nkubernetes\/prod Not synced\. Service disconnected: connect ECONNREFUSED/,
  );
});

const HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(2)>\u202egnp.exe\u0000\u001b[2J\u2028';

test('hostile names, reasons and outputs are text, short, and without characters that cannot be seen', async () => {
  const rooms = pageRooms();
  const output = `${HOSTILE}${'x'.repeat(65_536)}`;
  rooms.registry.replaceService(service('api'));
  rooms.registry.replaceGroup('api', key('api'), [instance(HOSTILE, '192.0.2.1', bad(output))]);
  rooms.inForce.refused('def', [HOSTILE]);
  rooms.upstreams.push({ ...createUpstreamCounters(HOSTILE, HOSTILE), up: 0, reason: HOSTILE });
  rooms.clients.push({ key: HOSTILE, count: 1, error: 0, perSecond: 1, pod: HOSTILE, namespace: HOSTILE });
  const transition = { instance: HOSTILE, addresses: [HOSTILE], from: HOSTILE, to: HOSTILE, answered: false };
  rooms.changes.push({
    ...{ atMs: Number.MAX_VALUE, service: HOSTILE, name: HOSTILE, more: 0 },
    transitions: [{ ...transition, rule: HOSTILE, reason: HOSTILE }],
    after: { outcome: HOSTILE, answered: 0, of: 1, addresses: [] },
  });
  for (const url of ['/', `/services?q=${encodeURIComponent('<script>alert(3)</script>')}`, '/services?q=192.0.2.1']) {
    const { body, headers } = await rooms.get(url);
    const tags = body.replaceAll(/="[^"<]*[<>][^"]*"/g, '=""');
    assert.deepEqual(tags.match(/<script(?! type="module" src="\/page\.js\?[0-9a-f]{12}"><\/script>)/g), null, url);
    assert.doesNotMatch(tags, /<img|[\u0000-\u0009\u000b-\u001f\u202a-\u202e\u2028]/u, url);
    assert.doesNotMatch(body, /\s(style|on\w+)="/, url);
    assert.ok(body.length < 20_000, `${url}: ${body.length}`);
    assert.match(headers!['content-security-policy'], /^default-src 'none'; script-src 'self'; style-src 'self';/);
    assert.doesNotMatch(headers!['content-security-policy'], /unsafe/);
  }
  const { body } = await rooms.get('/services?q=192.0.2.1');
  assert.match(textOf(body), /"><script>alert\(1\)<\/script><img src=x onerror=alert\(2\)>\ufffdgnp\.exe/);
  assert.match(textOf(body), /x… \(\d+ more characters\)/);
});

/** Names of the services that a page of the list shows. */
const namesIn = (body: string) => [...body.matchAll(/class="name" href="\/explain\/([^."]*)/g)].map(([, name]) => name);
const hrefOf = (body: string, rel: string) =>
  new RegExp(`rel="${rel}" href="([^"]*)"`).exec(body)?.[1].replaceAll('&amp;', '&');

test('the list of services is paged in the order of names, forwards and backwards', async () => {
  const rooms = pageRooms();
  const all = Array.from({ length: 250 }, (_, index) => `s${String(index).padStart(3, '0')}`);
  for (const name of all.toReversed()) serve(rooms, name, ['']);
  const seen: string[] = [];
  const pages: string[] = [];
  for (let url: string | undefined = '/services'; url !== undefined; ) {
    const { body } = await rooms.get(url);
    pages.push(textOf(body).match(/(\S+ to \S+ of 250 services)/)?.[1] ?? '');
    seen.push(...namesIn(body));
    url = hrefOf(body, 'next');
  }
  assert.deepEqual(seen, all);
  assert.deepEqual(pages, ['1 to 100 of 250 services', '101 to 200 of 250 services', '201 to 250 of 250 services']);
  const last = (await rooms.get(`/services?after=${encodeURIComponent(`s199.test.local. ${key('s199')}`)}`)).body;
  const previous = (await rooms.get(hrefOf(last, 'prev')!)).body;
  assert.deepEqual(namesIn(previous), all.slice(100, 200));
  assert.match(textOf(previous), /101 to 200 of 250/);
});

test('a search finds services by name, zone and key, and by instances and addresses, each word somewhere', async () => {
  const rooms = pageRooms();
  serve(rooms, 'api', ['', 'refused']);
  serve(rooms, 'web', ['']);
  serve(rooms, 'empty', []);
  const found = async (query: string) => namesIn((await rooms.get(`/services?${query}`)).body);
  assert.deepEqual(await found('q=API'), ['api']);
  assert.deepEqual(await found('q=test.local+default'), ['api', 'empty', 'web']);
  assert.deepEqual(await found('q=192.0.2.2'), ['api']);
  assert.deepEqual(await found('q=web-0+default'), ['web']);
  assert.deepEqual(await found('q=web-0+api'), []);
  assert.deepEqual(await found('show=trouble'), ['api']);
  assert.deepEqual(await found('show=dead'), []);
  assert.deepEqual(await found('show=empty'), ['empty']);
  assert.deepEqual(await found('zone=other.'), []);
  assert.deepEqual(await found('show=nonsense&q='), ['api', 'empty', 'web']);
  assert.match(textOf((await rooms.get('/services?q=192.0.2.2')).body), /OUT UNHEALTHY api-1 192\.0\.2\.2 refused/);
});
