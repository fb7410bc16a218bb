import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createJsonLines } from '../../../src/sources/kubernetes/watch/json-lines.ts';

function read(chunks: readonly Buffer[], maxLineBytes?: number) {
  const read = { values: [] as unknown[], tooLong: 0, broken: 0 };
  const handler = {
    value: (value: unknown) => void read.values.push(value),
    tooLong: () => void read.tooLong++,
    broken: () => void read.broken++,
  };
  const lines = createJsonLines(handler, maxLineBytes);
  for (const chunk of chunks) lines.push(chunk);
  return read;
}

/** Cuts a buffer at the given places. */
function cut(buffer: Buffer, places: readonly number[]): Buffer[] {
  const ends = [...places.map((place) => place % (buffer.length + 1)), buffer.length].sort((a, b) => a - b);
  return ends.map((end, i) => buffer.subarray(i === 0 ? 0 : ends[i - 1], end));
}

test('JSON lines are the same however the stream is cut', () => {
  fc.assert(
    fc.property(fc.array(fc.jsonValue(), { maxLength: 8 }), fc.array(fc.nat(), { maxLength: 12 }), (values, places) => {
      const text = values.map((value) => `${JSON.stringify(value)}\n`).join('');
      const expected = values.map((value) => JSON.parse(JSON.stringify(value)));
      assert.deepEqual(read(cut(Buffer.from(text), places)), { values: expected, tooLong: 0, broken: 0 });
    }),
  );
});

test('any bytes are survived, and the next line is read', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      const { values } = read([Buffer.from(bytes), Buffer.from('\n{"a":1}\n')]);
      assert.deepEqual(values.at(-1), { a: 1 });
    }),
  );
});

test('an invalid line is distinguished from one that is too long', () => {
  assert.deepEqual(read([Buffer.from('{"cut":"of\n')]), { values: [], tooLong: 0, broken: 1 });
});

test('a line over the limit is skipped without buffering it, and the next is read', () => {
  const long = Buffer.from(`"${'x'.repeat(2_000)}"\n"short"\n`);
  assert.deepEqual(read(cut(long, [10, 500, 1_500]), 1_000), { values: ['short'], tooLong: 1, broken: 0 });
});
