// What is served, at a glance: the status page shows it, and `serve` prints it.
import type { Status } from '../registry/model.ts';
import type { Registry, ServiceState } from '../registry/registry.ts';
import type { SourceStatus, StatusBoard } from '../sources/status.ts';

export interface Overview {
  readonly zones: readonly ZoneOverview[];
  readonly sources: readonly SourceStatus[];
}

export interface ZoneOverview {
  readonly name: string;
  readonly ready: boolean;
  readonly stale: boolean;
  readonly records: number;
  /** At most `limit` of them, those with instances out of the answers first, then by name. */
  readonly services: readonly ServiceOverview[];
  readonly serviceCount: number;
  readonly instanceCount: number;
  readonly answeredCount: number;
}

export interface ServiceOverview {
  /** The first name it is published under. */
  readonly name: string;
  readonly kind: string;
  readonly source: string;
  readonly instanceCount: number;
  readonly answeredCount: number;
  /** At most MAX_INSTANCES. */
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
  readonly zones: readonly { readonly name: string; readonly records: readonly unknown[] }[];
  readonly registry: Pick<Registry, 'services'>;
  readonly board: Pick<StatusBoard, 'sources' | 'zone'>;
}

/** `limit` bounds the services listed of each zone; the counts are of all. */
export function overviewOf({ zones, registry, board }: OverviewSources, limit: number): Overview {
  const byZone = new Map<string, ServiceState[]>(zones.map(({ name }) => [name, []]));
  for (const state of registry.services()) if (isListed(state)) byZone.get(state.service!.zone)?.push(state);
  return {
    zones: zones.map(({ name, records }) => {
      const services = (byZone.get(name) ?? []).map((state) => ({ state, ...countInstances(state) }));
      const sum = (of: (service: (typeof services)[number]) => number) => services.reduce((n, one) => n + of(one), 0);
      const first = services
        .sort((a, b) => Number(isWhole(a)) - Number(isWhole(b)) || a.state.key.localeCompare(b.state.key))
        .slice(0, limit);
      return {
        name,
        ...board.zone(name),
        records: records.length,
        services: first.map(({ state }) => describeService(state)),
        serviceCount: services.length,
        instanceCount: sum(({ instanceCount }) => instanceCount),
        answeredCount: sum(({ answeredCount }) => answeredCount),
      };
    }),
    sources: board.sources(),
  };
}

const isListed = ({ service }: ServiceState) => service !== undefined && service.kind !== 'namespace';
const isWhole = (one: { instanceCount: number; answeredCount: number }) => one.instanceCount === one.answeredCount;

function countInstances({ instances }: ServiceState) {
  let answeredCount = 0;
  for (const { verdict } of instances.values()) if (verdict.answered) answeredCount++;
  return { instanceCount: instances.size, answeredCount };
}

function describeService(state: ServiceState): ServiceOverview {
  const service = state.service!;
  return {
    name: publishedName(service),
    kind: service.kind,
    source: service.source,
    ...countInstances(state),
    instances: [...state.instances.values()].slice(0, MAX_INSTANCES).map(({ instance, verdict }) => ({
      id: instance.id,
      addresses: instance.addresses,
      status: verdict.status,
      answered: verdict.answered,
      reason: verdict.reason,
    })),
  };
}

function publishedName(service: NonNullable<ServiceState['service']>): string {
  const relative = service.names[0].replaceAll('{service}', service.name).replaceAll('{namespace}', service.namespace);
  return `${relative}.${service.zone}`;
}
