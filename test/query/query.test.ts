import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { type TestContext, test } from 'node:test';
import type { Clock } from '../../src/clock.ts';
import { composeMessage, type Message, type MessageParts, parseMessage } from '../../src/dns/message/message.ts';
import { FLAG, OPTION, RCODE, TYPE } from '../../src/dns/types.ts';
import { EXIT, type QueryFormat, query } from '../../src/query/query.ts';
import { QUERY_DEFAULTS } from '../../src/query/words.ts';
import { fakeClock } from '../support/fake-clock.ts';
import { records } from '../support/zone-text.ts';

/** What a test's server sends for a query: datagrams (or framed messages), none for silence. */
type Answer = (query: Message, bytes: Uint8Array) => Uint8Array[];

function reply(to: Message, parts: MessageParts): Uint8Array {
  return composeMessage({ id: to.id, questions: to.questions, flags: FLAG.QR | FLAG.AA, ...parts });
}

async function udpServer(t: TestContext, answer: Answer, port = 0): Promise<number> {
  const socket = createSocket('udp4');
  socket.on('message', (bytes, from) => {
    for (const datagram of answer(parseMessage(bytes), bytes)) socket.send(datagram, from.port, from.address);
  });
  socket.bind(port, '127.0.0.1');
  await once(socket, 'listening');
  t.after(() => socket.close());
  return socket.address().port;
}

async function tcpServer(
  t: TestContext,
  respond: (query: Buffer) => Uint8Array | 'close' | 'silence',
  port = 0,
): Promise<number> {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', (data) => {
      const bytes = respond(data.subarray(2));
      if (bytes === 'close') socket.end();
      else if (bytes !== 'silence') socket.write(bytes);
    });
    t.after(() => socket.destroy());
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return (server.address() as AddressInfo).port;
}

function framed(bytes: Uint8Array): Uint8Array {
  return Uint8Array.from([bytes.length >> 8, bytes.length & 255, ...bytes]);
}

interface Asked {
  readonly code: number;
  readonly out: string;
  readonly error: string;
}

async function ask(
  port: number,
  more: { type?: number; tcp?: boolean; format?: QueryFormat; clock?: Clock; name?: string } = {},
): Promise<Asked> {
  const lines = { out: '', error: '' };
  const options = {
    ...QUERY_DEFAULTS,
    name: 'api.production.local.',
    type: TYPE.A,
    server: '127.0.0.1',
    port,
    format: 'short' as const,
    ...more,
  };
  const clock = fakeClock();
  const code = await query(options, {
    out: (text) => {
      lines.out += text;
    },
    error: (text) => {
      lines.error += text;
    },
    clock: more.clock ?? clock,
  });
  assert.equal(clock.pendingTimers(), 0);
  return { code, ...lines };
}

const ANSWERS = records(`
  api.production.local. 5 IN A 127.0.0.1
  api.production.local. 5 IN A 127.0.0.2
`);

test('healthdns query prints an answer and exits with 0', async (t) => {
  const port = await udpServer(t, (to) => [reply(to, { answers: ANSWERS })]);
  assert.deepEqual(await ask(port), { code: EXIT.answered, out: '127.0.0.1\n127.0.0.2', error: '' });
  const text = (await ask(port, { format: 'text' })).out;
  assert.match(text, /status: NOERROR/);
  assert.match(text, /^api\.production\.local\. 5 IN A 127\.0\.0\.1$/m);
  assert.match(text, /^;; 2 records in the answer$/m);
  assert.match(text, /over UDP/);
});

test('healthdns query uses EDNS and requests recursion', async (t) => {
  let seen: Message | undefined;
  const port = await udpServer(t, (to) => {
    seen = to;
    return [reply(to, {})];
  });
  await ask(port);
  assert.equal(seen?.edns?.udpBytes, 1232);
  assert.equal(seen?.flags, FLAG.RD);
});

test('the exit code of healthdns query shows whether there was an answer', async (t) => {
  const cases: readonly [parts: MessageParts, code: number][] = [
    [{}, EXIT.nothing],
    [{ answers: records('api.production.local. 5 IN CNAME gone.x.') }, EXIT.nothing],
    [{ rcode: RCODE.NXDOMAIN }, EXIT.nothing],
    [{ rcode: RCODE.SERVFAIL }, EXIT.failed],
    [{ rcode: RCODE.REFUSED, questions: [] }, EXIT.failed],
  ];
  for (const [parts, code] of cases) {
    const port = await udpServer(t, (to) => [reply(to, parts)]);
    assert.equal((await ask(port)).code, code, JSON.stringify(parts));
  }
});

test('the JSON of healthdns query contains every part of the reply', async (t) => {
  const data = Uint8Array.from([0, 14, ...Buffer.from('kubernetes not synced')]);
  const edns = { version: 0, udpBytes: 1232, dnssecOk: false, options: [{ code: OPTION.EDE, data }] };
  const port = await udpServer(t, (to) => [reply(to, { rcode: RCODE.SERVFAIL, edns })]);
  const { out, code } = await ask(port, { format: 'json' });
  const { elapsedMs, id, bytes, ...json } = JSON.parse(out);
  assert.equal(code, EXIT.failed);
  assert.deepEqual([typeof elapsedMs, typeof id, typeof bytes], ['number', 'number', 'number']);
  assert.deepEqual(json, {
    server: { address: '127.0.0.1', port },
    transport: 'udp',
    status: 'SERVFAIL',
    flags: ['qr', 'aa'],
    outcome: 'error',
    questions: [{ name: 'api.production.local.', type: 'A', class: 'IN' }],
    answers: [],
    authorities: [],
    additionals: [],
    edns: { version: 0, udpBytes: 1232, dnssecOk: false },
    extendedErrors: [{ infoCode: 14, purpose: 'Not Ready', text: 'kubernetes not synced' }],
  });
});

test('datagrams that do not answer the query are ignored', async (t) => {
  const port = await udpServer(t, (to, bytes) => [
    Uint8Array.of(1, 2, 3),
    bytes, // the query itself
    reply({ ...to, id: to.id ^ 1 }, { answers: ANSWERS }),
    reply(to, { questions: [{ ...to.questions[0], type: TYPE.AAAA }] }),
    reply(to, { questions: [] }), // NOERROR without the question
    reply(to, { answers: ANSWERS.slice(1) }),
  ]);
  assert.deepEqual(await ask(port), { code: EXIT.answered, out: '127.0.0.2', error: '' });
});

test('no reply in time is exit code 9, after the configured number of attempts', async (t) => {
  const clock = fakeClock();
  let queries = 0;
  const port = await udpServer(t, () => {
    queries++;
    setImmediate(() => clock.advance(QUERY_DEFAULTS.timeoutMs));
    return [];
  });
  const { code, error, out } = await ask(port, { clock });
  assert.deepEqual([code, queries, out], [EXIT.noReply, QUERY_DEFAULTS.tries, '']);
  assert.match(error, /^healthdns query: 127\.0\.0\.1:\d+ over UDP: no reply within 3000 ms, asked 2 times$/);
});

test('a malformed reply is reported if nothing else arrives', async (t) => {
  const clock = fakeClock();
  // The garbage for the first try is there before the second try arrives.
  const port = await udpServer(t, () => {
    setImmediate(() => clock.advance(QUERY_DEFAULTS.timeoutMs));
    return [Uint8Array.of(1, 2, 3)];
  });
  const { code, error } = await ask(port, { clock });
  assert.equal(code, EXIT.noReply);
  assert.match(error, /a datagram was ignored: a message has at least 12 bytes, got 3/);
});

test('a closed port is exit code 9 at once', async (t) => {
  const port = await udpServer(t, () => []);
  const free = await tcpServer(t, () => 'close');
  assert.notEqual(port, free);
  const udp = await ask(free);
  assert.equal(udp.code, EXIT.noReply);
  assert.match(udp.error, /over UDP: .*ECONNREFUSED/);
  const tcp = await ask(port, { tcp: true });
  assert.equal(tcp.code, EXIT.noReply);
  assert.match(tcp.error, /over TCP: .*ECONNREFUSED/);
});

test('a truncated reply is retried over TCP, even if it is cut within a record', async (t) => {
  const port = await tcpServer(t, (bytes) => framed(reply(parseMessage(bytes), { answers: ANSWERS })));
  await udpServer(t, (to) => [reply(to, { flags: FLAG.QR | FLAG.TC, answers: ANSWERS }).subarray(0, 60)], port);
  const { code, out } = await ask(port, { format: 'json' });
  assert.equal(code, EXIT.answered);
  assert.equal(JSON.parse(out).transport, 'tcp');
});

test('over TCP, a closed connection, garbage, another id and silence are exit code 9', async (t) => {
  const clock = fakeClock();
  const cases: readonly [Parameters<typeof tcpServer>[1], RegExp][] = [
    [() => 'close', /connection closed/],
    [() => framed(Uint8Array.of(1, 2, 3)), /at least 12 bytes/],
    [(bytes) => framed(reply({ ...parseMessage(bytes), id: bytes.readUInt16BE(0) ^ 1 }, {})), /its id differs/],
    [
      () => {
        setImmediate(() => clock.advance(QUERY_DEFAULTS.timeoutMs));
        return 'silence';
      },
      /no reply within 3000 ms/,
    ],
  ];
  for (const [respond, message] of cases) {
    const { code, error } = await ask(await tcpServer(t, respond), { tcp: true, clock });
    assert.equal(code, EXIT.noReply);
    assert.match(error, message);
  }
});

test('an invalid name is exit code 1, and nothing is sent', async (t) => {
  const port = await udpServer(t, () => assert.fail('a query was sent'));
  const { code, error } = await ask(port, { name: 'a..b' });
  assert.deepEqual([code, error], [EXIT.usage, 'healthdns query: name "a..b" has an empty label']);
});
