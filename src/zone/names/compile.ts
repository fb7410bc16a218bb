// One service and its instances → the names it publishes. Pure: the same state gives the same names.
import type { WireName } from '../../dns/name.ts';
import type { ServiceState } from '../../registry/model.ts';
import { clusterIpNames } from './cluster-ip.ts';
import { basesOf, type Compilation, type CompileContext } from './compilation.ts';
import { type Endpoint, endpointsOf } from './endpoint.ts';
import { externalNames } from './external-name.ts';
import { KeptService, type KeptServices } from './kept-endpoints.ts';
import { namespaceNames } from './pod-names.ts';
import { NO_BASE, type PublishedName } from './published-name.ts';
import { reverseNames } from './reverse.ts';
import { instanceNames, serviceNames } from './service-names.ts';

export interface CompiledService {
  /** The names that the templates give the service itself; all its other names, PTR aside, are below these. */
  readonly bases: readonly WireName[];
  /** Each name once. */
  readonly names: readonly PublishedName[];
  /** Bases that it has without publishing anything there; see held-names.ts. */
  readonly held: readonly WireName[];
  /** For a large service: data kept until the next compilation. */
  readonly kept: KeptService | undefined;
}

const NOTHING: CompiledService = { bases: [], names: [], held: [], kept: undefined };

/** Never throws because of a source's data: anything that cannot be expressed is skipped and reported. */
export function compileService(
  state: ServiceState,
  context: CompileContext,
  keptServices?: KeptServices,
): CompiledService {
  const { service, key } = state;
  if (service === undefined) return NOTHING;
  const { zone, reverseZones } = context;
  const origin = { service, zone, reverseZones };
  const known = keptServices?.find(key, origin);
  const bases = known?.bases ?? basesOf(service, context);
  // Problems of a template are reported at each compilation.
  const isKept =
    keptServices?.isWorthKeeping(state) && bases.length > 0 && bases.length === new Set(service.names).size;
  const kept = isKept ? (known ?? new KeptService(origin, bases)) : undefined;
  if (kept === undefined) keptServices?.forget(key);
  else keptServices?.keep(state, kept);
  if (bases.length === 0) return NOTHING;
  const names: PublishedName[] = [];
  const hasDistinctAddresses = state.sharedAddresses.size === 0;
  const compilation = { service, state, bases, names, hasDistinctAddresses, context };
  const make = (one: Parameters<typeof endpointsOf>[1]) => endpointsOf(compilation, one);
  compileKind(compilation, () =>
    kept === undefined
      ? [...state.instances.values()].flatMap((one) => make(one).endpoints)
      : kept.endpointsOf(state, make),
  );
  // `ignoreEmptyService` gives the name away, so that another cluster may answer.
  const held = names.length === 0 && service.ignoreEmpty !== true ? bases : [];
  return { bases, names: bases.length > 1 ? distinctNames(names) : names, held, kept };
}

function compileKind(compilation: Compilation, endpoints: () => Endpoint[]): void {
  const { kind } = compilation.service;
  if (kind === 'namespace') namespaceNames(compilation);
  else if (kind === 'externalName') externalNames(compilation);
  else if (kind === 'clusterIp') clusterIpService(compilation, endpoints());
  else instancesService(compilation, endpoints());
}

function clusterIpService(compilation: Compilation, endpoints: readonly Endpoint[]): void {
  const { service, context } = compilation;
  const named = service.hidesInstances ? [] : endpoints;
  reverseNames(compilation, named);
  // As in CoreDNS, `ignore empty_service` keeps the reverse name.
  if (service.ignoreEmpty && !endpoints.some(({ slot }) => context.isAnswered(slot))) return;
  clusterIpNames(compilation);
  instanceNames(compilation, named);
}

function instancesService(compilation: Compilation, endpoints: readonly Endpoint[]): void {
  reverseNames(compilation, endpoints);
  serviceNames(compilation, endpoints);
  instanceNames(compilation, endpoints);
}

/** With several templates, an instance's name under one may be the service's name under another: that one stays. */
function distinctNames(names: readonly PublishedName[]): PublishedName[] {
  const byName = new Map<string, PublishedName>();
  const isBase = ({ below }: PublishedName) => below === NO_BASE;
  for (const each of [...names.filter(isBase), ...names.filter((one) => !isBase(one))]) {
    const name = Buffer.from(each.records.name).toString('latin1');
    if (!byName.has(name)) byName.set(name, each);
  }
  return [...byName.values()];
}
