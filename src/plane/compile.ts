// One name with its records → the block that data threads keep (layout.ts).
import { labelCount, nameEnd, type WireName } from '../dns/name.ts';
import { type HashSeed, hashName } from '../dns/name-hash.ts';
import { TYPE } from '../dns/types.ts';
import { HashIndex } from '../memory/hash-index.ts';
import type { WordWriter } from '../memory/word-writer.ts';
import {
  BLOCK,
  BLOCK_FLAG,
  compressibleNames,
  DUPLICATE,
  nameOffset,
  POLICIES,
  RRSET,
  RRSET_FLAG,
  SHARE,
  SLOT_MASK,
  targetOffset,
} from './layout.ts';
import type { NameRecords, ResourceRecord, RRset } from './records.ts';

/** Weights above this count as this. */
const MAX_WEIGHT = 0xffff;

/** Appends the block of one name. Throws RangeError or NameError where a record cannot be encoded. */
export function compileName(writer: WordWriter, records: NameRecords, seed: HashSeed): void {
  const start = writer.length;
  const { name } = records;
  const rrsets = records.rrsets.every(isSaid) ? records.rrsets : records.rrsets.filter(isSaid);
  writer.putWord(0);
  writer.putWord(hashName(name, seed));
  writer.putWord(name.length | (labelCount(name) << 8) | (flagsOf(records) << 16));
  writer.putWord(rrsets.length);
  writer.putWord(records.synthesizesPodAddresses?.ttlSeconds ?? 0);
  writer.putBytes(name);
  const headers = writer.length;
  writer.putZeros(rrsets.length * RRSET.WORDS);
  for (let i = 0; i < rrsets.length; i++) compileRRset(writer, name, rrsets[i], start, headers + i * RRSET.WORDS, seed);
  writer.words[start + BLOCK.SIZE] = writer.length - start;
}

/** An RRset without records has no effect, unless an empty RRset must be SERVFAIL. */
const isSaid = (rrset: RRset): boolean => rrset.records.length > 0 || rrset.whenAllUnhealthy === 'servfail';

function flagsOf(records: NameRecords): number {
  let flags = records.synthesizesPodAddresses ? BLOCK_FLAG.SYNTHESIZES_PODS : 0;
  if (records.synthesizesPodAddresses?.isVerified) flags |= BLOCK_FLAG.VERIFIES_PODS;
  if (records.name[0] === 1 && records.name[1] === 0x2a) flags |= BLOCK_FLAG.WILDCARD;
  for (const rrset of records.rrsets) {
    if (rrset.type === TYPE.NS && rrset.records.length > 0) flags |= BLOCK_FLAG.HAS_NS;
    if (rrset.type === TYPE.DNAME && rrset.records.length > 0) flags |= BLOCK_FLAG.HAS_DNAME;
    if (rrset.whenAllUnhealthy === 'nxdomain') flags |= BLOCK_FLAG.MAY_NOT_EXIST;
  }
  return flags;
}

function compileRRset(
  writer: WordWriter,
  owner: WireName,
  rrset: RRset,
  block: number,
  header: number,
  seed: HashSeed,
): void {
  const target = targetOffset(rrset.type);
  const records = isDistinct(rrset.records) ? rrset.records : groupDuplicates(rrset.records);
  const names = compressibleNames(rrset.type);
  const length = records[0]?.rdata.length ?? 0;
  const uniform = records.length === 1 || (names === 0 && records.every(({ rdata }) => rdata.length === length));
  const flags =
    (rrset.routing === 'weighted' ? RRSET_FLAG.WEIGHTED : 0) |
    (target >= 0 ? RRSET_FLAG.HAS_TARGETS : 0) |
    (names > 0 ? RRSET_FLAG.COMPRESSIBLE : 0) |
    (POLICIES.indexOf(rrset.whenAllUnhealthy) << RRSET_FLAG.POLICY_SHIFT);
  const first = writer.length;
  if (!uniform) writer.putZeros(records.length);
  const firstRecord = writer.length;
  for (let i = 0; i < records.length; i++) {
    if (!uniform) writer.words[first + i] = writer.length - block;
    const repeats = records !== rrset.records && i > 0 && sameRdata(records[i].rdata, records[i - 1].rdata);
    compileRecord(writer, owner, rrset.type, records[i], repeats, seed);
  }
  const { words } = writer;
  words[header + RRSET.TYPE] = rrset.type | (flags << 16);
  words[header + RRSET.TTL] = rrset.ttlSeconds;
  words[header + RRSET.COUNT] = records.length;
  words[header + RRSET.MAX_ANSWERS] = rrset.maxAnswers;
  words[header + RRSET.FIRST] = first - block;
  words[header + RRSET.STRIDE] = uniform ? (writer.length - firstRecord) / records.length : 0;
}

function compileRecord(
  writer: WordWriter,
  owner: WireName,
  type: number,
  { rdata, slot, weight }: ResourceRecord,
  repeats: boolean,
  seed: HashSeed,
): void {
  if (rdata.length > 0xffff) throw new RangeError(`rdata of ${rdata.length} bytes, at most 65535 fit`);
  if (slot < 0 || slot > SLOT_MASK) throw new RangeError(`slot ${slot} does not exist`);
  writer.putWord(slot | (repeats ? DUPLICATE : 0));
  writer.putWord(rdata.length | (Math.max(0, Math.min(MAX_WEIGHT, Math.trunc(weight))) << 16));
  const target = targetOffset(type);
  if (target >= 0) {
    nameEnd(rdata, target);
    writer.putWord(hashName(rdata, seed, target));
  }
  const names = compressibleNames(type);
  if (names === 0) writer.putBytes(rdata);
  else putWithShares(writer, owner, rdata, nameOffset(type), names);
}

function putWithShares(writer: WordWriter, owner: WireName, rdata: Uint8Array, start: number, names: number): void {
  for (let i = 0, at = start; i < names; i++) {
    const end = nameEnd(rdata, at);
    writer.putWord(shareWith(owner, rdata, at, end));
    at = end;
  }
  writer.putSlice(rdata, 0, start);
  let at = start;
  for (let i = 0; i < names; i++) {
    const end = nameEnd(rdata, at);
    writer.putSlice(rdata, at, end);
    at = end;
  }
  writer.putSlice(rdata, at, rdata.length);
}

/** The part that the name from `at` to `end` shares with the owner name (SHARE). */
function shareWith(owner: WireName, rdata: Uint8Array, at: number, end: number): number {
  const isWildcard = owner[0] === 1 && owner[1] === 0x2a;
  let ownerAt = isWildcard ? 2 : 0;
  let nameAt = at;
  let before = 0;
  // Equal suffixes have equal lengths.
  while (owner.length - ownerAt !== end - nameAt || !equalBytes(owner, ownerAt, rdata, nameAt)) {
    const ownerRest = owner.length - ownerAt;
    const nameRest = end - nameAt;
    if (ownerRest >= nameRest) ownerAt += 1 + owner[ownerAt];
    if (nameRest < ownerRest) continue;
    nameAt += 1 + rdata[nameAt];
    before++;
  }
  let labels = 0;
  for (let next = ownerAt; owner[next] !== 0; next += 1 + owner[next]) labels++;
  const kept = labels === 0 ? end - at : nameAt - at;
  const compared = before > 1 ? SHARE.COMPARED : 0;
  return kept | (labels << SHARE.LABELS_SHIFT) | ((end - at) << SHARE.LENGTH_SHIFT) | compared;
}

/** Whether `rdata` contains the rest of `owner` at `at`. */
function equalBytes(owner: WireName, ownerAt: number, rdata: Uint8Array, at: number): boolean {
  for (let i = ownerAt; i < owner.length; i++) if (owner[i] !== rdata[at + i - ownerAt]) return false;
  return true;
}

/**
 * Records of equal rdata are put next to each other and all but the first are marked, so that an answer never has
 * duplicates (RFC 2181 section 5) while each keeps its own slot: the rdata is answered if any of them may be.
 */
function groupDuplicates(records: readonly ResourceRecord[]): readonly ResourceRecord[] {
  const groups = new Map<string, ResourceRecord[]>();
  for (const record of records) {
    const { rdata } = record;
    const key = Buffer.from(rdata.buffer, rdata.byteOffset, rdata.length).toString('latin1');
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [record]);
    else if (!group.some((other) => other.slot === record.slot)) group.push(record);
  }
  return [...groups.values()].flat();
}

const sameRdata = (one: Uint8Array, other: Uint8Array): boolean => Buffer.compare(one, other) === 0;

/** Above this many, records are compared by hashes of their rdata. */
const FEW = 8;

/** Whether no two are equal, as nearly always. */
function isDistinct(records: readonly ResourceRecord[]): boolean {
  const { length } = records;
  if (length < 2) return true;
  if (length <= FEW) return records.every(({ rdata }, i) => !isAmong(rdata, records, i));
  const seen = new HashIndex(2 ** Math.ceil(Math.log2(2 * length)));
  for (let i = 0; i < length; i++) {
    const { rdata } = records[i];
    const hash = rdataHash(rdata);
    for (let at = seen.first(hash); at >= 0; at = seen.next(hash))
      if (sameRdata(records[at].rdata, rdata)) return false;
    seen.add(hash, i);
  }
  return true;
}

function isAmong(rdata: Uint8Array, records: readonly ResourceRecord[], end: number): boolean {
  for (let i = 0; i < end; i++) {
    if (records[i].rdata.length === rdata.length && sameRdata(records[i].rdata, rdata)) return true;
  }
  return false;
}

/** Four bytes at a time. */
function rdataHash(rdata: Uint8Array): number {
  let hash = rdata.length;
  for (let i = 0; i < rdata.length; i += 4) {
    // Beyond the end is undefined, which is 0 here.
    const word = rdata[i] | (rdata[i + 1] << 8) | (rdata[i + 2] << 16) | (rdata[i + 3] << 24);
    hash = Math.imul(hash ^ word, 0x9e3779b1);
    hash ^= hash >>> 15;
  }
  return hash;
}
