import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { packAddresses, unpackAddresses } from '../../src/registry/packed-instance.ts';

test('an IPv4 address is stored as a number, and read as it was written', () => {
  fc.assert(
    fc.property(fc.ipV4(), (address) => {
      assert.equal(typeof packAddresses([address]), 'number');
      assert.deepEqual(unpackAddresses(packAddresses([address])), [address]);
    }),
  );
});

test('any other text is read as it was written, even if it resembles an IPv4 address', () => {
  const texts = fc.oneof(fc.ipV6(), fc.string(), fc.string({ unit: fc.constantFrom('0', '1', '9', '.') }));
  fc.assert(fc.property(texts, (text) => assert.deepEqual(unpackAddresses(packAddresses([text])), [text])));
});
