// Generated names, rdata and messages for property tests.
import fc from 'fast-check';
import type { MessageParts } from '../../src/dns/message/message.ts';
import type { MessageRecord } from '../../src/dns/message/record.ts';
import { lowerCased, type WireName } from '../../src/dns/name.ts';
import { FLAG, TYPE } from '../../src/dns/types.ts';

const label = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.stringMatching(/^[a-zA-Z0-9_*-]{1,12}$/).map((text) => Uint8Array.from(Buffer.from(text))),
  },
  { weight: 1, arbitrary: fc.uint8Array({ minLength: 1, maxLength: 63 }) },
);

/** Names of any bytes, up to the limit of 255; case is mixed. */
export const wireName: fc.Arbitrary<WireName> = fc
  .array(label, { maxLength: 130 })
  .map((labels) => Uint8Array.from([...fitting(labels).flatMap((bytes) => [bytes.length, ...bytes]), 0]));

export const lowerName = wireName.map(lowerCased);

const uint8 = fc.nat(255);
const uint16 = fc.nat(0xffff);
const uint32 = fc.nat(0xffffffff);
const bytes = (minLength: number, maxLength: number) => fc.uint8Array({ minLength, maxLength });
const characterString = bytes(0, 255).map((text) => Uint8Array.from([text.length, ...text]));
const be16 = uint16.map((n) => Uint8Array.of(n >> 8, n));
const be32 = uint32.map((n) => Uint8Array.of(n >>> 24, n >>> 16, n >>> 8, n));
const be8 = uint8.map((n) => Uint8Array.of(n));

function parts(...arbitraries: readonly fc.Arbitrary<Uint8Array>[]): fc.Arbitrary<Uint8Array> {
  return fc.tuple(...arbitraries).map((fields) => Uint8Array.from(fields.flatMap((field) => [...field])));
}

const tag = fc.stringMatching(/^[a-z0-9]{1,15}$/).map((text) => Uint8Array.from([text.length, ...Buffer.from(text)]));
const bitmap = fc.uniqueArray(fc.nat(600), { minLength: 1, maxLength: 20 }).map(bitmapOf);
const angle = (max: number) =>
  fc.integer({ min: -max * 3_600_000, max: max * 3_600_000 }).map((n) => uint32Bytes(2 ** 31 + n));
/** One decimal digit and a power of ten; the forms that a number can be written back to. */
const precision = fc
  .tuple(fc.nat(9), fc.nat(9))
  .map(([digit, power]) => Uint8Array.of(digit === 0 ? 0 : (digit << 4) | power));
const parameter = fc.oneof(
  fc.tuple(fc.constant(1), fc.array(bytes(1, 20), { minLength: 1, maxLength: 4 })).map(([key, ids]) => ({
    key,
    value: Uint8Array.from(ids.flatMap((id) => [id.length, ...id])),
  })),
  fc.record({ key: fc.constant(3), value: be16 }),
  fc.record({ key: fc.constant(4), value: fc.array(bytes(4, 4), { minLength: 1, maxLength: 3 }).map(flattened) }),
  fc.record({ key: fc.constant(5), value: bytes(1, 40) }),
  fc.record({ key: fc.constant(6), value: fc.array(bytes(16, 16), { minLength: 1, maxLength: 3 }).map(flattened) }),
  fc.record({ key: fc.integer({ min: 9, max: 65_534 }), value: bytes(0, 40) }),
);
const parameters = fc
  .uniqueArray(parameter, { maxLength: 5, selector: ({ key }) => key })
  .map((list) =>
    flattened(
      list
        .sort((a, b) => a.key - b.key)
        .map(({ key, value }) => Uint8Array.from([key >> 8, key & 255, 0, value.length, ...value])),
    ),
  );

/** Well-formed rdata of each type that has a text form, names in lower case. */
export const RDATA: ReadonlyMap<number, fc.Arbitrary<Uint8Array>> = new Map([
  [TYPE.A, bytes(4, 4)],
  [
    TYPE.AAAA,
    fc.oneof(
      bytes(16, 16),
      fc.array(fc.constantFrom(0, 0, 0, 1, 255), { minLength: 16, maxLength: 16 }).map((list) => Uint8Array.from(list)),
    ),
  ],
  ...[TYPE.NS, TYPE.CNAME, TYPE.PTR, TYPE.DNAME, TYPE.MD, TYPE.MF, TYPE.MB, TYPE.MG, TYPE.MR].map(
    (type) => [type, lowerName] as const,
  ),
  [TYPE.MX, parts(be16, lowerName)],
  [TYPE.SRV, parts(be16, be16, be16, lowerName)],
  ...[TYPE.TXT, TYPE.SPF].map(
    (type) => [type, fc.array(characterString, { minLength: 1, maxLength: 4 }).map(flattened)] as const,
  ),
  [TYPE.SOA, parts(lowerName, lowerName, be32, be32, be32, be32, be32)],
  [TYPE.CAA, parts(be8, tag, bytes(0, 60))],
  [TYPE.HINFO, parts(characterString, characterString)],
  ...[TYPE.RP, TYPE.MINFO].map((type) => [type, parts(lowerName, lowerName)] as const),
  ...[TYPE.AFSDB, TYPE.RT, TYPE.KX].map((type) => [type, parts(be16, lowerName)] as const),
  [TYPE.PX, parts(be16, lowerName, lowerName)],
  [TYPE.LOC, parts(fc.constant(Uint8Array.of(0)), precision, precision, precision, angle(90), angle(180), be32)],
  [TYPE.NAPTR, parts(be16, be16, characterString, characterString, characterString, lowerName)],
  [TYPE.SSHFP, parts(be8, be8, bytes(1, 64))],
  ...[TYPE.TLSA, TYPE.SMIMEA].map((type) => [type, parts(be8, be8, be8, bytes(1, 64))] as const),
  [TYPE.OPENPGPKEY, bytes(1, 300)],
  [TYPE.URI, parts(be16, be16, bytes(0, 60))],
  ...[TYPE.SVCB, TYPE.HTTPS].map((type) => [type, parts(be16, lowerName, parameters)] as const),
  ...[TYPE.DS, TYPE.CDS].map((type) => [type, parts(be16, be8, be8, bytes(1, 48))] as const),
  ...[TYPE.DNSKEY, TYPE.CDNSKEY].map((type) => [type, parts(be16, be8, be8, bytes(1, 260))] as const),
  [TYPE.RRSIG, parts(be16, be8, be8, be32, be32, be32, be16, lowerName, bytes(1, 256))],
  [TYPE.NSEC, parts(lowerName, bitmap)],
]);

const TYPES = [...RDATA.keys()];

export const messageRecord: fc.Arbitrary<MessageRecord> = fc.constantFrom(...TYPES, 65_280).chain((type) =>
  object({
    name: wireName,
    type: fc.constant(type as number),
    class: fc.constant(1),
    ttlSeconds: fc.nat(0x7fffffff),
    rdata: RDATA.get(type) ?? bytes(0, 64),
  }),
);

const flags = fc
  .nat(0xffff)
  .map((n) => n & (FLAG.QR | FLAG.AA | FLAG.TC | FLAG.RD | FLAG.RA | FLAG.Z | FLAG.AD | FLAG.CD));
const section = fc.array(messageRecord, { maxLength: 4 });
const edns = object({
  version: uint8,
  udpBytes: uint16,
  dnssecOk: fc.boolean(),
  options: fc.array(object({ code: uint16, data: bytes(0, 40) }), { maxLength: 3 }),
});

export const messageParts: fc.Arbitrary<MessageParts> = object({
  id: uint16,
  opcode: fc.nat(15),
  flags,
  questions: fc.array(object({ name: wireName, type: uint16, class: uint16 }), { maxLength: 2 }),
  answers: section,
  authorities: section,
  additionals: section,
  edns: fc.option(edns, { nil: undefined }),
})
  .chain((message) => object({ message: fc.constant(message), rcode: fc.nat(message.edns ? 0xfff : 15) }))
  .map(({ message, rcode }) => ({ ...message, rcode }));

/** As many of the labels as a name of 255 bytes holds. */
function fitting(labels: readonly Uint8Array[]): readonly Uint8Array[] {
  let room = 254;
  return labels.filter((bytes) => {
    if (bytes.length + 1 > room) return false;
    room -= bytes.length + 1;
    return true;
  });
}

function flattened(list: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(list.flatMap((item) => [...item]));
}

function uint32Bytes(n: number): Uint8Array {
  return Uint8Array.of(n >>> 24, n >>> 16, n >>> 8, n);
}

function bitmapOf(types: readonly number[]): Uint8Array {
  const windows = [...new Set(types.map((type) => type >> 8))].sort((a, b) => a - b);
  return flattened(
    windows.map((window) => {
      const bits = new Uint8Array(32);
      for (const type of types) if (type >> 8 === window) bits[(type & 255) >> 3] |= 0x80 >> (type & 7);
      const length = bits.findLastIndex((byte) => byte !== 0) + 1;
      return Uint8Array.from([window, length, ...bits.subarray(0, length)]);
    }),
  );
}

/** fast-check's records may lack a prototype, which deepEqual calls a difference. */
function object<T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> {
  return fc.record<T>(model, { noNullPrototype: true }) as fc.Arbitrary<T>;
}
