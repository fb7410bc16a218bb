// The zones we answer for: which of them a name is in, and what is known of each.

import { type LabelledName, labelledName } from '../../dns/fast/question-reader.ts';
import type { WireName } from '../../dns/name.ts';
import { labelCount } from '../../dns/name.ts';
import type { HashSeed } from '../../dns/name-hash.ts';
import { HashIndex } from '../../memory/hash-index.ts';
import type { ZoneState } from '../../plane/records.ts';
import { wordsOf } from './table.ts';

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

/** Whether what is not found in `zone` may be known elsewhere (CoreDNS's `fallthrough`). */
export function fallsThrough(zone: Zone, name: LabelledName): boolean {
  for (let i = 0; i < zone.fallthrough.length; i++) {
    const suffix = zone.fallthrough[i];
    const labels = labelCount(suffix);
    if (labels <= name.labels && endsWith(name, labels, suffix)) return true;
  }
  return false;
}

/** What the zones claim of a wire name (any case): its truth whole, only what they know of it, nothing. Off the answer path. */
export function claimOn(zones: Zones, wire: WireName, seed: HashSeed): 'whole' | 'known-names' | 'none' {
  const name = labelledName(wire, seed);
  const zone = zones.enclosing(name, name.hashes, name.labels);
  if (zone === undefined) return 'none';
  return fallsThrough(zone, name) ? 'known-names' : 'whole';
}

function key(name: WireName): string {
  return Buffer.from(name.buffer, name.byteOffset, name.length).toString('latin1');
}
