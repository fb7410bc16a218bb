// A response's bytes out of its records, compressed as RFC 1035 section 4.1.4 has it. Composed once when an answer arrives;
// cache hits copy the bytes.
import { HEADER_BYTES, MAX_MESSAGE_BYTES } from '../../dns/limits.ts';
import type { WireName } from '../../dns/name.ts';
import { TYPE } from '../../dns/types.ts';
import type { WireRecord } from '../resolve/records.ts';
import { LOWER, sameQuestionName } from './key.ts';

export interface ComposedResponse {
  /** Header (ID 0), question, answer and authority records (no OPT); then 16 bits for where each TTL is. */
  readonly bytes: Uint8Array;
  /** Of the message alone. */
  readonly length: number;
  readonly ttlCount: number;
}

/** Rdata in which RFC 3597 section 4 allows compression; bytes before the names, how many. */
const COMPRESSIBLE: ReadonlyMap<number, readonly [prefixBytes: number, names: number]> = new Map([
  [TYPE.NS, [0, 1]],
  [TYPE.CNAME, [0, 1]],
  [TYPE.SOA, [0, 2]],
  [TYPE.PTR, [0, 1]],
  [TYPE.MX, [2, 1]],
]);

/** Names looked at to compress one: bounds the work for a reply of thousands of different names. */
const MAX_TARGETS = 24;

const out = new Uint8Array(MAX_MESSAGE_BYTES);

/**
 * `name` is written as the question. Records that no longer fit 64 KiB are left out (a reply that came in one message
 * fits, unless its names were compressed better than ours: then TC is the client's only use of it anyway).
 */
export function composeResponse(
  name: WireName,
  type: number,
  rcode: number,
  flags: number,
  answers: readonly WireRecord[],
  authority: readonly WireRecord[],
): ComposedResponse {
  const targets: number[] = [];
  const ttlOffsets: number[] = [];
  out.fill(0, 0, HEADER_BYTES);
  out[2] = flags >> 8;
  out[3] = (flags & 0xf0) | (rcode & 0x0f);
  out[5] = 1;
  let at = writeName(name, HEADER_BYTES, targets);
  at = write16(type, at);
  at = write16(1, at);
  let counted = 0;
  const writeAll = (records: readonly WireRecord[], countAt: number) => {
    counted = 0;
    for (const record of records) {
      if (at + record.name.length + 10 + record.rdata.length > out.length) break;
      at = writeRecord(record, at, targets, ttlOffsets);
      counted++;
    }
    write16(counted, countAt);
  };
  writeAll(answers, 6);
  writeAll(authority, 8);
  const bytes = new Uint8Array(at + 2 * ttlOffsets.length);
  bytes.set(out.subarray(0, at));
  ttlOffsets.forEach((offset, i) => {
    bytes[at + 2 * i] = offset >> 8;
    bytes[at + 2 * i + 1] = offset & 0xff;
  });
  return { bytes, length: at, ttlCount: ttlOffsets.length };
}

function writeRecord(record: WireRecord, start: number, targets: number[], ttlOffsets: number[]): number {
  let at = writeName(record.name, start, targets);
  at = write16(record.type, at);
  at = write16(record.class, at);
  ttlOffsets.push(at);
  at = write16(record.ttl & 0xffff, write16(record.ttl >>> 16, at));
  const lengthAt = at;
  at = writeRdata(record, at + 2, targets);
  write16(at - lengthAt - 2, lengthAt);
  return at;
}

function writeRdata(record: WireRecord, start: number, targets: number[]): number {
  const { rdata } = record;
  const layout = COMPRESSIBLE.get(record.type);
  if (layout === undefined || rdata.length === 0) {
    out.set(rdata, start);
    return start + rdata.length;
  }
  let read = layout[0];
  let at = start;
  for (let i = 0; i < read; i++) out[at++] = rdata[i];
  for (let i = 0; i < layout[1]; i++) {
    let end = read;
    while (rdata[end] !== 0) end += 1 + rdata[end];
    at = writeName(rdata.subarray(read, end + 1), at, targets);
    read = end + 1;
  }
  while (read < rdata.length) out[at++] = rdata[read++];
  return at;
}

/** Writes the labels that no name before has, then a pointer to the rest. `targets` are offsets of names written. */
function writeName(name: WireName, start: number, targets: number[]): number {
  let at = start;
  for (let label = 0; name[label] !== 0; label += 1 + name[label]) {
    const target = findSuffix(name, label, targets);
    if (target !== 0) return write16(0xc000 | target, at);
    if (at < 0x3fff && targets.length < MAX_TARGETS) targets.push(at);
    for (let i = 0; i <= name[label]; i++) out[at++] = name[label + i];
  }
  out[at++] = 0;
  return at;
}

/** An offset where exactly the labels from `label` on stand already; 0: nowhere. Letters compare without case. */
function findSuffix(name: WireName, label: number, targets: readonly number[]): number {
  for (const target of targets) if (standsAt(name, label, target)) return target;
  return 0;
}

function standsAt(name: WireName, start: number, target: number): boolean {
  let at = target;
  let label = start;
  for (;;) {
    while (out[at] >= 0xc0) at = ((out[at] & 0x3f) << 8) | out[at + 1];
    const length = name[label];
    if (out[at] !== length) return false;
    if (length === 0) return true;
    if (LOWER[out[at + 1]] !== LOWER[name[label + 1]]) return false;
    if (!sameQuestionName(out, at + 1, name, label + 1, length)) return false;
    at += 1 + length;
    label += 1 + length;
  }
}

function write16(value: number, at: number): number {
  out[at] = value >>> 8;
  out[at + 1] = value & 0xff;
  return at + 2;
}
