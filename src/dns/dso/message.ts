// DNS Stateful Operations (RFC 8490): messages whose body is a list of TLVs. They travel over streams only, so what is composed
// here begins with the two bytes of its length (RFC 1035 section 4.2.2), and what is parsed does not.
import { HEADER_BYTES, MAX_MESSAGE_BYTES } from '../limits.ts';
import { MessageError, WireReader } from '../reader.ts';
import { FLAG, OPCODE } from '../types.ts';
import { writeUint16 } from '../writer.ts';

/** RFC 8490 section 10.3, RFC 8765 section 8. */
export const DSO_TYPE = {
  KEEPALIVE: 1,
  RETRY_DELAY: 2,
  PADDING: 3,
  SUBSCRIBE: 0x40,
  PUSH: 0x41,
  UNSUBSCRIBE: 0x42,
  RECONFIRM: 0x43,
  /** Ours (answer-rules.ts), of the range for local use. */
  ANSWER_RULES: 0xf801,
} as const;

/** The length in front of a message. */
export const PREFIX_BYTES = 2;
export const TLV_HEAD_BYTES = 4;
/** More is not read: each operation has one TLV, and padding. */
const MAX_TLVS = 64;
const COUNTS_AT = 4;

export interface DsoHead {
  /** 0: no response is expected. */
  readonly id: number;
  readonly isResponse: boolean;
  readonly rcode: number;
  /** The counts of questions and records are 0, as they must be (RFC 8490 section 5.4). */
  readonly hasNoRecords: boolean;
}

export interface Tlv {
  readonly type: number;
  /** Shares the bytes of the message. */
  readonly data: Uint8Array;
  /** Where the data begins in the message: names in it may be compressed. */
  readonly at: number;
}

/** Whether a message has the opcode of stateful operations. */
export const isDso = (message: Uint8Array): boolean =>
  message.length >= HEADER_BYTES && ((message[2] >> 3) & 15) === OPCODE.DSO;

/** The header of a message of at least 12 bytes. The Z bits are ignored (RFC 8490 section 5.4.1). */
export function readDsoHead(message: Uint8Array): DsoHead {
  return {
    id: (message[0] << 8) | message[1],
    isResponse: (message[2] & 0x80) !== 0,
    rcode: message[3] & 15,
    hasNoRecords: message.subarray(COUNTS_AT, HEADER_BYTES).every((byte) => byte === 0),
  };
}

/** The TLVs of a message of at least 12 bytes, in order. Throws MessageError where one runs past the end. */
export function parseTlvs(message: Uint8Array): readonly Tlv[] {
  const tlvs: Tlv[] = [];
  const reader = new WireReader(message, HEADER_BYTES);
  while (reader.at < message.length) {
    if (tlvs.length === MAX_TLVS) throw new MessageError(`more than ${MAX_TLVS} TLVs`);
    const type = reader.uint16();
    const length = reader.uint16();
    const at = reader.skip(length);
    tlvs.push({ type, data: message.subarray(at, at + length), at });
  }
  return tlvs;
}

export interface DsoParts {
  readonly id?: number;
  readonly isResponse?: boolean;
  readonly rcode?: number;
  readonly tlvs?: readonly { readonly type: number; readonly data: Uint8Array }[];
  /** The message is padded to a multiple of this (RFC 8490 section 7.3). */
  readonly padTo?: number;
}

/** A message with its length in front. Throws MessageError over 65,535 bytes. */
export function composeDso(parts: DsoParts): Uint8Array {
  const { tlvs = [], padTo = 0 } = parts;
  const plain = tlvs.reduce((sum, { data }) => sum + TLV_HEAD_BYTES + data.length, HEADER_BYTES);
  const padding = padTo > 0 ? (padTo - ((plain + TLV_HEAD_BYTES) % padTo)) % padTo : -1;
  const length = padding < 0 ? plain : plain + TLV_HEAD_BYTES + padding;
  if (length > MAX_MESSAGE_BYTES) throw new MessageError(`the message has ${length} bytes`);
  const bytes = new Uint8Array(PREFIX_BYTES + length);
  writeDsoHead(bytes, parts);
  let at = PREFIX_BYTES + HEADER_BYTES;
  for (const { type, data } of tlvs) {
    bytes.set(data, writeUint16(bytes, writeUint16(bytes, at, type), data.length));
    at += TLV_HEAD_BYTES + data.length;
  }
  if (padding >= 0) writeUint16(bytes, writeUint16(bytes, at, DSO_TYPE.PADDING), padding);
  return bytes;
}

/** The length of the message, which fills `bytes`, and its header. */
export function writeDsoHead(bytes: Uint8Array, { id = 0, isResponse = false, rcode = 0 }: DsoParts): void {
  writeUint16(bytes, 0, bytes.length - PREFIX_BYTES);
  writeUint16(bytes, PREFIX_BYTES, id);
  writeUint16(bytes, PREFIX_BYTES + 2, (isResponse ? FLAG.QR : 0) | (OPCODE.DSO << 11) | rcode);
}
