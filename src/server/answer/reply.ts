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
import { RECORD, RRSET, RRSET_FLAG, targetOffset } from '../../plane/layout.ts';
import type { ResponderSettings } from '../../plane/settings.ts';
import { rrsetOf, type Zone } from '../table/lookup.ts';
import { type Selection, type Selector, wireBytes } from '../table/select.ts';
import type { Table } from '../table/table.ts';

export const SECTION = { ANSWER: 0, AUTHORITY: 1, ADDITIONAL: 2 } as const;

/** How adding an RRset went; of an alias, also the offset of its rdata, which is never below 1. */
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

/** The state of the response being written. */
export interface Reply {
  /** Where the message begins. */
  base: number;
  at: number;
  /** Records end before this; what follows is reserved for OPT. */
  limit: number;
  /** The size of the whole message, at most. */
  maxBytes: number;
  /** Over TCP, part of an RRset is better than none: there is no larger transport to retry over. */
  overTcp: boolean;
  /** Records by section. */
  readonly counts: Int32Array;
  truncated: boolean;
  authoritative: boolean;
  rcode: number;
  /** EDE's INFO-CODE, or NO_EDE. */
  ede: number;
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
  if (optAt + OPT_BYTES_WITH_EDE > end) reply.ede = NO_EDE;
  reply.at = writeOpt(bytes, optAt, settings.udpPayloadBytes, reply.rcode, edns.dnssecOk, reply.ede);
  reply.counts[SECTION.ADDITIONAL]++;
  // RFC 7828 section 3.2.2: never over UDP.
  if (edns.keepalive && reply.overTcp && reply.at + KEEPALIVE_BYTES <= end)
    reply.at = writeKeepalive(bytes, reply.at, optAt, settings.tcpIdleMs);
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
 * Adds what upstream servers answered for an alias's target, `name`. A record that does not fit is left out with all that
 * follow, over UDP all of them.
 */
export function addTarget(
  { bytes, view }: PacketMemory,
  reply: Reply,
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
      counts[SECTION.ANSWER] -= i;
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
    counts[SECTION.ANSWER]++;
  }
}

export interface RRsetWriter {
  /** Adds the records that may be answered, with `owner` as their name: ADDED, NONE_ALIVE or CUT. */
  addRRset(section: number, handle: number, rrset: number, owner: number): number;
  /** Adds one record of a CNAME RRset: the offset of its rdata, NONE_ALIVE or CUT. */
  addAlias(handle: number, rrset: number, owner: number): number;
  /** Adds the zone's SOA, with the TTL of RFC 2308 section 3. False where the zone has none (yet). */
  addSoa(zone: Zone, owner: number): boolean;
  /**
   * Adds addresses of the names in the RRset added last, where they are ours and fit. With `cutLabels` >= 0 they are those
   * of a referral at the last labels of `name`: addresses of name servers below the cut are available nowhere else, so
   * where they do not fit, the reply is marked truncated (RFC 9471 section 3.1).
   */
  addGlue(name: LabelledName, cutLabels: number): void;
}

export function createRRsetWriter(memory: PacketMemory, table: Table, selector: Selector, reply: Reply): RRsetWriter {
  const { view } = memory;
  const chunks = table.arena.words;
  const targets = createTargets();

  /** Words are copied whole: what is written next covers the excess. */
  const copyRdata = (words: Int32Array, from: number, to: number, length: number): void => {
    for (let i = 0; i < length; i += 4) view.setInt32(to + i, words[from + (i >> 2)], true);
  };

  /** As many records as fit. */
  const write = (section: number, words: Int32Array, rrset: number, owner: number, chosen: Selection): void => {
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
      if (rdataAt + length > limit) {
        reply.truncated = true;
        break;
      }
      writeRecordHead(view, at, owner, type, ttl, length);
      copyRdata(words, record + rdataWord, rdataAt, length);
      if (hasTargets) noteTarget(targets, rdataAt + targetOffset(type), words[record + RECORD.WORDS]);
      at = rdataAt + length;
    }
    reply.counts[section] += i;
    reply.at = at;
  };

  const addSelected = (section: number, words: Int32Array, rrset: number, owner: number, chosen: Selection): number => {
    targets.count = 0;
    if (chosen.count === 0 && !chosen.overflow) return NONE_ALIVE;
    const fits = !chosen.overflow && reply.at + wireBytes(chosen, words, rrset) <= reply.limit;
    if (!fits) {
      reply.truncated = true;
      if (!reply.overTcp) return CUT;
    }
    write(section, words, rrset, owner, chosen);
    return fits ? ADDED : CUT;
  };

  /** Adds one address RRset, whole or not at all; false where it does not fit. No TC for it: RFC 2181 section 9. */
  const addAddresses = (handle: number, type: number, owner: number): boolean => {
    const rrset = rrsetOf(table, handle, type);
    if (rrset < 0) return true;
    const words = chunks[chunkOf(handle)];
    const chosen = selector.select(words, wordOf(handle), rrset, reply.limit - reply.at);
    if (chosen.overflow || reply.at + wireBytes(chosen, words, rrset) > reply.limit) return false;
    if (chosen.count > 0) write(SECTION.ADDITIONAL, words, rrset, owner, chosen);
    return true;
  };

  return {
    addRRset(section, handle, rrset, owner) {
      const words = chunks[chunkOf(handle)];
      const chosen = selector.select(words, wordOf(handle), rrset, reply.limit - reply.at);
      return addSelected(section, words, rrset, owner, chosen);
    },
    addAlias(handle, rrset, owner) {
      const words = chunks[chunkOf(handle)];
      const rdataAt = reply.at + RECORD_HEAD_BYTES;
      const added = addSelected(SECTION.ANSWER, words, rrset, owner, selector.selectOne(words, wordOf(handle), rrset));
      return added === ADDED ? rdataAt : added;
    },
    addSoa(zone, owner) {
      const handle = table.findWords(zone.hash, zone.words, zone.name.length);
      const rrset = handle < 0 ? -1 : rrsetOf(table, handle, TYPE.SOA);
      if (rrset < 0) return false;
      const words = chunks[chunkOf(handle)];
      const record = wordOf(handle) + words[rrset + RRSET.FIRST];
      const length = words[record + RECORD.LENGTH] & 0xffff;
      const rdataAt = reply.at + RECORD_HEAD_BYTES;
      if (rdataAt + length > reply.limit) {
        reply.truncated = true;
        return true;
      }
      copyRdata(words, record + RECORD.WORDS, rdataAt, length);
      const minimum = view.getInt32(rdataAt + length - 4);
      writeRecordHead(view, reply.at, owner, TYPE.SOA, Math.min(words[rrset + RRSET.TTL], minimum), length);
      reply.at = rdataAt + length;
      reply.counts[SECTION.AUTHORITY]++;
      return true;
    },
    addGlue: createGlue(memory, table, reply, targets, addAddresses),
  };
}

/** Names in the rdata of the RRset added last: their offsets and hashes. */
interface Targets {
  readonly at: Int32Array;
  readonly hashes: Int32Array;
  count: number;
}

function createTargets(): Targets {
  return { at: new Int32Array(MAX_GLUE_NAMES), hashes: new Int32Array(MAX_GLUE_NAMES), count: 0 };
}

function noteTarget(targets: Targets, at: number, hash: number): void {
  if (targets.count === MAX_GLUE_NAMES) return;
  targets.at[targets.count] = at;
  targets.hashes[targets.count++] = hash;
}

function createGlue(
  { bytes, view }: PacketMemory,
  table: Table,
  reply: Reply,
  targets: Targets,
  addAddresses: (handle: number, type: number, owner: number) => boolean,
): RRsetWriter['addGlue'] {
  const touched = new Int32Array(MAX_GLUE_NAMES);
  const glued = new Int32Array(MAX_GLUE_NAMES);

  return (name, cutLabels) => {
    const { at, hashes, count } = targets;
    for (let i = 0; i < count; i++) touched[i] = hashes[i];
    table.touch(touched, count);
    let seen = 0;
    for (let i = 0; i < count; i++) {
      const owner = at[i] - reply.base;
      if (owner > MAX_POINTER) return;
      // No address fits any more. At a cut it must still be known whether one is missing.
      if (cutLabels < 0 && reply.at + SMALLEST_ADDRESS_BYTES > reply.limit) return;
      // Names in rdata are lower case (dns/rdata), so they are looked up where they were written.
      const length = nameLength(bytes, at[i]);
      const handle = table.find(hashes[i], view, at[i], length);
      if (handle < 0) continue;
      let known = 0;
      while (known < seen && glued[known] !== handle) known++;
      if (known < seen) continue;
      glued[seen++] = handle;
      const ipv4Fits = addAddresses(handle, TYPE.A, owner);
      const ipv6Fits = addAddresses(handle, TYPE.AAAA, owner);
      if (!(ipv4Fits && ipv6Fits) && cutLabels >= 0 && endsWith(bytes, at[i], length, name, cutLabels))
        reply.truncated = true;
    }
  };
}

/** Of an uncompressed name, with the root's byte. */
function nameLength(bytes: Uint8Array, start: number): number {
  let at = start;
  while (bytes[at] !== 0) at += 1 + bytes[at];
  return at + 1 - start;
}

/** Whether the uncompressed name at `at` ends with the last labels of `name`. */
function endsWith(bytes: Uint8Array, at: number, length: number, name: LabelledName, labels: number): boolean {
  const suffix = name.starts[labels];
  const suffixAt = at + length - (name.length - suffix);
  let label = at;
  while (label < suffixAt) label += 1 + bytes[label];
  if (label !== suffixAt) return false;
  for (let i = suffix; i < name.length; i++) if (bytes[suffixAt + i - suffix] !== name.bytes[i]) return false;
  return true;
}
