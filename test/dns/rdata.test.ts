import assert from 'node:assert/strict';
import { test } from 'node:test';
import dns2 from 'dns2';
import fc from 'fast-check';
import { formatName, parseName } from '../../src/dns/name.ts';
import { typesWithLayout } from '../../src/dns/rdata/layouts.ts';
import { composeRdata, formatGeneric, formatRdata, isWellFormed, RdataError } from '../../src/dns/rdata/rdata.ts';
import { soaRdata, srvRdata, txtRdata } from '../../src/dns/rdata/values.ts';
import { parseType, TYPE, typeName } from '../../src/dns/types.ts';
import { RDATA } from '../support/dns-arbitraries.ts';

test('every type with a text form has generated rdata', () => {
  assert.deepEqual(
    typesWithLayout().filter((type) => !RDATA.has(type)),
    [],
  );
});

for (const [type, rdata] of RDATA) {
  test(`any ${typeName(type)} rdata survive a round trip through text`, () => {
    fc.assert(
      fc.property(rdata, (bytes) => {
        const text = formatRdata(type, bytes);
        assert.ok(!text.startsWith('\\#'), text);
        assert.deepEqual(composeRdata(type, text), bytes);
        assert.deepEqual(composeRdata(type, formatGeneric(bytes)), bytes);
      }),
      { numRuns: 150 },
    );
  });
}

test('any bytes have a text form in every type, which yields the same bytes if they are valid for the type', () => {
  const anyType = fc.constantFrom(...typesWithLayout(), 65_280);
  fc.assert(
    fc.property(anyType, fc.uint8Array({ maxLength: 80 }), (type, bytes) => {
      const text = formatRdata(type, bytes);
      if (!isWellFormed(type, bytes)) assert.equal(text, formatGeneric(bytes));
      else composeRdata(type, text);
    }),
    { numRuns: 20_000 },
  );
});

test('any text is a value of its type or throws RdataError', () => {
  const words = fc.array(
    fc.constantFrom(
      '1',
      '0',
      '65536',
      'a.b.',
      '1.2.3.4',
      '::1',
      '"',
      '"x y"',
      '\\',
      '\\#',
      'AB',
      'alpn=',
      'port=1',
      'N',
      'E',
      '-1m',
      '20240101000000',
      ' ',
    ),
    { maxLength: 9 },
  );
  fc.assert(
    fc.property(
      fc.constantFrom(...typesWithLayout(), 65_280),
      fc.oneof(
        words.map((list) => list.join(' ')),
        fc.string(),
      ),
      (type, text) => {
        try {
          assert.ok(isWellFormed(type, composeRdata(type, text)), text);
        } catch (error) {
          assert.ok(error instanceof RdataError, String(error));
        }
      },
    ),
    { numRuns: 10_000 },
  );
});

test('values are parsed as people write them', () => {
  const cases: readonly [type: string, written: string, formatted: string][] = [
    ['AAAA', '2001:DB8::0:1', '2001:db8::1'],
    ['CNAME', 'API.Production.Local', 'api.production.local.'],
    ['MX', '10   mail.x.', '10 mail.x.'],
    ['SRV', '0\t5\n80\r\na.b', '0 5 80 a.b.'],
    ['TXT', 'v=spf1 -all', '"v=spf1 -all"'],
    ['TXT', '"a" "b c" "\\"\\\\\\001é"', '"a" "b c" "\\"\\\\\\001\\195\\169"'],
    ['CAA', '0 issue letsencrypt.org', '0 issue "letsencrypt.org"'],
    ['SRV', '0 5 80 a.b', '0 5 80 a.b.'],
    ['NAPTR', '100 10 "U" "E2U+sip" "!^.*$!sip:a@b!" .', '100 10 "U" "E2U+sip" "!^.*$!sip:a@b!" .'],
    ['SSHFP', '4 2 abcd ef01', '4 2 ABCDEF01'],
    ['LOC', '42 21 54 N 71 6 18 W -24m 30m', '42 21 54.000 N 71 6 18.000 W -24.00m 30m 10000m 10m'],
    ['HTTPS', '1 . port=443 alpn="h2,h3" mandatory=alpn', '1 . mandatory=alpn alpn="h2,h3" port=443'],
    ['HTTPS', '1 . port=443 alpn=h2 mandatory=port,alpn', '1 . mandatory=alpn,port alpn="h2" port=443'],
    ['SVCB', '0 svc.x.', '0 svc.x.'],
    ['A', '\\# 4 7f000001', '127.0.0.1'],
    ['TYPE65280', '\\# 3 aBcD eF', '\\# 3 ABCDEF'],
    ['TYPE65280', '\\# 0', '\\# 0'],
  ];
  for (const [type, written, formatted] of cases) {
    const number = parseType(type)!;
    assert.equal(formatRdata(number, composeRdata(number, written)), formatted);
  }
});

test('mandatory SvcParam keys must be in ascending order (RFC 9460 section 8)', () => {
  const rdata = composeRdata(TYPE.HTTPS, '1 . mandatory=alpn,port alpn=h2 port=443');
  assert.ok(isWellFormed(TYPE.HTTPS, rdata));
  const swapped = Uint8Array.from(rdata);
  swapped.set(rdata.subarray(9, 11), 7);
  swapped.set(rdata.subarray(7, 9), 9);
  assert.ok(!isWellFormed(TYPE.HTTPS, swapped));
});

test('a long TXT text is split if it is not quoted', () => {
  assert.equal(composeRdata(TYPE.TXT, 'x'.repeat(300)).length, 302);
  assert.throws(() => composeRdata(TYPE.TXT, `"${'x'.repeat(300)}"`), /at most 255 bytes a string, got 300/);
});

test('names in values are relative to the origin, if there is one', () => {
  const origin = parseName('production.local.');
  assert.equal(formatRdata(TYPE.MX, composeRdata(TYPE.MX, '10 mail', origin)), '10 mail.production.local.');
});

test('errors describe what was expected in rdata', () => {
  const cases: readonly [type: number, text: string, message: RegExp][] = [
    [
      TYPE.MX,
      'mail.x.',
      /^MX value must be `preference exchange`, got "mail\.x\.": preference must be a number from 0 to 65535$/,
    ],
    [TYPE.MX, '10', /exchange is missing/],
    [TYPE.MX, '10 a b', /unexpected "b"/],
    [TYPE.A, '::1', /A value must be `IPv4 address`, got "::1"/],
    [TYPE.TXT, '\\#', /length/],
    [TYPE.A, '\\# 3 010203', /the bytes are not a value of this type/],
    [TYPE.A, '\\# 4 0102', /length after \\# must be the number of bytes that follow \(2\)/],
    [TYPE.CNAME, 'a..b', /target must be a domain name: name "a\.\.b" has an empty label/],
    [TYPE.TXT, '"abc', /unclosed quote/],
    [TYPE.CAA, '0 is-sue x', /tag must be letters and digits/],
    [TYPE.HTTPS, '1 . mandatory=port', /list a missing key, or "mandatory" itself, as mandatory/],
    [TYPE.OPENPGPKEY, '""', /key must not be empty/],
    [TYPE.TLSA, '3 1 1 ""', /data must not be empty/],
    [TYPE.LOC, '99 N 1 E 1', /at most 90 degrees/],
    [65_280, 'foo', /TYPE65280 value must be `\\# length hex`/],
  ];
  for (const [type, text, message] of cases)
    assert.throws(() => composeRdata(type, text), { name: 'RdataError', message });
});

test('rdata composed from values equal those parsed from text', () => {
  const [mname, rname] = [parseName('ns.x.'), parseName('host.x.')];
  const soa = soaRdata({
    mname,
    rname,
    serial: 1,
    refreshSeconds: 2,
    retrySeconds: 3,
    expireSeconds: 4,
    minimumSeconds: 5,
  });
  assert.deepEqual(soa, composeRdata(TYPE.SOA, 'ns.x. host.x. 1 2 3 4 5'));
  assert.deepEqual(srvRdata(1, 300, 65_535, mname), composeRdata(TYPE.SRV, '1 300 65535 ns.x.'));
  assert.deepEqual(txtRdata('1.1.0', 'é'), composeRdata(TYPE.TXT, '"1.1.0" "é"'));
});

test('dns2 encodes the same bytes', () => {
  const { Packet } = dns2;
  const target = { name: '', class: 1, ttl: 0 };
  const cases: readonly [type: number, text: string, fields: object][] = [
    [TYPE.A, '192.0.2.1', { address: '192.0.2.1' }],
    [TYPE.AAAA, '2001:db8::1', { address: '2001:db8::1' }],
    [TYPE.NS, 'ns.x.', { ns: 'ns.x' }],
    [TYPE.MX, '10 mail.x.', { priority: 10, exchange: 'mail.x' }],
    [TYPE.SRV, '1 2 3 a.b.', { priority: 1, weight: 2, port: 3, target: 'a.b' }],
    [TYPE.TXT, '"a b" "c"', { data: ['a b', 'c'] }],
    [TYPE.CAA, '0 issue "x.y"', { flags: 0, tag: 'issue', value: 'x.y' }],
    [
      TYPE.SOA,
      'a.b. c.d. 1 2 3 4 5',
      { primary: 'a.b', admin: 'c.d', serial: 1, refresh: 2, retry: 3, expiration: 4, minimum: 5 },
    ],
    [TYPE.DNSKEY, '257 3 13 AQID', { flags: 257, protocol: 3, algorithm: 13, key: 'AQID' }],
  ];
  for (const [type, text, fields] of cases) {
    const packet = new Packet();
    packet.answers.push({ ...target, type, ...fields } as never);
    // After the header, the root's byte, type, class, TTL and length.
    assert.deepEqual(new Uint8Array(packet.toBuffer().subarray(23)), composeRdata(type, text), typeName(type));
  }
  assert.equal(formatName(parseName('a.b')), 'a.b.');
});
