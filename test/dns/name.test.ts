import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  addressOfReverseName,
  canonicalName,
  formatName,
  isSubdomain,
  labelCount,
  labelOffsets,
  lowerCased,
  NameError,
  nameEnd,
  parentOf,
  parseName,
  parseNameKeepingCase,
  reverseName,
  sameName,
} from '../../src/dns/name.ts';
import { wireName } from '../support/dns-arbitraries.ts';

test('any name survives a round trip through text', () => {
  fc.assert(
    fc.property(wireName, (name) => {
      assert.deepEqual(parseNameKeepingCase(formatName(name)), name);
      assert.deepEqual(parseName(formatName(name)), lowerCased(name));
    }),
    { numRuns: 2000 },
  );
});

test('any text is a name or throws NameError', () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom('.', '\\', '0', '9', 'a', 'A', '@', 'é') })),
      (text) => {
        try {
          const name = parseName(text);
          assert.equal(nameEnd(name), name.length);
          assert.deepEqual(parseName(formatName(name)), name);
        } catch (error) {
          assert.ok(error instanceof NameError, String(error));
        }
      },
    ),
    { numRuns: 5000 },
  );
});

test('any bytes are an uncompressed name or throw NameError', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      try {
        assert.ok(formatName(bytes).endsWith('.'));
      } catch (error) {
        assert.ok(error instanceof NameError, String(error));
      }
    }),
    { numRuns: 5000 },
  );
});

test('names are absolute and lower case, with one form for each escape', () => {
  assert.equal(canonicalName('API.Production.Local'), 'api.production.local.');
  assert.equal(canonicalName('.'), '.');
  assert.equal(canonicalName('a\\.b.c'), 'a\\.b.c.');
  assert.equal(canonicalName('\\097\\.\\255.'), 'a\\.\\255.');
  assert.equal(canonicalName('*._tcp.x.'), '*._tcp.x.');
});

test('a name without the trailing dot is relative to the origin', () => {
  const origin = parseName('production.local.');
  assert.equal(formatName(parseName('api', origin)), 'api.production.local.');
  assert.equal(formatName(parseName('api.', origin)), 'api.');
  assert.equal(formatName(parseName('@', origin)), 'production.local.');
  assert.equal(formatName(parseName('api\\.', origin)), 'api\\..production.local.');
});

test('errors describe the problem with a name', () => {
  const cases: readonly [text: string, message: RegExp][] = [
    ['', /empty \(the root is "\."\)/],
    ['a..b', /"a\.\.b" has an empty label/],
    ['.a', /empty label/],
    ['a b', /a space or control character/],
    ['bücher.de', /outside ASCII \(write it in punycode/],
    ['\\256.', /bad escape \\256/],
    ['\\900.', /bad escape \\900/],
    ['a\\', /bad escape/],
    [`${'x'.repeat(64)}.`, /label of 64 bytes, at most 63/],
    [`${'x'.repeat(63)}.`.repeat(4), /too long: at most 255 bytes/],
  ];
  for (const [text, message] of cases) assert.throws(() => parseName(text), { name: 'NameError', message });
});

test('the longest names are accepted: 63-byte labels, 255 bytes in total', () => {
  const longest = `${`${'x'.repeat(63)}.`.repeat(3)}${'y'.repeat(61)}.`;
  assert.equal(parseName(longest).length, 255);
  assert.equal(formatName(parseName(longest)), longest);
  assert.throws(() => parseName(`y${longest}`), NameError);
  assert.equal(labelCount(parseName('a.'.repeat(127))), 127);
  assert.throws(() => parseName('a.'.repeat(128)), NameError);
});

test('a subdomain ends in the whole labels of the zone, regardless of case', () => {
  const name = (text: string) => parseNameKeepingCase(text);
  assert.equal(isSubdomain(name('x.A.b'), name('a.B')), true);
  assert.equal(isSubdomain(name('a.b'), name('a.b')), true);
  assert.equal(isSubdomain(name('a.b'), name('.')), true);
  assert.equal(isSubdomain(name('xa.b'), name('a.b')), false);
  assert.equal(isSubdomain(name('b'), name('a.b')), false);
  // The bytes of the zone "b." inside one label are not its labels.
  assert.equal(isSubdomain(name('a\\001b'), name('b')), false);
  assert.equal(sameName(name('A.b'), name('a.B')), true);
});

test('labels are counted, removed and prepended', () => {
  const name = parseName('a.bc.d');
  assert.deepEqual(labelOffsets(name), [0, 2, 5]);
  assert.equal(labelCount(name), 3);
  assert.equal(formatName(parentOf(name)!), 'bc.d.');
  assert.equal(parentOf(parseName('.')), undefined);
});

test('the reverse name of an address leads back to the address', () => {
  assert.equal(reverseName('10.1.2.3'), '3.2.1.10.in-addr.arpa.');
  assert.equal(reverseName('2001:db8::1'), `1.${'0.'.repeat(23)}8.b.d.0.1.0.0.2.ip6.arpa.`);
  for (const ip of ['10.1.2.3', '2001:db8::1', '::']) assert.equal(addressOfReverseName(reverseName(ip)), ip);
  assert.equal(addressOfReverseName('2.1.10.in-addr.arpa.'), undefined);
  assert.equal(addressOfReverseName('x.ip6.arpa.'), undefined);
  assert.throws(() => reverseName('10.1.2'), NameError);
});
