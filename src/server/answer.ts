// RRsets of the table → records in the reply: chosen, rotated, whole or not at all.
import { emptyName, type LabelledName, readName } from '../dns/question.ts';
import { TYPE } from '../dns/types.ts';
import { RECORD, RRSET, targetOffset } from '../plane/layout.ts';
import { chunkOf, wordOf } from './arena.ts';
import type { Lookup } from './lookup.ts';
import { MAX_POINTER, type Reply, writeRecordHead } from './reply.ts';
import { RECORD_WIRE_BYTES, type Selector } from './select.ts';
import type { Table } from './table.ts';
import type { Zone } from './zones.ts';

/** Names in one answer whose addresses are added. */
const MAX_GLUE_NAMES = 256;

export const WRITTEN = 0;
/** Nothing of the RRset may be answered now. */
export const NONE_ALIVE = 1;
/** It did not fit; the reply is marked truncated. */
export const TRUNCATED = 2;

export interface AnswerWriter {
  /** The place in the message of the rdata of the last record written. */
  lastRdata(): number;
  /** Writes the records of an RRset that may be answered; the section's count is the caller's. Gives how it went. */
  rrset(reply: Reply, handle: number, rrset: number, ownerAt: number): number;
  /** Records written by the last call. */
  written(): number;
  /** Writes one record of a CNAME RRset. */
  cname(reply: Reply, handle: number, rrset: number, ownerAt: number): number;
  /** Adds addresses of the names in the records written last (NS, MX, SRV), where they are ours and fit. */
  glue(reply: Reply, type: number): void;
  /** The zone's SOA with the TTL of RFC 2308 section 3. False where the zone has none (yet). */
  soa(reply: Reply, zone: Zone, ownerAt: number): boolean;
}

export function createAnswerWriter(table: Table, lookup: Lookup, selector: Selector): AnswerWriter {
  const { selection } = selector;
  const chunks = table.arena.words;
  const chunkBytes = table.arena.bytes;
  const targets = new Int32Array(MAX_GLUE_NAMES);
  const targetHashes = new Int32Array(MAX_GLUE_NAMES);
  const glued = new Int32Array(MAX_GLUE_NAMES);
  const target: LabelledName = emptyName();
  let targetCount = 0;
  let lastRdata = 0;
  let written = 0;

  /** Writes what was selected, as much of it as fits. */
  const writeSelected = (reply: Reply, handle: number, rrset: number, ownerAt: number): void => {
    const words = chunks[chunkOf(handle)];
    const bytes = chunkBytes[chunkOf(handle)];
    const type = words[rrset + RRSET.TYPE] & 0xffff;
    const ttl = words[rrset + RRSET.TTL];
    const nameAt = targetOffset(type);
    const rdataWord = nameAt < 0 ? RECORD.WORDS : RECORD.WORDS + 1;
    const { out, limit } = reply;
    let at = reply.at;
    targetCount = 0;
    written = 0;
    for (let i = 0; i < selection.count; i++) {
      const record = selection.records[i];
      const length = words[record + RECORD.LENGTH] & 0xffff;
      const from = (record + rdataWord) << 2;
      const rdata = at + RECORD_WIRE_BYTES;
      if (rdata + length > limit) {
        reply.truncated = true;
        break;
      }
      writeRecordHead(out, at, ownerAt, type, ttl, length);
      for (let k = 0; k < length; k++) out[rdata + k] = bytes[from + k];
      if (nameAt >= 0 && targetCount < MAX_GLUE_NAMES) {
        targets[targetCount] = rdata + nameAt;
        targetHashes[targetCount++] = words[record + RECORD.WORDS];
      }
      lastRdata = rdata;
      at = rdata + length;
      written++;
    }
    reply.at = at;
  };

  const finish = (reply: Reply, handle: number, rrset: number, ownerAt: number): number => {
    written = 0;
    if (selection.count === 0 && !selection.overflow) return NONE_ALIVE;
    const size = selection.rdataBytes + selection.count * RECORD_WIRE_BYTES;
    const fits = !selection.overflow && reply.at + size <= reply.limit;
    if (!fits) reply.truncated = true;
    if (!fits && !reply.overTcp) return TRUNCATED;
    writeSelected(reply, handle, rrset, ownerAt);
    return fits ? WRITTEN : TRUNCATED;
  };

  /** Adds one address RRset of a name, whole or not at all (RFC 2181 section 9: no TC for what was not asked). */
  const addAddresses = (reply: Reply, handle: number, type: number, ownerAt: number): void => {
    const rrset = lookup.rrsetOf(handle, type);
    if (rrset < 0) return;
    selector.select(chunks[chunkOf(handle)], wordOf(handle), rrset, reply.limit - reply.at);
    const size = selection.rdataBytes + selection.count * RECORD_WIRE_BYTES;
    if (selection.count === 0 || selection.overflow || reply.at + size > reply.limit) return;
    const kept = targetCount;
    writeSelected(reply, handle, rrset, ownerAt);
    targetCount = kept;
    reply.additional += written;
  };

  return {
    lastRdata: () => lastRdata,
    written: () => written,
    rrset(reply, handle, rrset, ownerAt) {
      selector.select(chunks[chunkOf(handle)], wordOf(handle), rrset, reply.limit - reply.at);
      return finish(reply, handle, rrset, ownerAt);
    },
    cname(reply, handle, rrset, ownerAt) {
      selector.selectOne(chunks[chunkOf(handle)], wordOf(handle), rrset);
      return finish(reply, handle, rrset, ownerAt);
    },
    glue(reply, type) {
      if (type !== TYPE.SRV && type !== TYPE.MX && type !== TYPE.NS) return;
      const names = targetCount;
      let seen = 0;
      for (let i = 0; i < names; i++) {
        const at = targets[i];
        if (at > MAX_POINTER) return;
        readName(reply.out, at, reply.at, target);
        const handle = table.find(targetHashes[i], target.bytes, 0, target.length);
        if (handle < 0) continue;
        let known = 0;
        while (known < seen && glued[known] !== handle) known++;
        if (known < seen) continue;
        glued[seen++] = handle;
        addAddresses(reply, handle, TYPE.A, at);
        addAddresses(reply, handle, TYPE.AAAA, at);
      }
    },
    soa(reply, zone, ownerAt) {
      const handle = lookup.apexOf(zone);
      const rrset = handle < 0 ? -1 : lookup.rrsetOf(handle, TYPE.SOA);
      if (rrset < 0) return false;
      const words = chunks[chunkOf(handle)];
      const bytes = chunkBytes[chunkOf(handle)];
      const record = wordOf(handle) + words[rrset + RRSET.FIRST];
      const length = words[record + RECORD.LENGTH] & 0xffff;
      const from = (record + RECORD.WORDS) << 2;
      const rdata = reply.at + RECORD_WIRE_BYTES;
      if (rdata + length > reply.limit) {
        reply.truncated = true;
        return true;
      }
      const end = from + length;
      const minimum = (bytes[end - 4] << 24) | (bytes[end - 3] << 16) | (bytes[end - 2] << 8) | bytes[end - 1];
      const ttl = Math.min(words[rrset + RRSET.TTL], minimum);
      writeRecordHead(reply.out, reply.at, ownerAt, TYPE.SOA, ttl, length);
      for (let k = 0; k < length; k++) reply.out[rdata + k] = bytes[from + k];
      reply.at = rdata + length;
      reply.authority++;
      return true;
    },
  };
}
