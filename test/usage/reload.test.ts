// Reloads under load, through the whole server: `npm run bench:reload` is the same at 20,000 queries/s.
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { composeMessage, parseMessage } from '../../src/dns/message/message.ts';
import { parseName } from '../../src/dns/name.ts';
import { serving, temporaryFolder } from '../support/command.ts';
import { until } from '../support/until.ts';

const linux = { skip: process.platform === 'linux' ? false : 'needs Linux' };
const RECORDS = 10_000;
const CLIENTS = 20;

/** Other addresses, and other settings of the data threads, in each round. */
const zones = (upstream: number, round: number) =>
  [
    `forward: 127.0.0.1:${upstream}`,
    `hosts: { entries: [{ address: 10.0.0.${round}, names: changes.example }] }`,
    ...['zones:', '  - name: a.local', '    records:'],
    ...Array.from(
      { length: RECORDS },
      (_, i) => `      - { name: r${i}, type: A, value: 10.${round}.${i >> 8}.${i & 255} }`,
    ),
  ].join('\n');

test('through reloads of 10,000 records each query is answered, own names and cached ones alike', linux, async (t) => {
  const upstream = createSocket('udp4').bind(0, '127.0.0.1');
  await once(upstream, 'listening');
  t.after(() => upstream.close());
  let misses = 0;
  upstream.on('message', (query, { port, address }) => {
    const { id, questions } = parseMessage(query);
    const [{ name, type }] = questions;
    if (type === 1) misses++;
    const answers = type === 1 ? [{ name, type, class: 1, ttlSeconds: 600, rdata: Uint8Array.of(192, 0, 2, 1) }] : [];
    upstream.send(composeMessage({ id, flags: 0x8180, questions, answers }), port, address);
  });
  const file = join(await temporaryFolder(t), 'zones.yaml');
  const write = async (round: number) => {
    await writeFile(`${file}.new`, zones(upstream.address().port, round));
    await rename(`${file}.new`, file);
  };
  await write(1);
  const server = serving([file, '--listen', '127.0.0.1:0', '--http', '127.0.0.1:0']);
  t.after(() => server.stop('SIGKILL'));
  const [, port] = await server.shows(/DNS {3}127\.0\.0\.1:(\d+)/);

  let isOver = false;
  let asked = 0;
  const wrong = new Map<string, number>();
  const clients = Array.from({ length: CLIENTS }, async (_, client) => {
    const socket = createSocket('udp4').bind(0, '127.0.0.1');
    for (let id = client; !isOver; id += CLIENTS, asked++) {
      const name = id % 2 === 0 ? `r${id % RECORDS}.a.local.` : `e${id % 100}.example.`;
      const response = once(socket, 'message', { signal: AbortSignal.timeout(10_000) });
      socket.send(
        composeMessage({ id, flags: 0x0100, questions: [{ name: parseName(name), type: 1, class: 1 }] }),
        Number(port),
        '127.0.0.1',
      );
      const outcome = await response.then(
        ([bytes]) => `${parseMessage(bytes).rcode}`,
        () => 'lost',
      );
      if (outcome !== '0') wrong.set(outcome, (wrong.get(outcome) ?? 0) + 1);
    }
    socket.close();
  });
  const reloaded = () => server.stderr().split('configuration reloaded').length - 1;
  for (let round = 2; round < 5; round++) {
    await write(round);
    server.process.kill('SIGHUP');
    await until(reloaded, round - 1, 60_000);
  }
  isOver = true;
  await Promise.all(clients);
  assert.deepEqual([...wrong], []);
  assert.ok(asked > 1000, `${asked} queries`);
  assert.ok(misses <= 100, `${misses} of 100 external names were asked for upstream: what is cached stays`);
});
