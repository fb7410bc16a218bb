// A summary of what is served, for the status page and for the output of `serve`.
import type { InstanceState, ServiceState, Status } from '../registry/model.ts';
import { publishedName } from '../registry/published-name.ts';
import type { Registry } from '../registry/registry.ts';
import type { DegradedSource, SourceStatus, StatusBoard } from '../sources/status.ts';
import type { Census, ServiceCensus } from './census.ts';

export interface Overview {
  readonly zones: readonly ZoneOverview[];
  readonly sources: readonly SourceStatus[];
  readonly degraded: readonly DegradedSource[];
}

export interface ZoneOverview {
  readonly name: string;
  readonly ready: boolean;
  readonly stale: boolean;
  readonly records: number;
  /** At most `limit` services, those with excluded instances first, then by name. */
  readonly services: readonly ServiceOverview[];
  readonly serviceCount: number;
  readonly instanceCount: number;
  readonly answeredCount: number;
}

export interface ServiceOverview {
  readonly key: string;
  /** The first name it is published under. */
  readonly name: string;
  readonly kind: string;
  readonly source: string;
  readonly instanceCount: number;
  readonly answeredCount: number;
  /** Of a service with cluster IPs: what its name answers, regardless of health. */
  readonly clusterIps?: readonly string[];
  /** At most MAX_INSTANCES, those that are left out first. */
  readonly instances: readonly InstanceOverview[];
}

export interface InstanceOverview {
  readonly id: string;
  readonly addresses: readonly string[];
  readonly status: Status;
  readonly answered: boolean;
  readonly reason: string;
}

const MAX_INSTANCES = 20;

export interface OverviewSources {
  readonly zones: readonly { readonly name: string; readonly records: { readonly count: number } }[];
  readonly registry: Pick<Registry, 'service'>;
  readonly census: Census;
  readonly board: Pick<StatusBoard, 'sources' | 'zone' | 'degraded'>;
}

/**
 * `limit` bounds the services listed of each zone, `wholeLimit` those of them whose instances are all answered; the counts are of
 * all.
 */
export function overviewOf(
  { zones, registry, census, board }: OverviewSources,
  limit: number,
  wholeLimit = limit,
): Overview {
  return {
    zones: zones.map(({ name, records }) => {
      const { services, troubled, instanceCount, answeredCount } = census.zone(name);
      return {
        name,
        ...board.zone(name),
        records: records.count,
        services: listed(services, troubled, limit, wholeLimit).map((key) =>
          describe(registry.service(key)!, services.get(key)!),
        ),
        serviceCount: services.size,
        instanceCount,
        answeredCount,
      };
    }),
    sources: board.sources(),
    degraded: board.degraded(),
  };
}

/** Services in trouble first, then the others, each by name. */
function listed(
  services: ReadonlyMap<string, unknown>,
  troubled: ReadonlySet<string>,
  limit: number,
  wholeLimit: number,
): string[] {
  const first = firstOf(troubled, limit);
  const whole = firstOf(services.keys(), Math.min(limit - first.length, wholeLimit), (key) => !troubled.has(key));
  return [...first.sort(), ...whole.sort()];
}

/** Iterates no further than necessary. */
function firstOf<Item>(all: Iterable<Item>, limit: number, isWanted: (item: Item) => boolean = () => true): Item[] {
  const found: Item[] = [];
  for (const item of all) {
    if (found.length >= limit) break;
    if (isWanted(item)) found.push(item);
  }
  return found;
}

/** At most `limit`, those that are left out first. */
export function inTroubleFirst(
  instances: ServiceState['instances'],
  hasTrouble: boolean,
  limit: number,
): readonly InstanceState[] {
  const left = hasTrouble ? firstOf(instances.values(), limit, ({ verdict }) => !verdict.answered) : [];
  const wanted = limit - left.length;
  return [...left, ...firstOf(instances.values(), wanted, ({ verdict }) => verdict.answered)];
}

function describe({ service, instances }: ServiceState, { size, answered }: ServiceCensus): ServiceOverview {
  return {
    key: service!.key,
    name: publishedName(service!),
    kind: service!.kind,
    source: service!.source,
    instanceCount: size,
    answeredCount: answered,
    ...(service!.clusterIps && { clusterIps: service!.clusterIps }),
    instances: inTroubleFirst(instances, size > answered, MAX_INSTANCES).map(instanceOverview),
  };
}

export const instanceOverview = ({ instance, verdict }: InstanceState): InstanceOverview => ({
  id: instance.id,
  addresses: instance.addresses,
  status: verdict.status,
  answered: verdict.answered,
  reason: verdict.reason,
});
