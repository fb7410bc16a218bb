import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseName } from '../../src/dns/name.ts';
import { composeRdata } from '../../src/dns/rdata/rdata.ts';
import { parseType } from '../../src/dns/types.ts';
import { createWordWriter } from '../../src/memory/word-writer.ts';
import { compileName } from '../../src/plane/compile.ts';
import { compilePackedName } from '../../src/plane/compile-packed.ts';
import { nameEnd, packedHash, readRecord, unpackNames, writeRecord } from '../../src/plane/packed-names.ts';

const SEED = 7;
const NAMES = [
  'host-1.example.test. 300 A 192.0.2.1',
  '*.example.test. 5 TXT "text"',
  'six.example.test. 4294967295 AAAA 2001:db8::1',
  'alias.example.test. 5 CNAME host-1.example.test.',
  'sub.example.test. 5 NS ns.sub.example.test.',
  'old.example.test. 5 DNAME new.example.test.',
  'mail.example.test. 5 MX 10 mail.example.test.',
  'two.example.test. 5 A 192.0.2.1; two.example.test. 5 A 192.0.2.2; two.example.test. 9 TXT "x"',
  `long.example.test. 5 TXT ${Array.from({ length: 20 }, () => `"${'x'.repeat(60)}"`).join(' ')}`,
];

function packed(texts: readonly string[]): Uint8Array {
  const bytes = new Uint8Array(10_000);
  let end = 0;
  for (const text of texts.flatMap((one) => one.split('; '))) {
    const [, name, ttl, mnemonic, value] = /^(\S+) (\S+) (\S+) (.*)$/.exec(text)!;
    const type = parseType(mnemonic!)!;
    end = writeRecord(bytes, end, parseName(name!), type, Number(ttl), composeRdata(type, value!));
  }
  return bytes.slice(0, end);
}

test('a packed record is read as it was written', () => {
  const written = fc.record({
    name: fc.constantFrom('.', 'a.test.', `${'x'.repeat(63)}.example.test.`).map((text) => parseName(text)),
    type: fc.integer({ min: 1, max: 0xffff }),
    ttlSeconds: fc.oneof(fc.integer({ min: 0, max: 0xffff_ffff }), fc.constantFrom(300, 86_400, 0xffff_ffff)),
    rdata: fc.uint8Array({ maxLength: 600 }),
  });
  fc.assert(
    fc.property(written, ({ name, type, ttlSeconds, rdata }) => {
      const bytes = new Uint8Array(1000);
      const end = writeRecord(bytes, 3, name, type, ttlSeconds, rdata);
      assert.deepEqual(readRecord(bytes, 3), { name, type, ttlSeconds, rdata, end });
    }),
  );
});

test('the block of a packed name is that of its records', () => {
  for (const text of NAMES) {
    const bytes = packed([text, 'zz.example.test. 5 A 192.0.2.9']);
    const [records] = unpackNames(bytes);
    const [direct, usual] = [createWordWriter(), createWordWriter()];
    compilePackedName(direct, bytes, 0, nameEnd(bytes, 0), SEED);
    compileName(usual, records!, SEED);
    assert.deepEqual(new Int32Array(direct.finish()), new Int32Array(usual.finish()), text);
  }
});

test('packed names are separated correctly, whatever follows them', () => {
  const bytes = packed(NAMES);
  const counts = [...unpackNames(bytes)].map(({ rrsets }) => rrsets.map(({ records }) => records.length).join());
  assert.deepEqual(counts, ['1', '1', '1', '1', '1', '1', '1', '2,1', '1']);
});

test('the hash of a packed name is that of its content alone, and differs where the content does', () => {
  const hashOf = (...texts: string[]) => {
    const bytes = packed(texts);
    return packedHash(bytes, 0, nameEnd(bytes, 0));
  };
  const usual = hashOf('a.test. 5 TXT "abc"');
  assert.equal(hashOf('a.test. 5 TXT "abc"', 'zz.test. 5 TXT "z"'), usual);
  for (const name of ['other.test.', 'a.example.', 'a.io.']) assert.equal(hashOf(`${name} 5 TXT "abc"`), usual, name);
  for (const other of ['a.test. 6 TXT "abc"', 'a.test. 5 TXT "abd"', 'a.test. 5 SPF "abc"', 'a.test. 5 TXT "abcd"'])
    assert.notEqual(hashOf(other), usual, other);
  // Whatever is left of the content after its last whole word counts, too.
  for (const text of ['', 'a', 'ab', 'abc', 'abcd', 'abcde', 'abcdef', 'abcdefg'])
    assert.notEqual(hashOf(`a.test. 5 TXT "${text}x"`), hashOf(`a.test. 5 TXT "${text}y"`), text);
});
