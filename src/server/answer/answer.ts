// RRsets of the table → records in the reply: chosen, rotated, whole or not at all.

import type { HashedName } from '../../dns/fast/question-reader.ts';
import { RECORD_HEAD_BYTES, writeRecordHead } from '../../dns/fast/response-writer.ts';
import { TYPE } from '../../dns/types.ts';
import { MAX_POINTER } from '../../dns/writer.ts';
import { chunkOf, wordOf } from '../../memory/arena.ts';
import type { PacketMemory } from '../../native/packet-memory.ts';
import { RECORD, RRSET, RRSET_FLAG, targetOffset } from '../../plane/layout.ts';
import type { Lookup } from '../table/lookup.ts';
import type { Selector } from '../table/select.ts';
import type { Table } from '../table/table.ts';
import type { Zone } from '../table/zones.ts';
import type { Reply } from './reply.ts';

/** Names in one answer whose addresses are added. */
const MAX_GLUE_NAMES = 256;
const SMALLEST_ADDRESS_BYTES = RECORD_HEAD_BYTES + 4;

export const WRITTEN = 0;
/** Nothing of the RRset may be answered now. */
export const NONE_ALIVE = 1;
/** It did not fit; the reply is marked truncated. */
export const TRUNCATED = 2;

export interface AnswerWriter {
  /** The place in the memory of the rdata of the last record written. */
  lastRdata(): number;
  /**
   * Writes the records of an RRset that may be answered, with `owner` (a place in the message) as their name; the
   * section's count is the caller's. Gives how it went.
   */
  rrset(reply: Reply, handle: number, rrset: number, owner: number): number;
  /** Records written by the last call. */
  written(): number;
  /** Writes one record of a CNAME RRset. */
  cname(reply: Reply, handle: number, rrset: number, owner: number): number;
  /** Adds addresses of the names in the records written last (NS, MX, SRV), where they are ours and fit. */
  glue(reply: Reply, type: number): void;
  /**
   * The same for the NS records of a referral, at the cut of `cutLabels` labels. Addresses of name servers below the cut
   * cannot be had elsewhere: where they do not fit the reply is marked truncated (RFC 9471 section 3.1).
   */
  glueOfCut(reply: Reply, cutLabels: number): void;
  /** The zone's SOA with the TTL of RFC 2308 section 3. False where the zone has none (yet). */
  soa(reply: Reply, zone: Zone, owner: number): boolean;
}

export function createAnswerWriter(
  memory: PacketMemory,
  table: Table,
  lookup: Lookup,
  selector: Selector,
  name: HashedName,
): AnswerWriter {
  const { selection } = selector;
  const { alive } = selection;
  const { view } = memory;
  const chunks = table.arena.words;
  const targets = new Int32Array(MAX_GLUE_NAMES);
  const targetHashes = new Int32Array(MAX_GLUE_NAMES);
  const touched = new Int32Array(MAX_GLUE_NAMES);
  const glued = new Int32Array(MAX_GLUE_NAMES);
  let targetCount = 0;
  let lastRdata = 0;
  let written = 0;

  /** Writes what was selected, as much of it as fits. Words are written whole: the next record covers what is too much. */
  const writeSelected = (reply: Reply, words: Int32Array, rrset: number, owner: number): void => {
    const type = words[rrset + RRSET.TYPE] & 0xffff;
    const ttl = words[rrset + RRSET.TTL];
    const hasTargets = (words[rrset + RRSET.TYPE] & (RRSET_FLAG.HAS_TARGETS << 16)) !== 0;
    const rdataWord = hasTargets ? RECORD.WORDS + 1 : RECORD.WORDS;
    const { limit } = reply;
    const { found, count } = selection;
    let at = reply.at;
    let next = selection.first;
    let i = 0;
    for (; i < count; i++) {
      const record = alive[next];
      if (++next === found) next = 0;
      const length = words[record + RECORD.LENGTH] & 0xffff;
      const rdata = at + RECORD_HEAD_BYTES;
      if (rdata + length > limit) {
        reply.truncated = true;
        break;
      }
      writeRecordHead(view, at, owner, type, ttl, length);
      const from = record + rdataWord;
      for (let k = 0; k < length; k += 4) view.setInt32(rdata + k, words[from + (k >> 2)], true);
      if (hasTargets) noteTarget(rdata + targetOffset(type), words[record + RECORD.WORDS]);
      lastRdata = rdata;
      at = rdata + length;
    }
    written = i;
    reply.at = at;
  };

  const noteTarget = (at: number, hash: number): void => {
    if (targetCount === MAX_GLUE_NAMES) return;
    targets[targetCount] = at;
    targetHashes[targetCount++] = hash;
  };

  const finish = (reply: Reply, words: Int32Array, rrset: number, owner: number): number => {
    written = 0;
    targetCount = 0;
    if (selection.count === 0 && !selection.overflow) return NONE_ALIVE;
    const fits = !selection.overflow && reply.at + selector.wireBytes(words, rrset) <= reply.limit;
    if (!fits) {
      reply.truncated = true;
      if (!reply.overTcp) return TRUNCATED;
    }
    writeSelected(reply, words, rrset, owner);
    return fits ? WRITTEN : TRUNCATED;
  };

  /**
   * Adds one address RRset of a name, whole or not at all (RFC 2181 section 9: no TC for what was not asked); false where
   * it does not fit.
   */
  const addAddresses = (reply: Reply, handle: number, type: number, owner: number): boolean => {
    const rrset = lookup.rrsetOf(handle, type);
    if (rrset < 0) return true;
    const words = chunks[chunkOf(handle)];
    selector.select(words, wordOf(handle), rrset, reply.limit - reply.at);
    if (selection.overflow || reply.at + selector.wireBytes(words, rrset) > reply.limit) return false;
    if (selection.count === 0) return true;
    writeSelected(reply, words, rrset, owner);
    reply.additional += written;
    return true;
  };

  /** `cutLabels`: of the name whose name servers these are; -1 where no address is indispensable. */
  const addGlue = (reply: Reply, cutLabels: number): void => {
    const names = targetCount;
    for (let i = 0; i < names; i++) touched[i] = targetHashes[i];
    table.touch(touched, names);
    let seen = 0;
    for (let i = 0; i < names; i++) {
      const owner = targets[i] - reply.base;
      if (owner > MAX_POINTER) return;
      // No address fits any more; only of a cut it must be known whether one is missing.
      if (cutLabels < 0 && reply.at + SMALLEST_ADDRESS_BYTES > reply.limit) return;
      // Names in rdata are lower case (dns/rdata), so they are looked up where they were written.
      const length = nameLength(memory.bytes, targets[i]);
      const handle = table.find(targetHashes[i], view, targets[i], length);
      if (handle < 0) continue;
      let known = 0;
      while (known < seen && glued[known] !== handle) known++;
      if (known < seen) continue;
      glued[seen++] = handle;
      const ipv4Fits = addAddresses(reply, handle, TYPE.A, owner);
      const ipv6Fits = addAddresses(reply, handle, TYPE.AAAA, owner);
      if (!(ipv4Fits && ipv6Fits) && cutLabels >= 0 && isBelowCut(targets[i], length, cutLabels))
        reply.truncated = true;
    }
  };

  /** Whether the uncompressed name at `at` ends with the last labels of the name being answered. */
  const isBelowCut = (at: number, length: number, cutLabels: number): boolean => {
    const cut = name.starts[cutLabels];
    const cutAt = at + length - (name.length - cut);
    let label = at;
    while (label < cutAt) label += 1 + memory.bytes[label];
    if (label !== cutAt) return false;
    for (let i = cut; i < name.length; i++) if (memory.bytes[cutAt + i - cut] !== name.bytes[i]) return false;
    return true;
  };

  return {
    lastRdata: () => lastRdata,
    written: () => written,
    rrset(reply, handle, rrset, owner) {
      const words = chunks[chunkOf(handle)];
      selector.select(words, wordOf(handle), rrset, reply.limit - reply.at);
      return finish(reply, words, rrset, owner);
    },
    cname(reply, handle, rrset, owner) {
      const words = chunks[chunkOf(handle)];
      selector.selectOne(words, wordOf(handle), rrset);
      return finish(reply, words, rrset, owner);
    },
    glue(reply, type) {
      if (type === TYPE.SRV || type === TYPE.MX || type === TYPE.NS) addGlue(reply, -1);
    },
    glueOfCut: addGlue,
    soa(reply, zone, owner) {
      const handle = lookup.apexOf(zone);
      const rrset = handle < 0 ? -1 : lookup.rrsetOf(handle, TYPE.SOA);
      if (rrset < 0) return false;
      const words = chunks[chunkOf(handle)];
      const record = wordOf(handle) + words[rrset + RRSET.FIRST];
      const length = words[record + RECORD.LENGTH] & 0xffff;
      const rdata = reply.at + RECORD_HEAD_BYTES;
      if (rdata + length > reply.limit) {
        reply.truncated = true;
        return true;
      }
      const from = record + RECORD.WORDS;
      for (let k = 0; k < length; k += 4) view.setInt32(rdata + k, words[from + (k >> 2)], true);
      // The minimum is the last number of the rdata.
      const ttl = Math.min(words[rrset + RRSET.TTL], view.getInt32(rdata + length - 4));
      writeRecordHead(view, reply.at, owner, TYPE.SOA, ttl, length);
      reply.at = rdata + length;
      reply.authority++;
      return true;
    },
  };
}

/** Of an uncompressed name, with the root's byte. */
function nameLength(bytes: Uint8Array, start: number): number {
  let at = start;
  while (bytes[at] !== 0) at += 1 + bytes[at];
  return at + 1 - start;
}
