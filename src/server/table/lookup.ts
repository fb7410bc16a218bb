// What a name and a type lead to in our zones. The outcome is a value; what is answered follows from it in respond.ts.

import type { HashedName } from '../../dns/fast/question-reader.ts';
import { wildcardHash } from '../../dns/name-hash.ts';
import { readPodAddress } from '../../dns/pod-address.ts';
import { TYPE } from '../../dns/types.ts';
import { chunkOf, wordOf } from '../../memory/arena.ts';
import { BLOCK, BLOCK_FLAG, RRSET } from '../../plane/layout.ts';
import type { Table } from './table.ts';
import type { Zone, Zones } from './zones.ts';

export const OUTCOME = {
  /** `rrset` answers. */
  HIT: 0,
  /** `rrset` is the CNAME to follow. */
  CNAME: 1,
  /** The name exists, the type does not (RFC 2308 section 2.2). */
  NODATA: 2,
  NXDOMAIN: 3,
  /** Below a zone cut: `rrset` is the NS RRset there, at `cutLabels`. */
  REFERRAL: 4,
  /** The address that the first label spells, `addressLength` bytes of `address`. */
  POD_ADDRESS: 5,
  /** Nothing is known here, but the zone is not complete, so nothing can be said of it. */
  NOT_READY: 6,
  /** In none of our zones. */
  OUTSIDE: 7,
} as const;

/** The result of the last lookup; overwritten by the next. */
export interface Found {
  outcome: number;
  zone: Zone | undefined;
  /** The block of the name, of the wildcard or of the cut; -1 with NXDOMAIN. */
  handle: number;
  /** The word in the block's chunk where the RRset's header begins. */
  rrset: number;
  cutLabels: number;
  readonly address: Uint8Array;
  addressLength: number;
  podTtl: number;
}

export interface Lookup {
  readonly found: Found;
  /** Looks up the name being answered; `found` then says what there is. */
  lookup(type: number): void;
  /** The header of the RRset of a type in a block, -1 where it has none. */
  rrsetOf(handle: number, type: number): number;
  /** The handle of a zone's apex, -1 before it is filled. */
  apexOf(zone: Zone): number;
}

export function createLookup(table: Table, zones: Zones, name: HashedName): Lookup {
  const chunks = table.arena.words;
  const { hashes } = name;
  const wildcard = Uint8Array.from({ length: 264 }, (_, i) => (i === 0 ? 1 : i === 1 ? 0x2a : 0));
  const wildcardView = new DataView(wildcard.buffer);
  const found: Found = {
    outcome: OUTCOME.OUTSIDE,
    zone: undefined,
    handle: -1,
    rrset: -1,
    cutLabels: 0,
    address: new Uint8Array(16),
    addressLength: 0,
    podTtl: 0,
  };

  const rrsetOf = (handle: number, type: number): number => {
    const words = chunks[chunkOf(handle)];
    const block = wordOf(handle);
    let header = block + BLOCK.NAME_BYTES + (((words[block + BLOCK.NAME] & 0xff) + 3) >> 2);
    const end = header + words[block + BLOCK.RRSETS] * RRSET.WORDS;
    for (; header < end; header += RRSET.WORDS) if ((words[header + RRSET.TYPE] & 0xffff) === type) return header;
    return -1;
  };

  const flagsOf = (handle: number): number => chunks[chunkOf(handle)][wordOf(handle) + BLOCK.NAME] >> 16;

  const suffix = (labels: number): number =>
    table.find(hashes[labels], name.view, name.starts[labels], name.length - name.starts[labels]);

  /** A zone cut between the apex and the name (RFC 1034 section 4.3.2 step 3b); DS is asked of the parent side. */
  const findCut = (type: number, zone: Zone): boolean => {
    const last = type === TYPE.DS ? name.labels - 1 : name.labels;
    for (let labels = zone.labels + 1; labels <= last; labels++) {
      const handle = suffix(labels);
      if (handle < 0) return false;
      if ((flagsOf(handle) & BLOCK_FLAG.HAS_NS) === 0) continue;
      found.outcome = OUTCOME.REFERRAL;
      found.handle = handle;
      found.rrset = rrsetOf(handle, TYPE.NS);
      found.cutLabels = labels;
      return true;
    }
    return false;
  };

  /** The name is not there: perhaps its closest encloser says something of it (RFC 4592 section 3.3.1). */
  const fromEncloser = (zone: Zone): number => {
    if (name.labels <= zone.labels) return -1;
    // Most often the parent is there. Otherwise from the apex down: every name above an existing one exists, so the first
    // gap ends the walk.
    let labels = name.labels - 1;
    let encloser = suffix(labels);
    if (encloser < 0) {
      labels = zone.labels;
      encloser = suffix(labels);
      while (encloser >= 0 && labels + 2 < name.labels) {
        const next = suffix(labels + 1);
        if (next < 0) break;
        encloser = next;
        labels++;
      }
    }
    if (encloser < 0) return -1;
    if ((flagsOf(encloser) & BLOCK_FLAG.SYNTHESIZES_PODS) !== 0 && labels + 1 === name.labels) {
      found.addressLength = readPodAddress(name.bytes, 0, found.address);
      found.podTtl = chunks[chunkOf(encloser)][wordOf(encloser) + BLOCK.POD_TTL];
    }
    if (table.wildcards() === 0) return -1;
    const start = name.starts[labels];
    for (let i = start; i < name.length; i++) wildcard[2 + i - start] = name.bytes[i];
    return table.find(wildcardHash(hashes[labels]), wildcardView, 0, 2 + name.length - start);
  };

  /** DS at a zone's own name is the parent's to answer, where that is ours as well (RFC 4035 section 3.1.4.1). */
  const zoneFor = (type: number): Zone | undefined => {
    const zone = zones.enclosing(name, hashes, name.labels);
    if (type !== TYPE.DS || zone?.labels !== name.labels) return zone;
    return zones.enclosing(name, hashes, name.labels - 1) ?? zone;
  };

  const lookup = (type: number): void => {
    const zone = zoneFor(type);
    found.zone = zone;
    found.addressLength = 0;
    if (zone === undefined) {
      found.outcome = OUTCOME.OUTSIDE;
      return;
    }
    // Every zone's apex is a cut as well (zone/apex.ts): only with more of them is there one to look for.
    if (table.cuts() > zones.count() && findCut(type, zone)) return;
    let handle = table.findWords(hashes[name.labels], name.words, name.length);
    if (handle < 0) handle = fromEncloser(zone);
    found.handle = handle;
    if (found.addressLength > 0 && handle < 0) {
      const spelled = found.addressLength === 4 ? TYPE.A : TYPE.AAAA;
      found.outcome = type === spelled ? OUTCOME.POD_ADDRESS : OUTCOME.NODATA;
      return;
    }
    if (handle < 0) {
      found.outcome = zone.ready ? OUTCOME.NXDOMAIN : OUTCOME.NOT_READY;
      return;
    }
    found.rrset = rrsetOf(handle, type);
    if (found.rrset >= 0) {
      found.outcome = OUTCOME.HIT;
      return;
    }
    found.rrset = rrsetOf(handle, TYPE.CNAME);
    if (found.rrset >= 0) found.outcome = OUTCOME.CNAME;
    else found.outcome = zone.ready ? OUTCOME.NODATA : OUTCOME.NOT_READY;
  };

  const apexOf = (zone: Zone): number => table.findWords(zone.hash, zone.words, zone.name.length);

  return { found, lookup, rrsetOf, apexOf };
}
