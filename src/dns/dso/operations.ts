// The data of the TLVs of RFC 8490 section 7 and of RFC 8765 section 6 except PUSH (push.ts), both ways. Parsing throws
// MessageError where the length is not that of the operation.
import type { Question } from '../message/record.ts';
import type { WireName } from '../name.ts';
import { readRdata } from '../rdata/wire.ts';
import { MessageError, WireReader } from '../reader.ts';
import { CLASS, TYPE } from '../types.ts';
import { writeUint16, writeUint32 } from '../writer.ts';
import { composeDso, DSO_TYPE, type Tlv } from './message.ts';

/** RFC 8490 section 6.2: of a session without an exchange of KEEPALIVE. */
export const DEFAULT_TIMEOUT_MS = 15_000;
/** RFC 8490 section 6.5.2: a server grants no shorter interval. */
export const MIN_KEEPALIVE_MS = 10_000;
/** The longest time that the TLVs can express; as a timeout: none. */
export const MAX_TIME_MS = 0xffff_ffff;

/** RFC 8490 section 7.1. */
export interface Timeouts {
  readonly inactivityMs: number;
  readonly keepaliveMs: number;
}

export function parseKeepalive(tlv: Tlv): Timeouts {
  checkLength(tlv, 8, 'KEEPALIVE');
  const reader = new WireReader(tlv.data);
  return { inactivityMs: reader.uint32(), keepaliveMs: reader.uint32() };
}

/** A request or response; a server's own message with `id` 0. */
export function composeKeepalive(id: number, isResponse: boolean, timeouts: Timeouts, padTo?: number): Uint8Array {
  const data = new Uint8Array(8);
  writeUint32(data, writeUint32(data, 0, timeouts.inactivityMs), timeouts.keepaliveMs);
  return composeDso({ id, isResponse, padTo, tlvs: [{ type: DSO_TYPE.KEEPALIVE, data }] });
}

/** RFC 8490 section 7.2, in milliseconds. */
export function parseRetryDelay(tlv: Tlv): number {
  checkLength(tlv, 4, 'RETRY DELAY');
  return new WireReader(tlv.data).uint32();
}

export function retryDelay(delayMs: number): { readonly type: number; readonly data: Uint8Array } {
  const data = new Uint8Array(4);
  writeUint32(data, 0, delayMs);
  return { type: DSO_TYPE.RETRY_DELAY, data };
}

/** The server asks the client to disconnect, and not to reconnect before this time (RFC 8490 section 6.6.1). */
export const composeRetryDelay = (rcode: number, delayMs: number): Uint8Array =>
  composeDso({ rcode, tlvs: [retryDelay(delayMs)] });

/** RFC 8765 section 6.2.1: name (its case kept), type and class. */
export function parseSubscribe(message: Uint8Array, tlv: Tlv): Question {
  const reader = readerOf(message, tlv);
  const question = { name: reader.name(), type: reader.uint16(), class: reader.uint16() };
  if (reader.at !== reader.end) throw new MessageError('SUBSCRIBE has bytes after the class');
  return question;
}

export function composeSubscribe(id: number, { name, type, class: recordClass }: Question, padTo?: number): Uint8Array {
  const data = new Uint8Array(name.length + 4);
  data.set(name);
  writeUint16(data, writeUint16(data, name.length, type), recordClass);
  return composeDso({ id, padTo, tlvs: [{ type: DSO_TYPE.SUBSCRIBE, data }] });
}

/** RFC 8765 section 6.4.1: the id of the SUBSCRIBE that is cancelled. */
export function parseUnsubscribe(tlv: Tlv): number {
  checkLength(tlv, 2, 'UNSUBSCRIBE');
  return new WireReader(tlv.data).uint16();
}

export function composeUnsubscribe(subscribeId: number): Uint8Array {
  const data = new Uint8Array(2);
  writeUint16(data, 0, subscribeId);
  return composeDso({ tlvs: [{ type: DSO_TYPE.UNSUBSCRIBE, data }] });
}

/** A record that a client asks to verify. */
export interface DoubtedRecord extends Question {
  /** Uncompressed. */
  readonly rdata: Uint8Array;
}

/** RFC 8765 section 6.5.1. */
export function parseReconfirm(message: Uint8Array, tlv: Tlv): DoubtedRecord {
  const reader = readerOf(message, tlv);
  const question = { name: reader.name(), type: reader.uint16(), class: reader.uint16() };
  if (question.type === TYPE.ANY || question.class === CLASS.ANY) throw new MessageError('RECONFIRM names ANY');
  return { ...question, rdata: readRdata(reader, question.type, reader.end - reader.at) };
}

export function composeReconfirm(name: WireName, type: number, recordClass: number, rdata: Uint8Array): Uint8Array {
  const data = new Uint8Array(name.length + 4 + rdata.length);
  data.set(name);
  data.set(rdata, writeUint16(data, writeUint16(data, name.length, type), recordClass));
  return composeDso({ tlvs: [{ type: DSO_TYPE.RECONFIRM, data }] });
}

/** Reads the data of a TLV; pointers may lead to names before it. */
export function readerOf(message: Uint8Array, { at, data }: Tlv): WireReader {
  const reader = new WireReader(message, at);
  reader.end = at + data.length;
  return reader;
}

function checkLength({ data }: Tlv, length: number, what: string): void {
  if (data.length !== length) throw new MessageError(`${what} has ${length} bytes, got ${data.length}`);
}
