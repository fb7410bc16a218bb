// The served zones: those of the configuration, and their reverse zones.
import type { ZoneConfig } from '../../config/config.ts';
import { NO_STATIC_RECORDS } from '../../config/static-records.ts';
import { isSubdomain, parseName, sameName, type WireName } from '../../dns/name.ts';
import { nameEnd } from '../../plane/packed-names.ts';
import type { NameRecords, ZoneState } from '../../plane/records.ts';
import { type PublishedName, published, publishedStatic } from '../names/published-name.ts';
import { generatedNames, withSoa } from '../names/zone-names.ts';

export interface Readiness {
  readonly ready: boolean;
  readonly stale: boolean;
  /** Why it is not ready, or stale; ASCII. */
  readonly why?: string;
}

export interface ZoneEntry {
  readonly config: ZoneConfig;
  readonly name: WireName;
  /** Where the addresses of its services get PTR records. */
  readonly reverseZones: readonly WireName[];
  /** Names of the zones whose addresses this one holds. */
  readonly filledBy: readonly string[];
  readonly fallthrough: readonly WireName[];
  serial: number;
  /** Its apex and other names that it has besides static records, without the generated SOA. */
  readonly ownNames: readonly NameRecords[];
  /** As last set by setState. */
  readiness: Readiness;
  /** As last sent to the data plane. */
  sent: ZoneState | undefined;
}

export interface ZoneTableInput {
  readonly zones: readonly ZoneConfig[];
  readonly nameServerAddresses: readonly string[];
  readonly nowMs: number;
}

const CLUSTER_REVERSE_ZONES = ['in-addr.arpa.', 'ip6.arpa.'];

/** The table of a configuration; readiness and serials go on from `previous`. */
export function createZoneTable(
  input: ZoneTableInput,
  previous?: ReadonlyMap<string, ZoneEntry>,
): Map<string, ZoneEntry> {
  const configs = [...input.zones, ...impliedReverseZones(input.zones)];
  const table = new Map<string, ZoneEntry>();
  for (const config of configs) {
    const known = previous?.get(config.name);
    const name = parseName(config.name);
    const fillers = input.zones.filter((zone) => reverseOf(zone).includes(config.name));
    const isImplied = !input.zones.includes(config);
    const entry: ZoneEntry = {
      config,
      name,
      reverseZones: reverseOf(config).map((text) => parseName(text)),
      filledBy: fillers.map((zone) => zone.name),
      fallthrough: fallthroughOf(isImplied ? fillers : [config]),
      serial: known?.serial ?? timeOf(input.nowMs),
      ownNames: generatedNames(config, input.nameServerAddresses),
      // A zone without sources is ready at once.
      readiness: known?.readiness ?? { ready: config.kubernetes.length === 0, stale: false },
      sent: known?.sent,
    };
    table.set(config.name, entry);
  }
  return table;
}

/** RFC 1982: always greater, and the time where that is greater. */
export function bumpSerial(entry: ZoneEntry, nowMs: number): void {
  entry.serial = Math.max(timeOf(nowMs), (entry.serial + 1) >>> 0);
}

/** A reverse zone is ready when all that fill it are, and stale when any is. */
export function readinessOf(entry: ZoneEntry, table: ReadonlyMap<string, ZoneEntry>): Readiness {
  const all = [entry, ...entry.filledBy.flatMap((name) => table.get(name) ?? [])].map(({ readiness }) => readiness);
  const why = all.find((one) => one.why !== undefined)?.why;
  return {
    ready: all.every(({ ready }) => ready),
    stale: all.some(({ stale }) => stale),
    ...(why !== undefined && { why }),
  };
}

export function zoneState(entry: ZoneEntry, { ready, stale, why }: Readiness): ZoneState {
  return { name: entry.name, ready, stale, fallthrough: entry.fallthrough, ...(why !== undefined && { why }) };
}

/** The entry of the closest zone at or above a name. */
export function closestZone(name: WireName, table: ReadonlyMap<string, ZoneEntry>): ZoneEntry | undefined {
  let closest: ZoneEntry | undefined;
  for (const entry of table.values()) {
    if (isSubdomain(name, entry.name) && entry.name.length > (closest?.name.length ?? 0)) closest = entry;
  }
  return closest;
}

/** The names of a bucket of static records. */
export function staticNamesOf(entry: ZoneEntry | undefined, bucket: number): PublishedName[] {
  const names: PublishedName[] = [];
  const packed = entry?.config.records.bytesOf(bucket) ?? NOTHING;
  for (let at = 0; at < packed.length; ) {
    const end = nameEnd(packed, at);
    names.push(publishedStatic(packed.subarray(at, end)));
    at = end;
  }
  return names;
}

const NOTHING = new Uint8Array(0);

/**
 * The buckets in which the static records of two configurations of a zone differ; of one alone, all that have records. Those of
 * `other`, the later one, first: where names are in other buckets than before, they are claimed before they are given up.
 */
export function* changedBuckets(one: ZoneEntry | undefined, other: ZoneEntry | undefined): Generator<number> {
  const [records, others] = [one, other].map((entry) => entry?.config.records ?? NO_STATIC_RECORDS);
  for (const bucket of new Set([...others.buckets(), ...records.buckets()])) {
    if (Buffer.compare(records.bytesOf(bucket), others.bytesOf(bucket)) !== 0) yield bucket;
  }
}

/** A zone's generated names with its serial as it is now. */
export function generatedNamesOf(entry: ZoneEntry | undefined): PublishedName[] {
  if (entry === undefined) return [];
  const { config, name, serial, ownNames } = entry;
  return ownNames.map((records) =>
    published(sameName(records.name, name) ? withSoa(records, config, serial) : records),
  );
}

/** As CoreDNS: the reverse zones of a `kubernetes` block fall through by the same list. */
function fallthroughOf(zones: readonly ZoneConfig[]): WireName[] {
  const suffixes = zones.flatMap(({ kubernetes }) => kubernetes.flatMap(({ fallthrough }) => fallthrough));
  return [...new Set(suffixes)].map((text) => parseName(text));
}

function reverseOf(zone: ZoneConfig): readonly string[] {
  return zone.reverse ?? (zone.kubernetes.length > 0 ? CLUSTER_REVERSE_ZONES : []);
}

/** Reverse zones that are filled and not configured look like the first zone that fills them. */
function impliedReverseZones(zones: readonly ZoneConfig[]): ZoneConfig[] {
  const implied = new Map<string, ZoneConfig>();
  for (const zone of zones) {
    for (const name of reverseOf(zone)) {
      if (implied.has(name) || zones.some((other) => other.name === name)) continue;
      implied.set(name, { ...zone, name, records: NO_STATIC_RECORDS, services: [], kubernetes: [], reverse: [] });
    }
  }
  return [...implied.values()];
}

const timeOf = (nowMs: number): number => Math.floor(nowMs / 1000) >>> 0;
