import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createFrames } from '../../../../src/sources/kubernetes/protobuf/envelope.ts';
import { frame } from '../../../support/protobuf-writer.ts';

function read(chunks: readonly Buffer[], maxFrameBytes?: number) {
  const read = { frames: [] as string[], tooLong: 0 };
  const frames = createFrames(
    {
      frame: ({ buffer, start, end }) => void read.frames.push(buffer.toString('latin1', start, end)),
      tooLong: () => void read.tooLong++,
    },
    maxFrameBytes,
  );
  for (const chunk of chunks) frames.push(chunk);
  return read;
}

/** Cuts a buffer at the given places. */
function cut(buffer: Buffer, places: readonly number[]): Buffer[] {
  const ends = [...places.map((place) => place % (buffer.length + 1)), buffer.length].sort((a, b) => a - b);
  return ends.map((end, i) => buffer.subarray(i === 0 ? 0 : ends[i - 1], end));
}

test('frames are the same however the stream is cut, and those over the limit are skipped', () => {
  const texts = fc.array(fc.string({ maxLength: 40, unit: 'binary-ascii' }), { maxLength: 8 });
  fc.assert(
    fc.property(texts, fc.array(fc.nat(), { maxLength: 30 }), fc.nat(40), (all, places, limit) => {
      const stream = Buffer.concat(all.map((text) => frame(Buffer.from(text))));
      const expected = all.filter((text) => text.length <= limit);
      assert.deepEqual(read(cut(stream, places), limit), { frames: expected, tooLong: all.length - expected.length });
    }),
    { numRuns: 500 },
  );
});

test('a frame over the limit is skipped as it arrives, without buffering it', () => {
  const gigabytes = Buffer.from([0xff, 0xff, 0xff, 0xff]);
  assert.deepEqual(read([gigabytes, ...Array.from({ length: 100 }, () => Buffer.alloc(1_000))]), {
    frames: [],
    tooLong: 1,
  });
});
