// Records read off an upstream's reply: every bound checked, names and rdata uncompressed. Untrusted bytes end here.
import { MAX_NAME_BYTES, MAX_POINTER_HOPS } from '../../dns/limits.ts';
import type { WireName } from '../../dns/name.ts';
import { TYPE } from '../../dns/types.ts';

export interface WireRecord {
  /** Uncompressed, letters as the upstream wrote them. */
  readonly name: WireName;
  readonly type: number;
  readonly class: number;
  /** As it came: RFC 2181 section 8 is for the reader of it. */
  readonly ttl: number;
  readonly rdata: Uint8Array;
}

/** The reply breaks a limit or the format; the message says where. Never leaves forward/. */
export class ReplyError extends Error {
  override readonly name = 'ReplyError';
}

export interface RecordCursor {
  /** The next record, or a ReplyError. */
  read(): WireRecord;
  readonly at: number;
}

/** Rdata that holds names which may be compressed (RFC 3597 section 4): bytes before them, how many. Others are copied. */
const NAMES_IN_RDATA: ReadonlyMap<number, readonly [prefixBytes: number, names: number]> = new Map([
  [TYPE.NS, [0, 1]],
  [TYPE.MD, [0, 1]],
  [TYPE.MF, [0, 1]],
  [TYPE.CNAME, [0, 1]],
  [TYPE.SOA, [0, 2]],
  [TYPE.MB, [0, 1]],
  [TYPE.MG, [0, 1]],
  [TYPE.MR, [0, 1]],
  [TYPE.PTR, [0, 1]],
  [TYPE.MINFO, [0, 2]],
  [TYPE.MX, [2, 1]],
  [TYPE.RP, [0, 2]],
  [TYPE.AFSDB, [2, 1]],
  [TYPE.RT, [2, 1]],
  [TYPE.PX, [2, 2]],
  [TYPE.SRV, [6, 1]],
  [TYPE.KX, [2, 1]],
  [TYPE.DNAME, [0, 1]],
]);

/** Rdata sizes that clients rely on; an A record of 5 bytes must not reach them. */
const FIXED_BYTES: ReadonlyMap<number, number> = new Map([
  [TYPE.A, 4],
  [TYPE.AAAA, 16],
]);

export function recordCursor(message: Uint8Array, start: number): RecordCursor {
  let at = start;
  return {
    get at() {
      return at;
    },
    read() {
      const name = readName(message, at);
      const fixed = at + compressedLength(message, at);
      const rdataStart = fixed + 10;
      if (rdataStart > message.length) throw new ReplyError(`record at ${at} runs past the end`);
      const type = (message[fixed] << 8) | message[fixed + 1];
      const rdataEnd = rdataStart + ((message[fixed + 8] << 8) | message[fixed + 9]);
      if (rdataEnd > message.length) throw new ReplyError(`rdata at ${rdataStart} runs past the end`);
      const record = {
        name,
        type,
        class: (message[fixed + 2] << 8) | message[fixed + 3],
        ttl:
          ((message[fixed + 4] << 24) | (message[fixed + 5] << 16) | (message[fixed + 6] << 8) | message[fixed + 7]) >>>
          0,
        rdata: readRdata(message, type, rdataStart, rdataEnd),
      };
      at = rdataEnd;
      return record;
    },
  };
}

const scratch = new Uint8Array(MAX_NAME_BYTES);

/** The name at `offset`, uncompressed. Pointers must point back, so that no chain of them is a loop. */
export function readName(message: Uint8Array, offset: number): WireName {
  let at = offset;
  let length = 0;
  let lowest = offset;
  for (let hops = 0; ; ) {
    if (at >= message.length) throw new ReplyError(`name at ${offset} runs past the end`);
    const byte = message[at];
    if (byte === 0) {
      scratch[length++] = 0;
      return scratch.slice(0, length);
    }
    if (byte >= 0xc0) {
      const target = at + 1 < message.length ? ((byte & 0x3f) << 8) | message[at + 1] : message.length;
      if (target >= lowest || ++hops > MAX_POINTER_HOPS) throw new ReplyError(`bad compression pointer at ${at}`);
      lowest = target;
      at = target;
      continue;
    }
    if (byte > 63) throw new ReplyError(`label type ${byte >> 6} at ${at} is not known`);
    if (length + byte + 2 > MAX_NAME_BYTES || at + 1 + byte > message.length) {
      throw new ReplyError(`name at ${offset} is too long`);
    }
    for (let i = 0; i <= byte; i++) scratch[length++] = message[at++];
  }
}

/** How many bytes a name takes where it stands; readName has checked it. */
function compressedLength(message: Uint8Array, offset: number): number {
  let at = offset;
  while (message[at] !== 0) {
    if (message[at] >= 0xc0) return at + 2 - offset;
    at += 1 + message[at];
  }
  return at + 1 - offset;
}

function readRdata(message: Uint8Array, type: number, start: number, end: number): Uint8Array {
  const fixed = FIXED_BYTES.get(type);
  if (fixed !== undefined && end - start !== fixed) throw new ReplyError(`rdata at ${start} has ${end - start} bytes`);
  const layout = NAMES_IN_RDATA.get(type);
  if (layout === undefined || start === end) return message.slice(start, end);
  const parts: Uint8Array[] = [message.subarray(start, start + layout[0])];
  let at = start + layout[0];
  for (let i = 0; i < layout[1]; i++) {
    if (at >= end) throw new ReplyError(`rdata at ${start} is too short`);
    parts.push(readName(message, at));
    at += compressedLength(message, at);
  }
  if (at > end || (type === TYPE.SOA && end - at !== 20)) throw new ReplyError(`rdata at ${start} has a bad length`);
  parts.push(message.subarray(at, end));
  return joined(parts);
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
