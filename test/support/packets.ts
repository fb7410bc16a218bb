// Generated queries, and packets that nobody meant: queries with bytes changed, cut, doubled, joined.
import fc from 'fast-check';
import { composeMessage } from '../../src/dns/message/message.ts';
import { parseName } from '../../src/dns/name.ts';
import { wireName } from './dns-arbitraries.ts';

const type = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom(1, 2, 5, 6, 12, 15, 16, 28, 33, 251, 252, 255) },
  fc.nat(0xffff),
);
const option = fc.record({
  code: fc.oneof(fc.constant(3), fc.nat(0xffff)),
  data: fc.uint8Array({ maxLength: 20 }),
});
const edns = fc.record({
  version: fc.constantFrom(0, 0, 0, 1, 255),
  udpBytes: fc.nat(0xffff),
  dnssecOk: fc.boolean(),
  options: fc.array(option, { maxLength: 3 }),
});

/** Well-formed, opcode QUERY, most of them for these names. */
export function queriesFor(names: readonly string[]): fc.Arbitrary<Uint8Array> {
  const name = fc.oneof(
    { weight: 5, arbitrary: fc.constantFrom(...names).map((text) => parseName(text)) },
    { weight: 1, arbitrary: wireName },
  );
  return fc
    .record({
      id: fc.nat(0xffff),
      flags: fc.nat(0x7fff).map((flags) => flags & 0x07f0),
      name,
      type,
      class: fc.constantFrom(1, 1, 1, 1, 3, 4, 255),
      edns: fc.option(edns, { nil: undefined }),
    })
    .map((parts) =>
      composeMessage({ ...parts, questions: [{ name: parts.name, type: parts.type, class: parts.class }] }),
    );
}

const mutation = fc.record({
  kind: fc.constantFrom('byte' as const, 'cut' as const, 'insert' as const, 'double' as const),
  at: fc.nat(300),
  value: fc.nat(255),
});

/** The packets with some mutations. */
export const mutated = (packet: fc.Arbitrary<Uint8Array>): fc.Arbitrary<Uint8Array> =>
  fc
    .tuple(packet, fc.array(mutation, { minLength: 1, maxLength: 4 }))
    .map(([bytes, mutations]) => withMutations([...bytes], mutations));

function withMutations(list: number[], mutations: readonly { kind: string; at: number; value: number }[]): Uint8Array {
  for (const { kind, at, value } of mutations) {
    const place = list.length === 0 ? 0 : at % list.length;
    if (kind === 'byte') list[place] = value;
    else if (kind === 'cut') list.length = place;
    else if (kind === 'insert') list.splice(place, 0, value);
    else list.push(...list.slice(place));
  }
  return Uint8Array.from(list);
}
