import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createStreamReader } from '../../src/server/stream-reader.ts';
import { framed } from '../support/transports.ts';

test('messages come out as they were sent, however the stream was cut', () => {
  const property = fc.property(
    fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 20 }),
    fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1, maxLength: 50 }),
    (messages, cuts) => {
      const stream = Buffer.concat(messages.map(framed));
      const reader = createStreamReader();
      const read: Uint8Array[] = [];
      for (let at = 0, i = 0; at < stream.length; i++) {
        const end = at + cuts[i % cuts.length];
        // A copy, as the network gives: what is behind it is not the stream's.
        reader.push(Buffer.from(stream.subarray(at, end)));
        at = end;
        for (let message = reader.next(); message; message = reader.next()) read.push(Uint8Array.from(message));
      }
      assert.deepEqual(
        read,
        messages.map((message) => Uint8Array.from(message)),
      );
      assert.equal(reader.buffered(), 0);
    },
  );
  fc.assert(property, { numRuns: 300 });
});

test('the largest message, one byte at a time', () => {
  const message = new Uint8Array(65_535).map((_, i) => i);
  const stream = framed(message);
  const reader = createStreamReader();
  for (const byte of stream.subarray(0, -1)) {
    reader.push(Buffer.of(byte));
    assert.equal(reader.next(), undefined);
  }
  reader.push(stream.subarray(-1));
  assert.deepEqual(reader.next(), message);
});
