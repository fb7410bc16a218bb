// The response as it grows: RRsets of the table and records that no table holds, whole or not at all, section by section.
// All offsets are offsets in the packet memory, except owners: those are offsets in the message.

import type { QueryEdns } from '../../dns/fast/query-edns.ts';
import type { LabelledName } from '../../dns/fast/question-reader.ts';
import {
  KEEPALIVE_BYTES,
  NO_EDE,
  OPT_BYTES,
  OPT_BYTES_WITH_EDE,
  RECORD_HEAD_BYTES,
  writeHeader,
  writeKeepalive,
  writeOpt,
  writeRecordHead,
} from '../../dns/fast/response-writer.ts';
import { sameName } from '../../dns/name.ts';
import { CLASS, FLAG, RCODE, TYPE } from '../../dns/types.ts';
import { MAX_POINTER } from '../../dns/writer.ts';
import type { TargetRecord } from '../../forward/resolve/target.ts';
import { chunkOf, wordOf } from '../../memory/arena.ts';
import type { PacketMemory } from '../../native/packet-memory.ts';
import { compressibleNames, nameOffset, RECORD, RRSET, RRSET_FLAG, SHARE, targetOffset } from '../../plane/layout.ts';
import type { ResponderSettings } from '../../plane/settings.ts';
import { rrsetOf, type Zone } from '../table/lookup.ts';
import type { Selection, Selector } from '../table/select.ts';
import type { Table } from '../table/table.ts';
import { createNameWriter, type NameWriter, type Places } from './compression.ts';

export const SECTION = { ANSWER: 0, AUTHORITY: 1, ADDITIONAL: 2 } as const;

/** The result of adding an RRset. */
export const ADDED = 0;
/** Nothing of the RRset may be answered now. */
export const NONE_ALIVE = -1;
/** It did not fit; the reply is marked truncated. */
export const CUT = -2;

/** Of `addGlue`: no referral. */
export const NO_CUT = -1;

/** Names in one answer whose addresses are added. */
const MAX_GLUE_NAMES = 256;
const SMALLEST_ADDRESS_BYTES = RECORD_HEAD_BYTES + 4;
/** In a record whose owner is a pointer. */
const TTL_OFFSET = 6;

/** The state of the response being written. */
export interface Reply {
  /** Where the message begins. */
  base: number;
  at: number;
  /** Records end before this; what follows is reserved for OPT. */
  limit: number;
  /** The size of the whole message, at most. */
  maxBytes: number;
  /** Over TCP, a partial RRset is better than none: there is no larger transport to retry over. */
  overTcp: boolean;
  /** Records by section. */
  readonly counts: Int32Array;
  truncated: boolean;
  authoritative: boolean;
  rcode: number;
  /** EDE's INFO-CODE, or NO_EDE. */
  ede: number;
  /** Its text; ASCII. */
  why: string;
}

export function emptyReply(): Reply {
  return {
    base: 0,
    at: 0,
    limit: 0,
    maxBytes: 0,
    overTcp: false,
    counts: new Int32Array(3),
    truncated: false,
    authoritative: false,
    rcode: RCODE.NOERROR,
    ede: NO_EDE,
    why: '',
  };
}

/** Begins a reply at `base` whose header and question have `length` bytes. */
export function beginReply(
  reply: Reply,
  base: number,
  length: number,
  maxBytes: number,
  overTcp: boolean,
  withOpt: boolean,
): void {
  const { counts } = reply;
  reply.base = base;
  reply.at = base + length;
  reply.maxBytes = maxBytes;
  reply.limit = base + (withOpt ? maxBytes - OPT_BYTES : maxBytes);
  reply.overTcp = overTcp;
  counts[0] = 0;
  counts[1] = 0;
  counts[2] = 0;
  reply.truncated = false;
  reply.authoritative = false;
  reply.rcode = RCODE.NOERROR;
  reply.ede = NO_EDE;
  reply.why = '';
}

/** Writes OPT and header. Returns the length of the whole message. */
export function endReply(
  memory: PacketMemory,
  reply: Reply,
  queryAt: number,
  edns: QueryEdns,
  settings: ResponderSettings,
): number {
  const { counts } = reply;
  if (edns.present) addOpt(memory.bytes, reply, edns, settings);
  const flags =
    (reply.authoritative ? FLAG.AA : 0) | (reply.truncated ? FLAG.TC : 0) | (settings.forwarding ? FLAG.RA : 0);
  writeHeader(memory.view, reply.base, queryAt, flags | (reply.rcode & 15), counts[0], counts[1], counts[2]);
  return reply.at - reply.base;
}

function addOpt(bytes: Uint8Array, reply: Reply, edns: QueryEdns, settings: ResponderSettings): void {
  const optAt = reply.at;
  const end = reply.base + reply.maxBytes;
  const text = reply.ede === NO_EDE ? '' : fittingText(reply, end);
  reply.at = writeOpt(bytes, optAt, settings.udpPayloadBytes, reply.rcode, edns.dnssecOk, reply.ede, text);
  reply.counts[SECTION.ADDITIONAL]++;
  // RFC 7828 section 3.2.2: never over UDP.
  if (edns.keepalive && reply.overTcp && reply.at + KEEPALIVE_BYTES <= end)
    reply.at = writeKeepalive(bytes, reply.at, optAt, settings.tcpIdleMs);
}

/** The text of the extended error: where it does not fit, it is left out, and then the code. */
function fittingText(reply: Reply, end: number): string {
  if (reply.at + OPT_BYTES_WITH_EDE > end) reply.ede = NO_EDE;
  return reply.at + OPT_BYTES_WITH_EDE + reply.why.length > end ? '' : reply.why;
}

/** Adds a record that is not in the table to the answer; where it does not fit, the reply is marked truncated. */
export function addRecord(
  { bytes, view }: PacketMemory,
  reply: Reply,
  owner: number,
  type: number,
  ttl: number,
  rdata: Uint8Array,
  length: number,
): void {
  const rdataAt = reply.at + RECORD_HEAD_BYTES;
  if (rdataAt + length > reply.limit) {
    reply.truncated = true;
    return;
  }
  writeRecordHead(view, reply.at, owner, type, ttl, length);
  for (let i = 0; i < length; i++) bytes[rdataAt + i] = rdata[i];
  reply.at = rdataAt + length;
  reply.counts[SECTION.ANSWER]++;
}

/**
 * Adds the CNAME that follows from a DNAME: the first `length` bytes of the owner's name, and a pointer to the DNAME's target.
 * False, and marked truncated, where it does not fit.
 */
export function addSynthesizedAlias(
  { bytes, view }: PacketMemory,
  reply: Reply,
  owner: number,
  ttl: number,
  name: LabelledName,
  length: number,
  target: number,
): boolean {
  const rdataAt = reply.at + RECORD_HEAD_BYTES;
  const end = rdataAt + length + 2;
  if (end > reply.limit) {
    reply.truncated = true;
    return false;
  }
  writeRecordHead(view, reply.at, owner, TYPE.CNAME, ttl, length + 2);
  for (let i = 0; i < length; i++) bytes[rdataAt + i] = name.bytes[i];
  view.setUint16(end - 2, 0xc000 | target);
  reply.at = end;
  reply.counts[SECTION.ANSWER]++;
  return true;
}

/**
 * Adds records of what upstream servers answered for an alias's target, `name`. A record that does not fit is left out with
 * all that follow, over UDP all of them.
 */
export function addTarget(
  { bytes, view }: PacketMemory,
  reply: Reply,
  section: number,
  records: readonly TargetRecord[],
  name: LabelledName,
  owner: number,
): void {
  const { at: start, counts } = reply;
  const wire = name.bytes.subarray(0, name.length);
  for (const [i, record] of records.entries()) {
    const known = owner <= MAX_POINTER && sameName(record.name, wire);
    const fixed = reply.at + (known ? 2 : record.name.length);
    if (fixed + 10 + record.rdata.length > reply.limit) {
      reply.truncated = true;
      if (reply.overTcp) return;
      reply.at = start;
      counts[section] -= i;
      return;
    }
    if (known) view.setUint16(reply.at, 0xc000 | owner);
    else bytes.set(record.name, reply.at);
    view.setUint16(fixed, record.type);
    view.setUint16(fixed + 2, CLASS.IN);
    view.setUint32(fixed + 4, record.ttlSeconds);
    view.setUint16(fixed + 8, record.rdata.length);
    bytes.set(record.rdata, fixed + 10);
    reply.at = fixed + 10 + record.rdata.length;
    counts[section]++;
  }
}

export interface RRsetWriter {
  /** Adds the records that may be answered, with `owner` as their name: ADDED, NONE_ALIVE or CUT. */
  addRRset(section: number, handle: number, rrset: number, owner: number): number;
  /**
   * Adds one record of a CNAME RRset: the labels that its target shares with the name being answered, NONE_ALIVE or CUT.
   * Copies the target, uncompressed, to the spare place of the packet memory.
   */
  addAlias(handle: number, rrset: number, owner: number): number;
  /** Adds the zone's SOA, with the TTL of RFC 2308 section 3. False where the zone has none (yet). */
  addSoa(zone: Zone, owner: number): boolean;
  /**
   * Adds addresses of the names in the RRset added last, of the block `handle`, where they are ours and fit. With `cutLabels` >= 0 they are those
   * of a referral at the last labels of the name being answered: addresses of name servers below the cut are available
   * nowhere else, so where they do not fit, the reply is marked truncated (RFC 9471 section 3.1).
   */
  addGlue(handle: number, cutLabels: number): void;
}

export function createRRsetWriter(
  memory: PacketMemory,
  table: Table,
  selector: Selector,
  reply: Reply,
  places: Places,
): RRsetWriter {
  const { view, spareAt } = memory;
  const chunks = table.arena.words;
  const targets = createTargets();
  const { write, addNamed } = createRecordWriter(memory, chunks, reply, places, targets);

  const select = (handle: number, rrset: number): Selection =>
    selector.select(chunks[chunkOf(handle)], wordOf(handle), rrset, reply.limit - reply.at);

  /** Over UDP, part of an RRset is answered only of addresses: clients that ignore TC then have some. */
  const addSelected = (section: number, handle: number, rrset: number, owner: number, chosen: Selection): number => {
    if (chosen.count === 0 && !chosen.overflow) return NONE_ALIVE;
    targets.count = 0;
    const start = reply.at;
    const before = reply.counts[section];
    if (write(section, handle, rrset, owner, chosen)) return ADDED;
    reply.truncated = true;
    if (!reply.overTcp && !isAddress(chunks[chunkOf(handle)][rrset + RRSET.TYPE] & 0xffff)) {
      reply.at = start;
      reply.counts[section] = before;
    }
    return CUT;
  };

  return {
    addRRset: (section, handle, rrset, owner) => addSelected(section, handle, rrset, owner, select(handle, rrset)),
    addAlias(handle, rrset, owner) {
      const words = chunks[chunkOf(handle)];
      const chosen = selector.selectOne(words, wordOf(handle), rrset);
      if (chosen.count === 0) return NONE_ALIVE;
      const record = chosen.alive[chosen.first];
      if (!addNamed(SECTION.ANSWER, words, rrset, record, owner, TYPE.CNAME)) return CUT;
      const share = record + RECORD.WORDS;
      copyWords(view, words, share + 1, spareAt, (words[share] >>> SHARE.LENGTH_SHIFT) & 0xff);
      return (words[share] >>> SHARE.LABELS_SHIFT) & 0xff;
    },
    addSoa(zone, owner) {
      const handle = table.findWords(zone.hash, zone.words, zone.name.length);
      const rrset = handle < 0 ? -1 : rrsetOf(table, handle, TYPE.SOA);
      if (rrset < 0) return false;
      const words = chunks[chunkOf(handle)];
      const record = wordOf(handle) + words[rrset + RRSET.FIRST];
      const start = reply.at;
      if (!addNamed(SECTION.AUTHORITY, words, rrset, record, owner, TYPE.SOA)) return true;
      const minimum = view.getInt32(reply.at - 4);
      if (minimum < words[rrset + RRSET.TTL]) view.setInt32(start + TTL_OFFSET, minimum);
      return true;
    },
    addGlue: createGlue(memory, table, reply, targets, (handle, type, owner) => {
      const rrset = rrsetOf(table, handle, type);
      return rrset < 0 || addWhole(reply, handle, rrset, owner, select(handle, rrset), write);
    }),
  };
}

/** Adds one address RRset, whole or not at all; false where it does not fit. No TC for it: RFC 2181 section 9. */
function addWhole(
  reply: Reply,
  handle: number,
  rrset: number,
  owner: number,
  chosen: Selection,
  write: RecordWriter['write'],
): boolean {
  if (chosen.overflow) return false;
  const start = reply.at;
  const before = reply.counts[SECTION.ADDITIONAL];
  if (write(SECTION.ADDITIONAL, handle, rrset, owner, chosen)) return true;
  reply.at = start;
  reply.counts[SECTION.ADDITIONAL] = before;
  return false;
}

/** Whole words are copied: the next write covers the excess. */
function copyWords(view: DataView, words: Int32Array, from: number, to: number, length: number): void {
  for (let i = 0; i < length; i += 4) view.setInt32(to + i, words[from + (i >> 2)], true);
}

type RecordWriter = ReturnType<typeof createRecordWriter>;

/** Records of the table → bytes of the message. Notes the names in their rdata among the targets. */
function createRecordWriter(
  memory: PacketMemory,
  chunks: readonly Int32Array[],
  reply: Reply,
  places: Places,
  targets: Targets,
) {
  const { bytes, view } = memory;
  const names = createNameWriter(view, places);
  const writeRdata = createRdataWriter(view, reply, names);
  const writePlain = createPlainWriter(view, reply, targets);

  /** As writePlain, for types whose rdata may be compressed. */
  const writeNamed = (words: Int32Array, rrset: number, owner: number, chosen: Selection): number => {
    const { alive, found, count } = chosen;
    const type = words[rrset + RRSET.TYPE] & 0xffff;
    const hasTargets = (words[rrset + RRSET.TYPE] & (RRSET_FLAG.HAS_TARGETS << 16)) !== 0;
    const shareWord = hasTargets ? RECORD.WORDS + 1 : RECORD.WORDS;
    names.begin();
    for (let i = 0, next = chosen.first; i < count; i++) {
      const record = alive[next];
      if (++next === found) next = 0;
      const start = reply.at;
      const end = writeRdata(words, record, record + shareWord, type);
      if (end < 0) return i;
      writeRecordHead(view, start, owner, type, words[rrset + RRSET.TTL], end - start - RECORD_HEAD_BYTES);
      reply.at = end;
      if (!hasTargets) continue;
      const share = words[record + shareWord];
      const prefix = nameOffset(type);
      const place = placeOfName(bytes, start + RECORD_HEAD_BYTES + prefix, reply.base);
      noteTarget(targets, words[record + RECORD.WORDS], record + shareWord + (prefix > 0 ? 2 : 1), share, place);
    }
    return count;
  };

  /** Adds one record of such a type; false, and marked truncated, where it does not fit. */
  const addNamed = (
    section: number,
    words: Int32Array,
    rrset: number,
    record: number,
    owner: number,
    type: number,
  ): boolean => {
    const start = reply.at;
    names.begin();
    const end = writeRdata(words, record, record + RECORD.WORDS, type);
    if (end < 0) {
      reply.truncated = true;
      return false;
    }
    writeRecordHead(view, start, owner, type, words[rrset + RRSET.TTL], end - start - RECORD_HEAD_BYTES);
    reply.at = end;
    reply.counts[section]++;
    return true;
  };

  /** Adds the chosen records; false where one does not fit. */
  const write = (section: number, handle: number, rrset: number, owner: number, chosen: Selection): boolean => {
    const words = chunks[chunkOf(handle)];
    const compressible = (words[rrset + RRSET.TYPE] & (RRSET_FLAG.COMPRESSIBLE << 16)) !== 0;
    const written = compressible ? writeNamed(words, rrset, owner, chosen) : writePlain(words, rrset, owner, chosen);
    reply.counts[section] += written;
    return written === chosen.count && !chosen.overflow;
  };

  return { write, addNamed };
}

/** Writes rdata with names that may be compressed, whose shares begin at `shares`. Returns its end, -1 where it does not fit. */
function createRdataWriter(view: DataView, reply: Reply, names: NameWriter) {
  return (words: Int32Array, record: number, shares: number, type: number): number => {
    const { base, limit } = reply;
    const prefix = nameOffset(type);
    const count = compressibleNames(type);
    let at = reply.at + RECORD_HEAD_BYTES + prefix;
    let from = shares + count;
    let rest = (words[record + RECORD.LENGTH] & 0xffff) - prefix;
    if (prefix > 0) copyWords(view, words, from++, at - prefix, prefix);
    for (let i = shares; i < shares + count; i++) {
      const length = (words[i] >>> SHARE.LENGTH_SHIFT) & 0xff;
      at = names.write(words, from, words[i], base, at, limit);
      if (at < 0) return -1;
      from += (length + 3) >> 2;
      rest -= length;
    }
    if (at + rest > limit) return -1;
    copyWords(view, words, from, at, rest);
    return at + rest;
  };
}

/** Adds records until one does not fit: how many. */
function createPlainWriter(view: DataView, reply: Reply, targets: Targets) {
  return (words: Int32Array, rrset: number, owner: number, chosen: Selection): number => {
    const { limit } = reply;
    const { alive, found, count } = chosen;
    const type = words[rrset + RRSET.TYPE] & 0xffff;
    const ttl = words[rrset + RRSET.TTL];
    const hasTargets = (words[rrset + RRSET.TYPE] & (RRSET_FLAG.HAS_TARGETS << 16)) !== 0;
    const rdataWord = hasTargets ? RECORD.WORDS + 1 : RECORD.WORDS;
    let { at } = reply;
    let next = chosen.first;
    let i = 0;
    for (; i < count; i++) {
      const record = alive[next];
      if (++next === found) next = 0;
      const length = words[record + RECORD.LENGTH] & 0xffff;
      const rdataAt = at + RECORD_HEAD_BYTES;
      if (rdataAt + length > limit) break;
      writeRecordHead(view, at, owner, type, ttl, length);
      copyWords(view, words, record + rdataWord, rdataAt, length);
      if (hasTargets) {
        const name = targetOffset(type);
        noteTarget(targets, words[record + RECORD.WORDS], 0, 0, rdataAt + name - reply.base);
      }
      at = rdataAt + length;
    }
    reply.at = at;
    return i;
  };
}

function isAddress(type: number): boolean {
  return type === TYPE.A || type === TYPE.AAAA;
}

/** Names in the rdata of the RRset added last whose addresses may be added. */
interface Targets {
  readonly hashes: Int32Array;
  /** The word where the name lies in its chunk, and its share; 0: it stands uncompressed in the message. */
  readonly from: Int32Array;
  readonly shares: Int32Array;
  /** Where it stands in the message. */
  readonly places: Int32Array;
  count: number;
}

function createTargets(): Targets {
  return {
    hashes: new Int32Array(MAX_GLUE_NAMES),
    from: new Int32Array(MAX_GLUE_NAMES),
    shares: new Int32Array(MAX_GLUE_NAMES),
    places: new Int32Array(MAX_GLUE_NAMES),
    count: 0,
  };
}

function noteTarget(targets: Targets, hash: number, from: number, share: number, place: number): void {
  const { count } = targets;
  if (count === MAX_GLUE_NAMES) return;
  targets.hashes[count] = hash;
  targets.from[count] = from;
  targets.shares[count] = share;
  targets.places[count] = place;
  targets.count++;
}

function createGlue(
  { bytes, view, spareAt }: PacketMemory,
  table: Table,
  reply: Reply,
  targets: Targets,
  addAddresses: (handle: number, type: number, owner: number) => boolean,
): RRsetWriter['addGlue'] {
  const touched = new Int32Array(MAX_GLUE_NAMES);
  const glued = new Int32Array(MAX_GLUE_NAMES);

  /** Names in rdata are lower case (dns/rdata). */
  const find = (words: Int32Array, i: number): number => {
    const { hashes, from, places, shares } = targets;
    if (from[i] === 0) {
      const at = reply.base + places[i];
      return table.find(hashes[i], view, at, nameLength(bytes, at));
    }
    const length = (shares[i] >>> SHARE.LENGTH_SHIFT) & 0xff;
    for (let k = 0; k < length; k += 4) view.setInt32(spareAt + k, words[from[i] + (k >> 2)], true);
    return table.find(hashes[i], view, spareAt, length);
  };

  return (of, cutLabels) => {
    const { count, hashes, places, shares } = targets;
    const words = table.arena.words[chunkOf(of)];
    for (let i = 0; i < count; i++) touched[i] = hashes[i];
    table.touch(touched, count);
    let seen = 0;
    for (let i = 0; i < count; i++) {
      if (places[i] > MAX_POINTER) return;
      // No address fits any more. At a cut it must still be known whether one is missing.
      if (cutLabels < 0 && reply.at + SMALLEST_ADDRESS_BYTES > reply.limit) return;
      const handle = find(words, i);
      if (handle < 0) continue;
      let known = 0;
      while (known < seen && glued[known] !== handle) known++;
      if (known < seen) continue;
      glued[seen++] = handle;
      const ipv4Fits = addAddresses(handle, TYPE.A, places[i]);
      const ipv6Fits = addAddresses(handle, TYPE.AAAA, places[i]);
      if (!(ipv4Fits && ipv6Fits) && cutLabels >= 0 && ((shares[i] >>> SHARE.LABELS_SHIFT) & 0xff) === cutLabels)
        reply.truncated = true;
    }
  };
}

/** Where a name stands that was written at `at`: if only a pointer was, where that points. */
function placeOfName(bytes: Uint8Array, at: number, base: number): number {
  return bytes[at] >= 0xc0 ? ((bytes[at] & 0x3f) << 8) | bytes[at + 1] : at - base;
}

/** Of an uncompressed name, with the root's byte. */
function nameLength(bytes: Uint8Array, start: number): number {
  let at = start;
  while (bytes[at] !== 0) at += 1 + bytes[at];
  return at + 1 - start;
}
