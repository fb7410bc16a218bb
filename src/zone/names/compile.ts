// One service and its instances → the names it publishes. Pure: the same state gives the same names.
import type { WireName } from '../../dns/name.ts';
import type { InstanceState, ServiceState } from '../../registry/model.ts';
import { clusterIpNames } from './cluster-ip.ts';
import { basesOf, type Compilation, type CompileContext } from './compilation.ts';
import { addEndpoints, type Endpoint } from './endpoint.ts';
import { externalNames } from './external-name.ts';
import { namespaceNames } from './pod-names.ts';
import { NO_BASE, type PublishedName } from './published-name.ts';
import { reverseNames, reverseNamesOfClusterIps } from './reverse.ts';
import { instanceNames, serviceNames } from './service-names.ts';

export interface CompiledService {
  /** The names that the templates give the service itself; all its other names, PTR aside, are below these. */
  readonly bases: readonly WireName[];
  /** Each name once. */
  readonly names: readonly PublishedName[];
  /** Bases that it has without publishing anything there; see held-names.ts. */
  readonly held: readonly WireName[];
}

/** What is compiled of a large service (publish/split-services.ts): the names that need none of its instances, or those of some. */
export type Share = 'common' | readonly InstanceState[];

/** Every name, or only those that instances share: the service's own and those of its ports. */
export type Scope = 'all' | 'shared';

const NOTHING: CompiledService = { bases: [], names: [], held: [] };

/** Never throws because of a source's data: anything that cannot be expressed is skipped and reported. */
export function compileService(
  state: ServiceState,
  context: CompileContext,
  share?: Share,
  scope: Scope = 'all',
): CompiledService {
  const { service } = state;
  // Problems of a template are those of the whole service.
  const told = Array.isArray(share) ? { ...context, leftOut() {} } : context;
  const bases = service === undefined ? [] : basesOf(service, told);
  if (service === undefined || bases.length === 0) return NOTHING;
  const names: PublishedName[] = [];
  const hasDistinctAddresses = state.sharedAddresses.size === 0;
  const isPart = Array.isArray(share);
  const compilation: Compilation = { service, state, bases, names, isPart, hasDistinctAddresses, context };
  const isIgnored = isIgnoredService(state, context);
  if (share === undefined || share === 'common') commonNames(compilation, isIgnored);
  if (share !== 'common') namesOfInstances(compilation, share ?? state.instances.values(), isIgnored, scope);
  // `ignoreEmptyService` releases the name, so that another cluster may answer.
  const held = share === undefined && names.length === 0 && service.ignoreEmpty !== true ? bases : [];
  return { bases, names: bases.length > 1 ? distinctNames(names, bases) : names, held };
}

/** CoreDNS's `ignore empty_service`, which keeps the reverse name. */
function isIgnoredService({ service, instances }: ServiceState, { isAnswered }: CompileContext): boolean {
  if (service?.kind !== 'clusterIp' || service.ignoreEmpty !== true) return false;
  for (const { slot } of instances.values()) if (isAnswered(slot)) return false;
  return true;
}

function commonNames(compilation: Compilation, isIgnored: boolean): void {
  const { kind } = compilation.service;
  if (kind === 'namespace') namespaceNames(compilation);
  else if (kind === 'externalName') externalNames(compilation);
  else if (kind === 'clusterIp') {
    reverseNamesOfClusterIps(compilation);
    if (!isIgnored) clusterIpNames(compilation);
  }
}

function namesOfInstances(
  compilation: Compilation,
  instances: Iterable<InstanceState>,
  isIgnored: boolean,
  scope: Scope,
): void {
  const { kind, hidesInstances } = compilation.service;
  if (hidesInstances || kind === 'namespace' || kind === 'externalName') return;
  const endpoints: Endpoint[] = [];
  for (const one of instances) addEndpoints(endpoints, compilation, one);
  if (scope === 'all') reverseNames(compilation, endpoints);
  if (kind === 'instances') serviceNames(compilation, endpoints);
  if (scope === 'all' && !isIgnored) instanceNames(compilation, endpoints);
}

/** With several templates, an instance's name under one may be the service's name under another: that one stays. */
function distinctNames(names: readonly PublishedName[], bases: readonly WireName[]): PublishedName[] {
  const taken = new Set(bases.map(textOf));
  const isBase = ({ below }: PublishedName) => below === NO_BASE;
  const below = names.filter((one) => !isBase(one) && isFirst(taken, textOf(one.records.name)));
  return [...names.filter(isBase), ...below];
}

const textOf = (name: WireName): string => Buffer.from(name).toString('latin1');

function isFirst(taken: Set<string>, text: string): boolean {
  const { size } = taken;
  return taken.add(text).size > size;
}
