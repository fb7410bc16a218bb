// PUSH (RFC 8765 section 6.3): changes of the records that a client subscribes to.
import { HEADER_BYTES, MAX_TTL_SECONDS } from '../limits.ts';
import type { WireName } from '../name.ts';
import { readRdata, writeRdata } from '../rdata/wire.ts';
import { MessageError, type WireReader } from '../reader.ts';
import { CLASS, TYPE } from '../types.ts';
import { WireWriter, writeUint16 } from '../writer.ts';
import { type AnswerRules, composeRules, parseRules, type SentRules } from './answer-rules.ts';
import { DSO_TYPE, PREFIX_BYTES, TLV_HEAD_BYTES, type Tlv, writeDsoHead } from './message.ts';
import { readerOf } from './operations.ts';

/** RFC 8765 section 6.3.1, without the length in front. */
export const MAX_PUSH_BYTES = 16_382;

/** Added (or added again with another TTL or weight), removed, or all of its type removed. */
export interface Change {
  readonly action: 'add' | 'remove' | 'remove-all';
  readonly name: WireName;
  /** With `remove-all`, ANY: of every type. */
  readonly type: number;
  readonly class: number;
  /** 0 unless added. */
  readonly ttlSeconds: number;
  /** Uncompressed. */
  readonly rdata: Uint8Array;
  /** Of an added record; see AnswerRules. */
  readonly weight: number;
}

const REMOVE = 0xffff_ffff;
const REMOVE_ALL = 0xffff_fffe;
const NO_RDATA = new Uint8Array(0);
const RECORD_FIXED_BYTES = 10;

export interface Push {
  readonly changes: readonly Change[];
  /** undefined: another server's, or of a later version. */
  readonly rules: SentRules | undefined;
}

/**
 * The changes of a PUSH message and the rules of the state that they lead to; `tlvs` are those of the message. Records with a
 * TTL that has no meaning are left out (RFC 8765 section 6.3.1). Throws MessageError: then the session is to be aborted.
 */
export function parsePush(message: Uint8Array, [primary, ...additional]: readonly Tlv[]): Push {
  if (message.length > MAX_PUSH_BYTES) throw new MessageError(`a PUSH of ${message.length} bytes`);
  const reader = readerOf(message, primary);
  const sent = additional.find(({ type }) => type === DSO_TYPE.ANSWER_RULES);
  const rules = sent && parseRules(sent);
  const changes: Change[] = [];
  if (reader.at === reader.end) throw new MessageError('a PUSH without a change');
  for (let added = 0; reader.at < reader.end; ) {
    const change = readChange(reader);
    if (change?.action === 'add') changes.push({ ...change, weight: rules?.weights[added++] ?? 1 });
    else if (change !== undefined) changes.push(change);
  }
  return { changes, rules };
}

function readChange(reader: WireReader): Change | undefined {
  const name = reader.name();
  const type = reader.uint16();
  const recordClass = reader.uint16();
  const ttl = reader.uint32();
  const length = reader.uint16();
  if (reader.at + length > reader.end) throw new MessageError(`the rdata at ${reader.at} runs past the end`);
  const change = { name, type, class: recordClass, ttlSeconds: 0, weight: 1 };
  if (ttl === REMOVE_ALL) {
    if (length > 0) throw new MessageError('a collective remove has rdata');
    return { ...change, action: 'remove-all', rdata: NO_RDATA };
  }
  const isAdd = ttl <= MAX_TTL_SECONDS;
  if (!isAdd && ttl !== REMOVE) {
    reader.skip(length);
    return undefined;
  }
  if (type === TYPE.ANY || recordClass === CLASS.ANY) throw new MessageError('a change of one record names ANY');
  // Empty rdata is valid (RFC 8765 section 6.3.1), also of types whose fields are read.
  const rdata = length === 0 ? NO_RDATA : readRdata(reader, type, length);
  return isAdd ? { ...change, action: 'add', ttlSeconds: ttl, rdata } : { ...change, action: 'remove', rdata };
}

/**
 * Messages with their lengths in front: as many as the changes need, each of at most 16,384 bytes with its length. Without
 * `rules`, only what the RFC defines. A change that does not fit into a message throws MessageError.
 */
export function composePush(changes: readonly Change[], rules?: AnswerRules): Uint8Array[] {
  const rulesBytes = rules === undefined ? 0 : TLV_HEAD_BYTES + composeRules(sentRules(rules, [], false)).length;
  const messages: Uint8Array[] = [];
  for (let from = 0; from < changes.length; ) {
    let room = MAX_PUSH_BYTES - HEADER_BYTES - TLV_HEAD_BYTES - rulesBytes;
    let end = from;
    for (; end < changes.length; end++) {
      const { name, rdata } = changes[end];
      // Not compressed: a little less than would fit.
      room -= name.length + RECORD_FIXED_BYTES + rdata.length + (rules === undefined ? 0 : 2);
      if (room < 0) break;
    }
    if (end === from)
      throw new MessageError(`a record of ${changes[from].rdata.length} bytes does not fit into a PUSH`);
    const part = changes.slice(from, end);
    messages.push(composePart(part, rules && sentRules(rules, part, end < changes.length)));
    from = end;
  }
  return messages;
}

function sentRules(rules: AnswerRules, changes: readonly Change[], isPartial: boolean): SentRules {
  const weights = changes.filter(({ action }) => action === 'add').map(({ weight }) => weight);
  return { ...rules, isPartial, weights: weights.every((weight) => weight === 1) ? [] : weights };
}

function composePart(changes: readonly Change[], rules: SentRules | undefined): Uint8Array {
  const writer = new WireWriter(scratch, 'exact');
  writer.at = HEADER_BYTES;
  writer.uint16(DSO_TYPE.PUSH);
  const lengthAt = writer.at;
  writer.uint16(0);
  for (const change of changes) writeChange(writer, change);
  writeUint16(scratch, lengthAt, writer.at - lengthAt - 2);
  if (rules !== undefined) {
    const data = composeRules(rules);
    writer.uint16(DSO_TYPE.ANSWER_RULES);
    writer.uint16(data.length);
    writer.put(data);
  }
  const bytes = new Uint8Array(PREFIX_BYTES + writer.at);
  bytes.set(scratch.subarray(0, writer.at), PREFIX_BYTES);
  writeDsoHead(bytes, {});
  return bytes;
}

/** The header is overwritten, so no compression pointer may refer to its bytes. */
const scratch = new Uint8Array(MAX_PUSH_BYTES);

function writeChange(writer: WireWriter, change: Change): void {
  writer.name(change.name);
  writer.uint16(change.type);
  writer.uint16(change.class);
  writer.uint32(change.action === 'add' ? change.ttlSeconds : change.action === 'remove' ? REMOVE : REMOVE_ALL);
  const lengthAt = writer.at;
  writer.uint16(0);
  writeRdata(writer, change.type, change.rdata);
  writeUint16(writer.bytes, lengthAt, writer.at - lengthAt - 2);
}
