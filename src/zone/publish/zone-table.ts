// The zones that are served: those of the configuration, and the reverse zones that they fill.
import type { ZoneConfig } from '../../config/config.ts';
import { isSubdomain, parseName, sameName, type WireName } from '../../dns/name.ts';
import { TYPE } from '../../dns/types.ts';
import type { NameRecords, ZoneState } from '../../plane/records.ts';
import { soaOf } from '../names/apex.ts';
import { always } from '../names/draft.ts';
import { type NamePlan, plannedRecords } from '../names/plan.ts';
import { staticNames } from '../names/static-records.ts';

export interface Readiness {
  readonly ready: boolean;
  readonly stale: boolean;
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
  /** Its own names: static records and apex, which says `serial` as it is then. */
  readonly plans: readonly NamePlan[];
  /** As setState last said. */
  readiness: Readiness;
  /** As the data plane was last told. */
  sent: ZoneState | undefined;
}

export interface ZoneTableInput {
  readonly zones: readonly ZoneConfig[];
  readonly nameServerAddresses: readonly string[];
  readonly nowMs: number;
  readonly leftOut: (zone: string, problem: string) => void;
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
    const implied = !input.zones.includes(config);
    const entry: ZoneEntry = {
      config,
      name,
      reverseZones: reverseOf(config).map((text) => parseName(text)),
      filledBy: input.zones.filter((zone) => reverseOf(zone).includes(config.name)).map((zone) => zone.name),
      fallthrough: implied
        ? [name]
        : config.kubernetes.flatMap(({ fallthrough }) => fallthrough.map((text) => parseName(text))),
      serial: known?.serial ?? timeOf(input.nowMs),
      plans: ownPlans(config, name, () => entry.serial, input),
      // What has no source to wait for is ready at once.
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
  return { ready: all.every(({ ready }) => ready), stale: all.some(({ stale }) => stale) };
}

export function zoneState(entry: ZoneEntry, { ready, stale }: Readiness): ZoneState {
  return { name: entry.name, ready, stale, fallthrough: entry.fallthrough };
}

/** The entry of the closest zone at or above a name. */
export function closestZone(name: WireName, table: ReadonlyMap<string, ZoneEntry>): ZoneEntry | undefined {
  let closest: ZoneEntry | undefined;
  for (const entry of table.values()) {
    if (isSubdomain(name, entry.name) && entry.name.length > (closest?.name.length ?? 0)) closest = entry;
  }
  return closest;
}

function ownPlans(
  config: ZoneConfig,
  name: WireName,
  serial: () => number,
  { nameServerAddresses, leftOut }: ZoneTableInput,
): NamePlan[] {
  const own = staticNames(config, nameServerAddresses, (problem) => leftOut(config.name, problem));
  return own.map((records) =>
    sameName(records.name, name) ? apexPlan(config, records, serial) : plannedRecords(records),
  );
}

/** The serial is no part of what the apex is known by: that it has moved is no change that would move it again. */
function apexPlan(config: ZoneConfig, records: NameRecords, serial: () => number): NamePlan {
  const plan = plannedRecords(records);
  if (config.records.some(({ type }) => type === 'SOA')) return plan;
  return {
    ...plan,
    fill(draft) {
      plan.fill(draft);
      const soa = draft.rrsets.find(({ type }) => type === TYPE.SOA);
      soa?.records.splice(0, 1, always(soaOf(config, serial())));
    },
  };
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
      implied.set(name, { ...zone, name, records: [], services: [], kubernetes: [], reverse: [] });
    }
  }
  return [...implied.values()];
}

const timeOf = (nowMs: number): number => Math.floor(nowMs / 1000) >>> 0;
