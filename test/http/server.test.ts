import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { systemClock } from '../../src/clock.ts';
import { createConfigInForce } from '../../src/config/in-force.ts';
import { type Endpoint, type HttpRequest, type OutgoingStream, text } from '../../src/http/endpoint.ts';
import { healthEndpoint, metricsEndpoint, readyEndpoint } from '../../src/http/safe.ts';
import { startHttpServer } from '../../src/http/server.ts';
import { silentLogger } from '../../src/log.ts';
import { createMetrics } from '../../src/metrics.ts';
import { fakeClock } from '../support/fake-clock.ts';

const limits = { httpBodyBytes: 16, httpConnections: 4 };
const echo: Endpoint = { path: '/', methods: ['POST'], handle: ({ body }) => text(200, body.toString()) };
const rest: Endpoint = { path: '/explain/', methods: ['GET'], handle: (request) => text(200, request.rest) };
const fails: Endpoint = {
  path: '/fails',
  methods: ['GET'],
  handle() {
    throw new Error('secret detail');
  },
};

/** Runs `use` against a server with these endpoints on a free loopback port. */
async function serving(endpoints: Endpoint[], use: (url: string, port: number) => Promise<void>): Promise<string> {
  const metrics = createMetrics();
  const listen = { address: '127.0.0.1', port: 0 };
  const server = await startHttpServer({ clock: systemClock, listen, limits, endpoints, log: silentLogger, metrics });
  try {
    await use(`http://127.0.0.1:${server.address.port}`, server.address.port);
  } finally {
    await server.close(0);
  }
  return metrics.render();
}

/** What the server says to raw bytes before it closes. */
async function sendRaw(port: number, bytes: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.write(bytes);
  const chunks: Buffer[] = [];
  socket.on('data', (chunk) => chunks.push(chunk));
  socket.on('error', () => {}); // A reset after the answer is as good as an end.
  await once(socket, 'close');
  return Buffer.concat(chunks).toString();
}

test('/health is 200 while serving and 503 during shutdown, or while data threads stay stuck', async () => {
  let stopping = false;
  let stuck = false;
  await serving(
    [
      healthEndpoint(
        () => stopping,
        () => stuck,
      ),
    ],
    async (url) => {
      const up = await fetch(`${url}/health`);
      assert.deepEqual([up.status, await up.text()], [200, 'OK\n']);
      stuck = true;
      const down = await fetch(`${url}/health`);
      assert.deepEqual([down.status, await down.text()], [503, 'a data thread does not respond\n']);
      stuck = false;
      assert.equal((await fetch(`${url}/health`)).status, 200);
      stopping = true;
      assert.equal((await fetch(`${url}/health`)).status, 503);
    },
  );
});

test('/ready is 503 with the sources that have not synced and their zones, then 200', async () => {
  const prod = { source: 'kubernetes/prod', zones: ['cluster.local.'], detail: 'listing pods' };
  const inForce = createConfigInForce('/zones.yaml', 'abc', { now: () => 0 });
  const configuration = inForce.status();
  const last = 'configuration abc of /zones.yaml, in force since 1970-01-01T00:00:00.000Z\n';
  let missing = [prod];
  let ready = false;
  let degraded: { source: string; kind: string; detail: string }[] = [];
  let sending: (typeof prod)[] = [];
  const unpublished = () => sending.map(({ source, zones }) => ({ name: source, zones }));
  const endpoint = readyEndpoint(
    () => false,
    { isReady: () => ready, missing: () => missing, unpublished, degraded: () => degraded },
    inForce.status,
  );
  await serving([endpoint], async (url) => {
    const before = await fetch(`${url}/ready`);
    assert.equal(before.status, 503);
    assert.equal(await before.text(), `not ready\nkubernetes/prod (cluster.local.): listing pods\n${last}`);
    const asJson = await fetch(`${url}/ready?format=json`);
    assert.deepEqual(await asJson.json(), { ready: false, missing, degraded, configuration });
    [missing, sending] = [[], [prod]];
    const heard = await fetch(`${url}/ready`);
    const line = 'kubernetes/prod (cluster.local.): its names are being sent to the data threads';
    assert.deepEqual([heard.status, await heard.text()], [503, `not ready\n${line}\n${last}`]);
    sending = [];
    ready = true;
    const after = await fetch(`${url}/ready`);
    assert.deepEqual([after.status, await after.text()], [200, `OK\n${last}`]);
    missing = [prod];
    const late = await fetch(`${url}/ready`);
    assert.deepEqual(
      [late.status, await late.text()],
      [200, `OK\nkubernetes/prod (cluster.local.): listing pods\n${last}`],
    );
    const lateAsJson = await fetch(`${url}/ready?format=json`);
    assert.deepEqual(await lateAsJson.json(), { ready: true, missing, degraded, configuration });
    degraded = [{ source: 'kubernetes/prod', kind: 'pods', detail: 'no' }];
    const without = await fetch(`${url}/ready`);
    assert.equal(without.status, 200);
    assert.match(
      await without.text(),
      /\nkubernetes\/prod is degraded: served without pods, which the API server denies \(no\)\n/,
    );
    inForce.refused('def', ['zones.yaml:3:1: unknown key']);
    const refused = await (await fetch(`${url}/ready`)).text();
    assert.match(refused, /configuration def refused at \S+:\n {2}zones\.yaml:3:1: unknown key\n$/);
  });
});

test('HEAD is answered like GET without a body, other methods get 405 with Allow, unknown paths 404', async () => {
  await serving(
    [
      healthEndpoint(
        () => false,
        () => false,
      ),
    ],
    async (url) => {
      const head = await fetch(`${url}/health`, { method: 'HEAD' });
      assert.deepEqual([head.status, head.headers.get('content-length'), await head.text()], [200, '3', '']);
      const remove = await fetch(`${url}/health`, { method: 'DELETE' });
      assert.deepEqual([remove.status, remove.headers.get('allow')], [405, 'GET, HEAD']);
      assert.equal((await fetch(`${url}/healthy`)).status, 404);
      assert.equal((await fetch(`${url}/`)).status, 404);
    },
  );
});

test('an endpoint that ends in a slash gets the decoded rest of the path; invalid encoding is 400', async () => {
  await serving([rest], async (url) => {
    const response = await fetch(`${url}/explain/0%2F25.example.?format=text`);
    assert.equal(await response.text(), '0/25.example.\n');
    assert.equal((await fetch(`${url}/explain/%E0%A4%A`)).status, 400);
  });
});

test('a body over the limit is 413 and the connection is closed', async () => {
  await serving([echo], async (url, port) => {
    const small = await fetch(url, { method: 'POST', body: 'x'.repeat(16) });
    assert.equal(await small.text(), `${'x'.repeat(16)}\n`);
    const answer = await sendRaw(port, `POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1000\r\n\r\n${'x'.repeat(17)}`);
    assert.match(answer, /^HTTP\/1\.1 413 /);
    assert.match(answer, /connection: close/i);
  });
});

test('bytes that are not HTTP get 400, headers over the limit 431', async () => {
  await serving([echo], async (_url, port) => {
    assert.match(await sendRaw(port, '\u0016\u0003\u0001 nonsense\r\n\r\n'), /^HTTP\/1\.1 400 /);
    const headers = `GET / HTTP/1.1\r\nhost: a\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`;
    assert.match(await sendRaw(port, headers), /^HTTP\/1\.1 431 /);
  });
});

test('an endpoint that throws is 500 without details, and is counted', async () => {
  const metrics = await serving([fails], async (url) => {
    const response = await fetch(`${url}/fails`);
    assert.equal(response.status, 500);
    assert.doesNotMatch(await response.text(), /secret|at /);
  });
  assert.match(metrics, /healthdns_http_requests_total\{endpoint="\/fails",code="500"\} 1/);
});

test('metrics are served as Prometheus text', async () => {
  const metrics = createMetrics();
  metrics.counter('healthdns_endpoints_writes_total').inc();
  await serving([metricsEndpoint(metrics, fakeClock())], async (url) => {
    const response = await fetch(`${url}/metrics`);
    assert.equal(response.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8');
    assert.match(await response.text(), /^healthdns_endpoints_writes_total 1$/m);
  });
});

test('over the limit the connection that has been idle longest is closed, and counted', async () => {
  const metrics = await serving(
    [
      healthEndpoint(
        () => false,
        () => false,
      ),
    ],
    async (url, port) => {
      const open = async () => {
        const socket = connect(port, '127.0.0.1').on('error', () => {});
        await once(socket, 'connect');
        return socket;
      };
      const asks = await open();
      const silent = [await open(), await open(), await open()];
      asks.write('GET /health HTTP/1.1\r\nhost: a\r\n\r\n');
      assert.match(String((await once(asks, 'data'))[0]), /^HTTP\/1\.1 200 /);
      const closed = once(silent[0], 'close');
      // One whole request, and no longer than for that.
      assert.match(
        await sendRaw(port, 'GET /health HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n'),
        /^HTTP\/1\.1 200 /,
      );
      await closed;
      assert.deepEqual(
        [asks, ...silent].map((socket) => socket.readyState),
        ['open', 'closed', 'open', 'open'],
      );
      for (const socket of [asks, ...silent]) socket.destroy();
      assert.equal((await fetch(`${url}/health`)).status, 200);
    },
  );
  assert.match(metrics, /healthdns_http_connections_dropped_total 1/);
});

test('a body whose declared length is over the limit is rejected without being read', async () => {
  await serving([echo], async (_url, port) => {
    const answer = await sendRaw(port, 'POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1000\r\n\r\n');
    assert.match(answer, /^HTTP\/1\.1 413 /);
  });
});

test('a client that disconnects during its request is not an error', async () => {
  const logged: string[] = [];
  const log = { ...silentLogger, error: (message: string) => void logged.push(message) };
  const metrics = createMetrics();
  const listen = { address: '127.0.0.1', port: 0 };
  const server = await startHttpServer({ clock: systemClock, listen, limits, endpoints: [echo], log, metrics });
  const socket = connect(server.address.port, '127.0.0.1').on('error', () => {});
  socket.write('POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nhalf');
  await once(socket, 'connect');
  socket.end();
  await once(socket.resume(), 'close');
  await server.close(0);
  assert.deepEqual(logged, []);
  assert.match(metrics.render(), /healthdns_http_requests_total\{endpoint="\/",code="400"\} 1/);
});

test('a port in use rejects with EADDRINUSE', async () => {
  await serving([echo], async (_url, port) => {
    const options = { listen: { address: '127.0.0.1', port }, limits, endpoints: [], log: silentLogger };
    await assert.rejects(startHttpServer({ clock: systemClock, ...options, metrics: createMetrics() }), {
      code: 'EADDRINUSE',
    });
  });
});

test('a request with an absolute URL, as for a proxy, reaches the same endpoint', async () => {
  await serving([rest], async (_, port) => {
    const head =
      'GET http://elsewhere.example/explain/x HTTP/1.1\r\nHost: elsewhere.example\r\nConnection: close\r\n\r\n';
    assert.match(await sendRaw(port, head), /^HTTP\/1.1 200 [\s\S]*\r\n\r\nx\n$/);
  });
});

test('pipelined requests are handled one at a time, in order, each in its own turn', async () => {
  const log: string[] = [];
  let turn = 0;
  const count = () => {
    turn++;
    counting = setImmediate(count);
  };
  let counting = setImmediate(count);
  const slow: Endpoint = {
    path: '/slow/',
    methods: ['GET'],
    async handle({ rest: n }) {
      log.push(`${n} begins in turn ${turn}`);
      // The turn of the others ends only because of the server.
      if (Number(n) % 2 === 0) await new Promise((resolve) => setImmediate(resolve));
      log.push(`${n} ends`);
      return text(200, n);
    },
  };
  await serving([slow], async (_, port) => {
    const requests = Array.from({ length: 20 }, (_, n) => `GET /slow/${n} HTTP/1.1\r\nhost: localhost\r\n`);
    const bytes = `${requests.join('\r\n')}connection: close\r\n\r\n`;
    const bodies = [...(await sendRaw(port, bytes)).matchAll(/\r\n\r\n(\d+)\n/g)].map(([, body]) => body);
    assert.deepEqual(
      bodies,
      Array.from({ length: 20 }, (_, n) => String(n)),
    );
  });
  clearImmediate(counting);
  const begins = log.filter((_, i) => i % 2 === 0);
  const ends = log.filter((_, i) => i % 2 === 1);
  assert.ok(begins.every((line, n) => line.startsWith(`${n} begins`)) && ends.every((line, n) => line === `${n} ends`));
  assert.equal(new Set(begins.map((line) => line.split(' ').at(-1))).size, 20);
});

test('a connection with too many pipelined requests is closed', async () => {
  const stuck: Endpoint = { path: '/stuck', methods: ['GET'], handle: () => new Promise(() => {}) };
  await serving([stuck], async (_, port) => {
    assert.equal(await sendRaw(port, 'GET /stuck HTTP/1.1\r\nhost: localhost\r\n\r\n'.repeat(102)), '');
  });
});

test('metrics are rendered at most once a second', async () => {
  const clock = fakeClock();
  let rendered = 0;
  const endpoint = metricsEndpoint({ ...createMetrics(), render: () => String(++rendered) }, clock);
  const body = async () => (await endpoint.handle({ headers: {} } as HttpRequest)).body;
  assert.deepEqual([await body(), await body()], ['1', '1']);
  await clock.advance(999);
  assert.equal(await body(), '1');
  await clock.advance(1);
  assert.equal(await body(), '2');
});

test('metrics are OpenMetrics where that is preferred, and compressed where that is accepted', async () => {
  const metrics = createMetrics();
  metrics.counter('healthdns_endpoints_writes_total').inc();
  const endpoint = metricsEndpoint(metrics, fakeClock());
  const get = async (accept?: string, encoding?: string) => {
    const { type, body, headers } = await endpoint.handle({
      headers: { accept, 'accept-encoding': encoding },
    } as unknown as HttpRequest);
    const isZipped = headers?.['content-encoding'] === 'gzip';
    return { type: type.split(';')[0], isZipped, text: (isZipped ? gunzipSync(body) : body).toString() };
  };
  const [text, open] = ['text/plain', 'application/openmetrics-text'];
  const cases: [string | undefined, string | undefined, string, boolean][] = [
    [undefined, undefined, text, false],
    ['*/*', 'gzip, deflate, br', text, true],
    // Prometheus 2 and 3.
    [`${open};version=1.0.0,${open};version=0.0.1;q=0.75,${text};version=0.0.4;q=0.5,*/*;q=0.1`, 'gzip', open, true],
    [`${text};version=0.0.4, ${open};q=0.5`, 'gzip;q=0', text, false],
    [`${open};q=0`, 'identity', text, false],
    [`${open};q=nonsense`, 'GZIP', text, true],
  ];
  for (const [accept, encoding, type, isZipped] of cases) {
    const answered = await get(accept, encoding);
    assert.deepEqual([answered.type, answered.isZipped], [type, isZipped], `${accept} ${encoding}`);
    assert.match(answered.text, /^healthdns_endpoints_writes_total 1$/m);
    assert.equal(answered.text.endsWith('# EOF\n'), type === open);
    assert.equal(answered.text.includes('# TYPE healthdns_endpoints_writes counter'), type === open);
  }
});

test('a response may stay open and be written as time goes by; closing the server ends it', async () => {
  let out: OutgoingStream | undefined;
  let isClosed = false;
  const streaming: Endpoint = {
    path: '/events',
    methods: ['GET'],
    handle: () => ({
      ...{ status: 200, type: 'text/event-stream', body: '' },
      stream(opened) {
        out = opened;
        opened.onClose(() => {
          isClosed = true;
        });
      },
    }),
  };
  await serving([streaming], async (url) => {
    const head = await fetch(`${url}/events`, { method: 'HEAD' });
    assert.deepEqual([head.status, out], [200, undefined]);
    const response = await fetch(`${url}/events`);
    assert.equal(response.headers.get('content-type'), 'text/event-stream');
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    out?.send('one\n');
    assert.equal((await reader.read()).value, 'one\n');
    out?.end();
    assert.equal((await reader.read()).done, true);
  });
  assert.equal(isClosed, true);
});

test('the unread part of an open response is known, and can be discarded', async () => {
  let out: OutgoingStream | undefined;
  const streaming: Endpoint = {
    path: '/events',
    methods: ['GET'],
    handle: () => ({
      ...{ status: 200, type: 'text/event-stream', body: '' },
      stream(opened) {
        out = opened;
      },
    }),
  };
  await serving([streaming], async (_, port) => {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => {}); // A reset is how it is cut off.
    socket.write('GET /events HTTP/1.1\r\nHost: x\r\n\r\n');
    await once(socket, 'readable');
    // More than the kernel keeps for both ends.
    const bytes = 64 * 1024 * 1024;
    out?.send('x'.repeat(bytes));
    assert.ok(out!.unreadBytes() > 0 && out!.unreadBytes() < bytes + 100);
    const closed = once(socket, 'close');
    out?.abort();
    socket.resume();
    await closed;
    assert.ok(socket.bytesRead < bytes);
  });
});
