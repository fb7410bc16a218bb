import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatListenAddress, parseListenAddress } from '../../src/config/sections/listen.ts';
import { distance, nearest } from '../../src/reading/suggest.ts';

test('edit distance counts insertions, deletions, substitutions and transpositions', () => {
  const words = [
    ['', '', 0],
    ['heathCheck', 'healthCheck', 1],
    ['nmae', 'name', 1],
    ['kitten', 'sitting', 3],
    ['ca', 'abc', 3],
  ] as const;
  for (const [a, b, expected] of words) assert.equal(distance(a, b), expected, `${a} ${b}`);
});

test('edit distance is symmetric, and 0 only for equal words', () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), (a, b) => {
      assert.equal(distance(a, b), distance(b, a));
      assert.equal(distance(a, b) === 0, a === b);
    }),
  );
});

test('only similar words are suggested', () => {
  const known = ['name', 'ttlSeconds', 'healthCheck', 'nameServers'];
  assert.equal(nearest('HEALTHCHECK', known), 'healthCheck');
  assert.equal(nearest('ttl', known), 'ttlSeconds');
  assert.equal(nearest('zebra', known), undefined);
  assert.equal(nearest('x'.repeat(10_000), known), undefined);
});

test('listen addresses are parsed as written', () => {
  for (const text of ['0.0.0.0:53', '[::]:53', '[2001:db8::1]:65535', '127.0.0.1:0'])
    assert.equal(formatListenAddress(parseListenAddress(text)), text);
  assert.throws(
    () => parseListenAddress('localhost:53'),
    /RangeError: expected ADDRESS:PORT .* \(names are not looked up\)/,
  );
});
