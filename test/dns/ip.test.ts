import assert from 'node:assert/strict';
import { isIP } from 'node:net';
import { test } from 'node:test';
import fc from 'fast-check';
import { canonicalIp, formatIp, ipFamily, parseIp } from '../../src/dns/ip.ts';

test('IPv6 addresses are written as in RFC 5952', () => {
  const cases: readonly [given: string, canonical: string][] = [
    ['2001:DB8:0:0:0:0:0:1', '2001:db8::1'],
    ['0:0:0:0:0:0:0:0', '::'],
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'],
    ['1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:0'],
    ['2001:db8::0001', '2001:db8::1'],
    ['::ffff:1.2.3.4', '::ffff:1.2.3.4'],
    ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
  ];
  for (const [given, canonical] of cases) assert.equal(canonicalIp(given), canonical);
});

test('an invalid address is rejected', () => {
  const bad = [
    '',
    '1.2.3',
    '1.2.3.4.5',
    '01.2.3.4',
    '1.2.3.256',
    '1..2.3',
    ' 1.2.3.4',
    ':',
    ':::',
    '1:',
    ':1',
    '1::2::3',
    '12345::',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4:5:6:7:8::',
    'fe80::1%eth0',
    '1.2.3.4::',
    '::1.2.3',
    'g::',
  ];
  for (const text of bad) assert.equal(parseIp(text), undefined, text);
  assert.throws(() => formatIp(new Uint8Array(5)), RangeError);
});

test('any address survives a round trip through text', () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.uint8Array({ minLength: 4, maxLength: 4 }), fc.uint8Array({ minLength: 16, maxLength: 16 })),
      (bytes) => {
        assert.deepEqual(parseIp(formatIp(bytes)), bytes);
        assert.equal(ipFamily(formatIp(bytes)), bytes.length === 4 ? 4 : 6);
      },
    ),
  );
});

test('a text is an address exactly if Node’s parser accepts it', () => {
  const text = fc.string({ unit: fc.constantFrom('0', '1', '25', 'f', ':', '::', '.', '1.2.3.4'), maxLength: 12 });
  fc.assert(
    fc.property(fc.oneof(text, fc.ipV4(), fc.ipV6()), (ip) => assert.equal(ipFamily(ip), isIP(ip), ip)),
    { numRuns: 5000 },
  );
});
