import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatName, parseName } from '../../src/dns/name.ts';
import { createChangeQueue } from '../../src/plane/change-queue.ts';
import { BLOCK } from '../../src/plane/layout.ts';
import { applyEntry, type PartBlock } from '../../src/plane/messages.ts';
import { writeRecord } from '../../src/plane/packed-names.ts';
import type { Change } from '../../src/plane/records.ts';

/** A queue whose receivers keep what they get; nothing is acknowledged by itself. */
function queueFor(receivers: string[]) {
  const sent: { receiver: string; id: number; names: string[] }[] = [];
  const bad: string[] = [];
  const queue = createChangeQueue<string>({
    hashSeed: 1,
    receivers: () => receivers,
    send: (receiver, id, bytes) => sent.push({ receiver, id, names: namesIn(bytes) }),
    onBad: (_change, error) => bad.push(error.message),
  });
  const acknowledgeAll = () => {
    for (const { id, receiver } of sent.splice(0)) queue.acknowledge(id, receiver);
  };
  return { queue, sent, bad, acknowledgeAll };
}

test('a change resolves when every receiver has acknowledged it', async () => {
  const { queue, sent } = queueFor(['a', 'b']);
  const done = settled(queue.add([replace('x.test.', 5)]));
  assert.deepEqual(
    sent.map(({ receiver, names }) => [receiver, ...names]),
    [
      ['a', 'x.test. 5'],
      ['b', 'x.test. 5'],
    ],
  );
  queue.acknowledge(sent[0].id, 'a');
  assert.equal(await done.now(), false);
  queue.acknowledge(sent[0].id, 'b');
  assert.equal(await done.now(), true);
});

test('at most four messages are in flight, and changes made meanwhile are sent once, in their last state', async () => {
  const { queue, sent, acknowledgeAll } = queueFor(['a']);
  for (const name of ['one.test.', 'two.test.', 'three.test.', 'four.test.']) void queue.add([replace(name, 1)]);
  const waits = [3, 4, 5].map((ttl) => settled(queue.add([replace('x.test.', ttl), replace(`y${ttl}.test.`, ttl)])));
  assert.equal(sent.length, 4);
  assert.equal(queue.waiting(), 4);
  acknowledgeAll();
  assert.deepEqual(
    sent.map(({ names }) => names),
    [['x.test. 5', 'y3.test. 3', 'y4.test. 4', 'y5.test. 5']],
  );
  assert.deepEqual(await Promise.all(waits.map((wait) => wait.now())), [false, false, false]);
  acknowledgeAll();
  assert.deepEqual(await Promise.all(waits.map((wait) => wait.now())), [true, true, true]);
});

test('a change added after packed names is not sent before them', async () => {
  const { queue, sent, acknowledgeAll } = queueFor(['a']);
  for (const name of ['one.test.', 'two.test.', 'three.test.', 'four.test.']) void queue.add([replace(name, 1)]);
  void queue.add([replace('x.test.', 3)]);
  const bytes = new Uint8Array(100);
  const end = writeRecord(bytes, 0, parseName('x.test.'), 1, 4, Uint8Array.of(1, 2, 3, 4));
  const packed = settled(queue.add([{ kind: 'replace-names', packed: bytes.subarray(0, end) }]));
  void queue.add([replace('x.test.', 5)]);
  void queue.add([replace('x.test.', 6)]);
  acknowledgeAll();
  assert.deepEqual(
    sent.map(({ names }) => names),
    [['x.test. 3', 'x.test. 4', 'x.test. 6']],
  );
  assert.equal(await packed.now(), false);
  acknowledgeAll();
  assert.equal(await packed.now(), true);
});

test('changes that are sent at once and those that wait arrive in the order in which they were added', async () => {
  const { queue, sent, acknowledgeAll } = queueFor(['a']);
  // More than four messages.
  const names = Array.from({ length: 8_000 }, (_, i) => `name-${i}.of-some-length.test.`);
  const done = settled(queue.add(names.map((name) => replace(name, 1))));
  assert.equal(sent.length, 4);
  assert.ok(queue.waiting() > 0);
  const later = settled(queue.add([replace(names[0]!, 2), replace(names.at(-1)!, 2)]));
  const arrived: string[] = [];
  while (sent.length > 0) {
    arrived.push(...sent.flatMap((message) => message.names));
    acknowledgeAll();
  }
  assert.deepEqual(arrived, [...names.slice(0, -1).map((name) => `${name} 1`), `${names.at(-1)} 2`, `${names[0]} 2`]);
  assert.deepEqual([await done.now(), await later.now()], [true, true]);
});

test('a superseded change resolves only after its successor has been applied', async () => {
  const { queue, sent, acknowledgeAll } = queueFor(['a']);
  for (const name of ['one.test.', 'two.test.', 'three.test.', 'four.test.']) void queue.add([replace(name, 1)]);
  const earlier = settled(queue.add([replace('x.test.', 3)]));
  void queue.add([{ kind: 'remove-name', name: parseName('x.test.') }]);
  queue.acknowledge(sent[0].id, 'a');
  assert.equal(await earlier.now(), false);
  acknowledgeAll();
  acknowledgeAll();
  assert.equal(await earlier.now(), true);
});

test('a change resolves with its own message, not with one before, also if others were superseded', async () => {
  const { queue, sent } = queueFor(['a']);
  for (const name of ['one.test.', 'two.test.', 'three.test.', 'four.test.']) void queue.add([replace(name, 1)]);
  // More than one message; the window is full, so all of them wait.
  const names = Array.from({ length: 2000 }, (_, i) => `n${i}.test.`);
  const resolved = new Set<string>();
  for (const name of names) void queue.add([replace(name, 1)]).then(() => resolved.add(name));
  // Wherever a message ends, the next change or the one after it is a superseded one.
  for (let i = 0; i < names.length; i += 2) void queue.add([replace(names[i], 2)]);
  const acknowledged = new Set<string>();
  while (sent.length > 0) {
    const message = sent.shift()!;
    queue.acknowledge(message.id, 'a');
    for (const line of message.names) acknowledged.add(line.split(' ')[0]);
    await new Promise(setImmediate);
    assert.deepEqual(
      [...resolved],
      names.filter((name) => acknowledged.has(name)),
    );
  }
  assert.equal(resolved.size, names.length);
});

test('parts of a name that wait are joined: the last state of each, and all are the whole if the earlier ones were', () => {
  const { queue, sent, acknowledgeAll } = queueFor(['a']);
  const parts = (isWhole: boolean, ...stated: [part: number, ttlSeconds: number][]): Change => ({
    ...{ kind: 'replace-parts', name: parseName('x.test.'), isWhole },
    parts: stated.map(([part, ttl]) => ({ part, rrsets: replace('x.test.', ttl).records.rrsets })),
  });
  for (const name of ['one.test.', 'two.test.', 'three.test.', 'four.test.']) void queue.add([replace(name, 1)]);
  void queue.add([replace('x.test.', 1)]);
  void queue.add([parts(true, [1, 11], [2, 12])]);
  void queue.add([parts(false, [2, 22], [3, 23])]);
  acknowledgeAll();
  assert.deepEqual(sent.splice(0)[0].names, ['whole: 1 x.test. 11, 2 x.test. 22, 3 x.test. 23']);
});

test('a receiver that is gone is not waited for', async () => {
  const { queue, sent } = queueFor(['a', 'b']);
  const done = settled(queue.add([replace('x.test.', 5)]));
  queue.acknowledge(sent[0].id, 'a');
  queue.drop('b');
  assert.equal(await done.now(), true);
});

test('a change that cannot be encoded is skipped, and the others are sent', async () => {
  const { queue, sent, bad, acknowledgeAll } = queueFor(['a']);
  const wrong = replace('wrong.test.', 5);
  const records = [{ rdata: new Uint8Array(70_000), slot: 0, weight: 1 }];
  const change = { ...wrong, records: { ...wrong.records, rrsets: [{ ...wrong.records.rrsets[0], records }] } };
  const done = settled(queue.add([change, replace('right.test.', 5)]));
  assert.deepEqual(
    sent.map(({ names }) => names),
    [['right.test. 5']],
  );
  assert.equal(bad.length, 1);
  acknowledgeAll();
  assert.equal(await done.now(), true);
  const alone = settled(queue.add([change]));
  assert.equal(await alone.now(), true);
});

test('a large load is sent in messages of limited size', async () => {
  const receivers = ['a'];
  const sizes: number[] = [];
  const queue = createChangeQueue<string>({
    hashSeed: 1,
    receivers: () => receivers,
    send(receiver, id, bytes) {
      sizes.push(bytes.byteLength);
      setImmediate(() => queue.acknowledge(id, receiver));
    },
    onBad: () => assert.fail(),
  });
  await queue.add(Array.from({ length: 20_000 }, (_, i) => replace(`n${i}.test.`, 5)));
  assert.ok(sizes.length > 10);
  assert.ok(Math.max(...sizes) < 70_000, `${Math.max(...sizes)} bytes`);
});

test('after closing, pending and new changes are rejected', async () => {
  const { queue } = queueFor(['a']);
  const waiting = queue.add([replace('x.test.', 5)]);
  queue.close();
  await assert.rejects(waiting, /closed/);
  await assert.rejects(queue.add([replace('y.test.', 5)]), /closed/);
});

function replace(name: string, ttlSeconds: number): Extract<Change, { kind: 'replace-name' }> {
  const records = [{ rdata: Uint8Array.of(1, 2, 3, 4), slot: 0, weight: 1 }];
  const rrset = {
    type: 1,
    ttlSeconds,
    records,
    routing: 'multivalue',
    maxAnswers: 0,
    whenAllUnhealthy: 'nodata',
  } as const;
  return { kind: 'replace-name', records: { name: parseName(name), rrsets: [rrset] } };
}

function namesIn(bytes: ArrayBuffer): string[] {
  const words = new Int32Array(bytes);
  const names: string[] = [];
  const fail = () => assert.fail();
  const target = {
    replaceName(block: Int32Array, at: number) {
      const length = block[at + BLOCK.NAME] & 0xff;
      const name = new Uint8Array(block.buffer, (at + BLOCK.NAME_BYTES) * 4, length);
      names.push(`${formatName(name)} ${block[at + BLOCK.NAME_BYTES + ((length + 3) >> 2) + 1]}`);
    },
    replaceParts(isWhole: boolean, blocks: readonly PartBlock[]) {
      const parts: string[] = [];
      for (const { part, words } of blocks) {
        target.replaceName(words, 0);
        parts.push(`${part} ${names.pop()}`);
      }
      names.push(`${isWhole ? 'whole: ' : ''}${parts.join(', ')}`);
    },
    removeName: (_hash: number, name: Uint8Array) => void names.push(`${formatName(name)} removed`),
    replaceZone: fail,
    removeZone: fail,
    replaceReason: fail,
    podName: fail,
  };
  for (let at = 0; at < words.length; ) at = applyEntry(words, at, target);
  return names;
}

function settled(promise: Promise<unknown>) {
  let done = false;
  void promise.then(() => {
    done = true;
  });
  return {
    async now() {
      await new Promise((resolve) => setImmediate(resolve));
      return done;
    },
  };
}
