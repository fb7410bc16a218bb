import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BrokenMessage } from '../../../../src/reading/protobuf.ts';
import {
  listOf,
  readEnvelope,
  readStatusMessage,
  readWatchEvent,
} from '../../../../src/sources/kubernetes/protobuf/envelope.ts';
import { NAMESPACE } from '../../../../src/sources/kubernetes/protobuf/schemas.ts';
import { bytes, envelope, number, watchEvent } from '../../../support/protobuf-writer.ts';

const whole = (buffer: Buffer) => ({ buffer, start: 0, end: buffer.length });
const namespace = (name: string) => bytes(1, bytes(1, name), bytes(6, '42'));
const status = envelope('Status', Buffer.concat([bytes(2, 'Failure'), bytes(3, 'too old'), number(6, 410)]));

test('a protobuf event is decoded like its JSON', () => {
  const event = readWatchEvent(whole(watchEvent('ADDED', envelope('Namespace', namespace('shop')))), NAMESPACE);
  assert.deepEqual(event, { type: 'ADDED', object: { metadata: { name: 'shop', resourceVersion: '42' } } });
});

test('an error is decoded as an error, whatever kind is watched', () => {
  const event = readWatchEvent(whole(watchEvent('ERROR', status)), NAMESPACE);
  assert.deepEqual(event, { type: 'ERROR', object: { message: 'too old', code: 410 } });
  assert.equal(readStatusMessage(status), 'too old');
});

test('a list contains its items and its continue token', () => {
  const list = Buffer.concat([
    bytes(1, bytes(2, '7'), bytes(3, 'next')),
    bytes(2, namespace('a')),
    bytes(2, namespace('b')),
  ]);
  assert.deepEqual(readEnvelope(whole(envelope('NamespaceList', list)), listOf(NAMESPACE)), {
    metadata: { resourceVersion: '7', continue: 'next' },
    items: ['a', 'b'].map((name) => ({ metadata: { name, resourceVersion: '42' } })),
  });
});

const typed = (...more: Buffer[]) =>
  Buffer.concat([Buffer.from('k8s\0'), bytes(1, bytes(2, 'Namespace')), bytes(2, namespace('a')), ...more]);
const broken: Record<string, Buffer> = {
  'JSON where protobuf was said': Buffer.from('{"kind":"Namespace"}'),
  'an empty one': Buffer.alloc(0),
  'one without an object': Buffer.concat([Buffer.from('k8s\0'), bytes(1, bytes(2, 'Namespace'))]),
  'one with JSON in it': typed(bytes(4, 'application/json')),
  'one that is compressed': typed(bytes(3, 'gzip')),
};
for (const [what, buffer] of Object.entries(broken)) {
  test(`an envelope that is ${what} is rejected`, () => {
    assert.throws(() => readEnvelope(whole(buffer), NAMESPACE), BrokenMessage);
  });
}

test('a corrupted event is an event or a malformed message', () => {
  const seed = watchEvent('ADDED', envelope('Namespace', namespace('shop')));
  const changes = fc.array(fc.tuple(fc.nat(seed.length - 1), fc.nat(255)), { minLength: 1, maxLength: 3 });
  fc.assert(
    fc.property(changes, fc.nat(seed.length), (all, end) => {
      const buffer = Buffer.from(seed);
      for (const [at, byte] of all) buffer[at] = byte;
      try {
        readWatchEvent({ buffer, start: 0, end }, NAMESPACE);
      } catch (error) {
        assert.ok(error instanceof BrokenMessage, String(error));
      }
    }),
    { numRuns: 2_000 },
  );
});
