// What an ordinary answer expresses and a PUSH cannot: weights, the number of records answered, and the answer of a name that has
// no records. Sent as an additional TLV from the local-use range, which other clients ignore (RFC 8490 section 5.4.5), with each
// PUSH, and with the response to SUBSCRIBE if no PUSH follows.
//
//   version 1 | flags | RCODE | whenAllUnhealthy | max answers (2) | type (2) | name
//   | errors | each: code (2), length, text | 1 if an SOA follows: owner, TTL (4), rdlength (2), rdata
//   | weights (2) | each (2)
//
// Numbers are big-endian, names are not compressed.
import type { ExtendedError } from '../message/opt.ts';
import type { MessageRecord } from '../message/record.ts';
import type { WireName } from '../name.ts';
import { MessageError, WireReader } from '../reader.ts';
import { CLASS, TYPE } from '../types.ts';
import { writeUint16, writeUint32 } from '../writer.ts';
import type { Tlv } from './message.ts';

export interface AnswerRules {
  /** The subscription, in lower case. */
  readonly name: WireName;
  readonly type: number;
  /** The records are those of a wildcard. */
  readonly isWildcard: boolean;
  /** One record is answered, each in proportion to its weight. */
  readonly isWeighted: boolean;
  /** 0: all. */
  readonly maxAnswers: number;
  /** The index in POLICIES of plane/layout.ts. */
  readonly whenAllUnhealthy: number;
  /** Of the ordinary answer, as the errors and the SOA. */
  readonly rcode: number;
  readonly errors: readonly ExtendedError[];
  /** Of a negative answer; the TTL is for how long it holds. */
  readonly soa?: MessageRecord;
}

export interface SentRules extends AnswerRules {
  /** More PUSH messages follow: the state is complete only with the last one. */
  readonly isPartial: boolean;
  /** Of the records that the same PUSH adds, in their order; empty: every weight is 1. */
  readonly weights: readonly number[];
}

const VERSION = 1;
const FLAG = { WILDCARD: 1, WEIGHTED: 2, PARTIAL: 4 } as const;
const FIXED_BYTES = 8;
const MAX_ERRORS = 4;
const MAX_TEXT_BYTES = 255;

/** undefined: of a later version. Throws MessageError. */
export function parseRules({ data }: Tlv): SentRules | undefined {
  if (data.length < 1) throw new MessageError('answer rules without a version');
  if (data[0] !== VERSION) return undefined;
  const reader = new WireReader(data);
  const [, flags, rcode, whenAllUnhealthy] = data.subarray(0, reader.skip(4) + 4);
  const maxAnswers = reader.uint16();
  const type = reader.uint16();
  const name = reader.name();
  const errors = parseErrors(reader);
  const soa = byte(reader) === 0 ? undefined : parseSoa(reader);
  const weights: number[] = [];
  for (let left = reader.uint16(); left > 0; left--) weights.push(reader.uint16());
  return {
    ...{ name, type, maxAnswers, rcode, errors, weights, whenAllUnhealthy: whenAllUnhealthy & 3 },
    isWildcard: (flags & FLAG.WILDCARD) !== 0,
    isWeighted: (flags & FLAG.WEIGHTED) !== 0,
    isPartial: (flags & FLAG.PARTIAL) !== 0,
    ...(soa && { soa }),
  };
}

export function composeRules(rules: SentRules): Uint8Array {
  const errors = rules.errors.slice(0, MAX_ERRORS).map(({ infoCode, text }) => {
    const bytes = Buffer.from(text).subarray(0, MAX_TEXT_BYTES);
    return Uint8Array.from([infoCode >> 8, infoCode & 255, bytes.length, ...bytes]);
  });
  const soa = rules.soa === undefined ? Uint8Array.of(0) : composeSoa(rules.soa);
  const { weights } = rules;
  const fixed = new Uint8Array(FIXED_BYTES);
  fixed[0] = VERSION;
  fixed[1] =
    (rules.isWildcard ? FLAG.WILDCARD : 0) |
    (rules.isWeighted ? FLAG.WEIGHTED : 0) |
    (rules.isPartial ? FLAG.PARTIAL : 0);
  fixed[2] = rules.rcode;
  fixed[3] = rules.whenAllUnhealthy;
  writeUint16(fixed, writeUint16(fixed, 4, rules.maxAnswers), rules.type);
  const tail = new Uint8Array(2 + 2 * weights.length);
  let at = writeUint16(tail, 0, weights.length);
  for (const weight of weights) at = writeUint16(tail, at, weight);
  return Buffer.concat([fixed, rules.name, Uint8Array.of(errors.length), ...errors, soa, tail]);
}

function parseErrors(reader: WireReader): ExtendedError[] {
  const errors: ExtendedError[] = [];
  const count = byte(reader);
  if (count > MAX_ERRORS) throw new MessageError(`answer rules with ${count} errors`);
  for (let left = count; left > 0; left--) {
    const infoCode = reader.uint16();
    errors.push({ infoCode, text: Buffer.from(reader.take(byte(reader))).toString() });
  }
  return errors;
}

function parseSoa(reader: WireReader): MessageRecord {
  const name = reader.name();
  const ttlSeconds = reader.uint32();
  return { name, type: TYPE.SOA, class: CLASS.IN, ttlSeconds, rdata: reader.take(reader.uint16()) };
}

function composeSoa({ name, ttlSeconds, rdata }: MessageRecord): Uint8Array {
  const bytes = new Uint8Array(1 + name.length + 6 + rdata.length);
  bytes[0] = 1;
  bytes.set(name, 1);
  bytes.set(rdata, writeUint16(bytes, writeUint32(bytes, 1 + name.length, ttlSeconds), rdata.length));
  return bytes;
}

const byte = (reader: WireReader): number => reader.bytes[reader.skip(1)];
