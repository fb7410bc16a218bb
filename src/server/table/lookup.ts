// Looks up a name and a type in our zones: steps 2 and 3 of RFC 1034 section 4.3.2. The response
// follows from the outcome (respond.ts).
import { type HashedName, type LabelledName, labelledName } from '../../dns/fast/question-reader.ts';
import { labelCount, type WireName } from '../../dns/name.ts';
import { type HashSeed, wildcardHash } from '../../dns/name-hash.ts';
import { readPodAddress } from '../../dns/pod-address.ts';
import { TYPE } from '../../dns/types.ts';
import { chunkOf, wordOf } from '../../memory/arena.ts';
import { HashIndex } from '../../memory/hash-index.ts';
import { BLOCK, BLOCK_FLAG, RRSET } from '../../plane/layout.ts';
import type { ZoneState } from '../../plane/records.ts';
import { OUTCOME } from './outcome.ts';
import { type Table, wordsOf } from './table.ts';

/** Overwritten by the next lookup. */
export interface Found {
  outcome: number;
  zone: Zone | undefined;
  /** The block of the name, of the wildcard or of the cut; -1 where there is none. */
  handle: number;
  /** The header of the RRset of the type asked for, of the CNAME, the DNAME or the cut's NS: a word in the block's chunk. */
  rrset: number;
  /** With REFERRAL and DNAME: how many labels the name of the block has. */
  cutLabels: number;
  /** With POD_ADDRESS: `addressLength` bytes. */
  readonly address: Uint8Array;
  addressLength: number;
  podTtl: number;
}

export interface Lookup {
  find(type: number): Found;
}

/** Searches for `name`, which the question reader overwrites. */
export function createLookup(table: Table, zones: Zones, name: HashedName): Lookup {
  const { hashes } = name;
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
  const findAbove = createSearchAbove(table, name, found);
  const findBelowEncloser = createWildcardSearch(table, name, found);

  /** Step 2. DS at an apex is answered by the parent zone if that is ours as well (RFC 4035 section 3.1.4.1). */
  const zoneFor = (type: number): Zone | undefined => {
    const zone = zones.enclosing(name, hashes, name.labels);
    if (type !== TYPE.DS || zone?.labels !== name.labels) return zone;
    return zones.enclosing(name, hashes, name.labels - 1) ?? zone;
  };

  const outcomeOf = (type: number, zone: Zone): number => {
    // Every apex counts as a cut (zone/apex.ts): most often there is nothing to look for above the name.
    if (table.cuts() > zones.count() || table.dnames() > 0) {
      const above = findAbove(type, zone);
      if (above !== OUTCOME.HIT) return above;
    }
    found.handle = table.findWords(hashes[name.labels], name.words, name.length);
    if (found.handle < 0) found.handle = findBelowEncloser(zone);
    if (found.handle < 0) return outcomeOfMissing(type, zone);
    found.rrset = rrsetOf(table, found.handle, type);
    if (found.rrset >= 0) return OUTCOME.HIT;
    found.rrset = rrsetOf(table, found.handle, TYPE.CNAME);
    if (found.rrset >= 0) return OUTCOME.ALIAS;
    return zone.ready ? OUTCOME.NODATA : OUTCOME.NOT_READY;
  };

  const outcomeOfMissing = (type: number, zone: Zone): number => {
    if (found.addressLength === 0) return zone.ready ? OUTCOME.NXDOMAIN : OUTCOME.NOT_READY;
    return type === (found.addressLength === 4 ? TYPE.A : TYPE.AAAA) ? OUTCOME.POD_ADDRESS : OUTCOME.NODATA;
  };

  return {
    find(type) {
      const zone = zoneFor(type);
      found.zone = zone;
      found.handle = -1;
      found.addressLength = 0;
      found.outcome = zone === undefined ? OUTCOME.OUTSIDE : outcomeOf(type, zone);
      return found;
    },
  };
}

/** The block of the last `labels` labels of the name. */
const findSuffix = (table: Table, name: HashedName, labels: number): number =>
  table.find(name.hashes[labels], name.view, name.starts[labels], name.length - name.starts[labels]);

const flagsOf = (words: Int32Array, block: number): number => words[block + BLOCK.NAME] >> 16;

/**
 * Step 3b and RFC 6672 section 3.2: a zone cut between the apex and the name, or a DNAME above it, which occludes the names
 * below. DS at the cut is answered by the parent side. HIT: there is neither.
 */
function createSearchAbove(table: Table, name: HashedName, found: Found) {
  const chunks = table.arena.words;
  return (type: number, zone: Zone): number => {
    for (let labels = zone.labels; labels <= name.labels; labels++) {
      const handle = findSuffix(table, name, labels);
      if (handle < 0) return OUTCOME.HIT;
      const flags = flagsOf(chunks[chunkOf(handle)], wordOf(handle));
      const isCut = (flags & BLOCK_FLAG.HAS_NS) !== 0 && labels > zone.labels;
      found.handle = handle;
      found.cutLabels = labels;
      if (isCut && (labels < name.labels || type !== TYPE.DS)) {
        found.rrset = rrsetOf(table, handle, TYPE.NS);
        return OUTCOME.REFERRAL;
      }
      if ((flags & BLOCK_FLAG.HAS_DNAME) !== 0 && labels < name.labels) {
        found.rrset = rrsetOf(table, handle, TYPE.DNAME);
        return OUTCOME.DNAME;
      }
    }
    return OUTCOME.HIT;
  };
}

/** Step 3c: the wildcard below the closest encloser (RFC 4592 section 3.3.1), which may also synthesize pod names. */
function createWildcardSearch(table: Table, name: HashedName, found: Found) {
  const chunks = table.arena.words;
  const { hashes } = name;
  /** `*`, followed by the name of the closest encloser. */
  const wildcard = Uint8Array.from({ length: 264 }, (_, i) => (i === 0 ? 1 : i === 1 ? 0x2a : 0));
  const wildcardView = new DataView(wildcard.buffer);

  /** The longest existing name above a missing one; -1 where even the apex is missing. */
  const closestEncloser = (zone: Zone): number => {
    if (name.labels <= zone.labels) return -1;
    const parent = findSuffix(table, name, name.labels - 1);
    if (parent >= 0) return parent;
    // From the apex down: all names above an existing one exist, so the first gap ends the walk.
    let encloser = findSuffix(table, name, zone.labels);
    for (let labels = zone.labels + 1; encloser >= 0 && labels + 1 < name.labels; labels++) {
      const next = findSuffix(table, name, labels);
      if (next < 0) break;
      encloser = next;
    }
    return encloser;
  };

  return (zone: Zone): number => {
    const encloser = closestEncloser(zone);
    if (encloser < 0) return -1;
    const words = chunks[chunkOf(encloser)];
    const block = wordOf(encloser);
    const labels = (words[block + BLOCK.NAME] >> 8) & 0xff;
    const flags = flagsOf(words, block);
    if ((flags & BLOCK_FLAG.SYNTHESIZES_PODS) !== 0 && labels + 1 === name.labels) {
      found.addressLength = readPodAddress(name.bytes, 0, found.address);
      found.podTtl = words[block + BLOCK.POD_TTL];
      if ((flags & BLOCK_FLAG.VERIFIES_PODS) !== 0 && found.addressLength > 0) {
        // It exists, and needs no wildcard.
        if (table.podNames.has(hashes[name.labels], found.address, found.addressLength)) return -1;
        found.addressLength = 0;
      }
    }
    if (table.wildcards() === 0) return -1;
    const start = name.starts[labels];
    for (let i = start; i < name.length; i++) wildcard[2 + i - start] = name.bytes[i];
    return table.find(wildcardHash(hashes[labels]), wildcardView, 0, 2 + name.length - start);
  };
}

/** The header of the RRset of a type in a block, -1 where it has none. */
export function rrsetOf(table: Table, handle: number, type: number): number {
  const words = table.arena.words[chunkOf(handle)];
  const block = wordOf(handle);
  let header = block + BLOCK.NAME_BYTES + (((words[block + BLOCK.NAME] & 0xff) + 3) >> 2);
  const end = header + words[block + BLOCK.RRSETS] * RRSET.WORDS;
  for (; header < end; header += RRSET.WORDS) if ((words[header + RRSET.TYPE] & 0xffff) === type) return header;
  return -1;
}

export interface Zone extends ZoneState {
  readonly hash: number;
  /** The name as words, the last padded with zeros. */
  readonly words: Int32Array;
  /** Without the root. */
  readonly labels: number;
}

export interface Zones {
  /**
   * The zone of the longest name that `name` is at or below, of those with at most `most` labels; undefined: the name is
   * not ours.
   */
  enclosing(name: LabelledName, hashes: Int32Array, most: number): Zone | undefined;
  replace(hash: number, zone: ZoneState): void;
  remove(hash: number, name: WireName): void;
  count(): number;
}

const FEWEST_BUCKETS = 8;

export function createZones(): Zones {
  const zones = new Map<string, Zone>();
  let list: readonly Zone[] = [];
  let places = new HashIndex(FEWEST_BUCKETS);
  /** Numbers of labels that zones have, longest first: only these suffixes are looked up. */
  let depths: readonly number[] = [];

  /** Zones change rarely and are few, so everything is made again. */
  const rebuild = (): void => {
    list = [...zones.values()];
    places = new HashIndex(FEWEST_BUCKETS);
    list.forEach(({ hash }, place) => {
      places.add(hash, place);
    });
    depths = [...new Set(list.map(({ labels }) => labels))].sort((a, b) => b - a);
  };

  return {
    enclosing(name, hashes, most) {
      for (let i = 0; i < depths.length; i++) {
        const depth = depths[i];
        if (depth > most) continue;
        const hash = hashes[depth];
        for (let place = places.first(hash); place >= 0; place = places.next(hash)) {
          const zone = list[place];
          if (endsWith(name, depth, zone.name)) return zone;
        }
      }
      return undefined;
    },
    replace(hash, zone) {
      zones.set(key(zone.name), { ...zone, hash, words: wordsOf(zone.name), labels: labelCount(zone.name) });
      rebuild();
    },
    remove(_hash, name) {
      if (zones.delete(key(name))) rebuild();
    },
    count: () => zones.size,
  };
}

/** Whether the last `labels` labels of `name` are `suffix`. */
export function endsWith(name: LabelledName, labels: number, suffix: WireName): boolean {
  const start = name.starts[labels];
  if (name.length - start !== suffix.length) return false;
  for (let i = 0; i < suffix.length; i++) if (name.bytes[start + i] !== suffix[i]) return false;
  return true;
}

/** Whether unknown names in `zone` are forwarded (CoreDNS's `fallthrough`). */
export function fallsThrough(zone: Zone, name: LabelledName): boolean {
  for (let i = 0; i < zone.fallthrough.length; i++) {
    const suffix = zone.fallthrough[i];
    const labels = labelCount(suffix);
    if (labels <= name.labels && endsWith(name, labels, suffix)) return true;
  }
  return false;
}

/** Whether the zones answer a wire name (any case) always, only if it exists, or never. Off the answer path. */
export function claimOn(zones: Zones, wire: WireName, seed: HashSeed): 'whole' | 'known-names' | 'none' {
  const name = labelledName(wire, seed);
  const zone = zones.enclosing(name, name.hashes, name.labels);
  if (zone === undefined || zone.partial === true) return 'none';
  return fallsThrough(zone, name) ? 'known-names' : 'whole';
}

function key(name: WireName): string {
  return Buffer.from(name.buffer, name.byteOffset, name.length).toString('latin1');
}
