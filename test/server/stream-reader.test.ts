import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { buffered, createStreamReader, keep, nextLength, push, skip } from '../../src/server/tcp/stream-reader.ts';
import { framed } from '../support/transports.ts';

/** Reads as a transport does: into one chunk, which is overwritten after each `keep`. Some messages wait for the next time. */
function readAll(stream: Uint8Array, cuts: readonly number[], mostAtOnce = Number.POSITIVE_INFINITY): Uint8Array[] {
  const reader = createStreamReader();
  const chunk = new Uint8Array(Math.max(1, ...cuts));
  const read: Uint8Array[] = [];
  const take = (most: number) => {
    for (let taken = 0, length = nextLength(reader); length >= 0 && taken < most; taken++) {
      const at = reader.start + 2;
      read.push(reader.bytes.slice(at, at + length));
      skip(reader, length);
      length = nextLength(reader);
    }
    keep(reader);
    chunk.fill(0xff);
  };
  for (let at = 0, i = 0; at < stream.length; i++) {
    const part = stream.subarray(at, at + cuts[i % cuts.length]);
    chunk.set(part);
    push(reader, chunk, part.length);
    at += part.length;
    take(mostAtOnce);
  }
  take(Number.POSITIVE_INFINITY);
  assert.equal(buffered(reader), 0);
  assert.equal(reader.bytes.length, 0);
  return read;
}

test('messages of a stream are read as sent, however it is cut and however late they are taken', () => {
  const property = fc.property(
    fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 20 }),
    fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1, maxLength: 50 }),
    fc.integer({ min: 0, max: 3 }),
    (messages, cuts, mostAtOnce) => {
      const stream = Buffer.concat(messages.map(framed));
      const expected = messages.map((message) => Uint8Array.from(message));
      assert.deepEqual(readAll(stream, cuts, mostAtOnce), expected);
    },
  );
  fc.assert(property, { numRuns: 500 });
});

test('the largest message is read one byte at a time', () => {
  const message = new Uint8Array(65_535).map((_, i) => i);
  assert.deepEqual(readAll(framed(message), [1]), [message]);
});
