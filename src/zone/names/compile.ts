// One service and its instances → the names it publishes. Pure: the same state gives the same names.
import type { WireName } from '../../dns/name.ts';
import type { Service } from '../../registry/model.ts';
import type { ServiceState } from '../../registry/registry.ts';
import { addText, begin, type Fingerprint, finish } from '../publish/fingerprint.ts';
import { clusterIpNames } from './cluster-ip.ts';
import { endpointsOf } from './endpoint.ts';
import { externalNames } from './external-name.ts';
import { instanceNames } from './instance-names.ts';
import type { KeptEndpoints, KeptService } from './kept-endpoints.ts';
import type { NamePlan } from './plan.ts';
import { namespaceNames } from './pod-names.ts';
import { reverseNames } from './reverse.ts';
import { serviceNames } from './service-names.ts';
import { expandTemplate } from './template.ts';

export interface CompileContext {
  /** The zone that the service is published in. */
  readonly zone: WireName;
  /** PTR records go into these and nowhere else. */
  readonly reverseZones: readonly WireName[];
  /** Whether a slot's records may be answered now: only `ignoreEmpty` asks. */
  readonly isAnswered: (slot: number) => boolean;
  /** Something of the service cannot be said in DNS and is left out; the text is for people. */
  readonly leftOut: (problem: string) => void;
}

export interface CompiledService {
  /** The names that the templates give the service itself; all its other names, PTR aside, are below these. */
  readonly bases: readonly WireName[];
  /** Each name once. */
  readonly plans: readonly NamePlan[];
}

/** What the parts of a compilation share. `bases[0]` is the name that PTR targets use. */
export interface Compilation {
  readonly service: Service;
  readonly state: ServiceState;
  /** Of all that the service says of itself. */
  readonly fingerprint: Fingerprint;
  readonly bases: readonly WireName[];
  readonly plans: NamePlan[];
  /** What was made of its instances before, and is to be kept of them; undefined: nothing is kept. */
  readonly kept: KeptService | undefined;
  /** Every address is of one instance, once: the registry keeps account of those that several instances state. */
  readonly hasDistinctAddresses: boolean;
  readonly context: CompileContext;
}

/** Never throws for what a source may state: what cannot be said is left out and reported. */
export function compileService(
  state: ServiceState,
  context: CompileContext,
  keptEndpoints?: KeptEndpoints,
): CompiledService {
  const { service, key } = state;
  if (service === undefined) return { bases: [], plans: [] };
  const { zone, reverseZones } = context;
  const known = keptEndpoints?.find(key, { service, zone, reverseZones });
  const bases = known?.bases ?? basesOf(service, context);
  const plans: NamePlan[] = [];
  if (bases.length === 0) return { bases, plans };
  const isKept = keptEndpoints?.takes(state) && bases.length === new Set(service.names).size;
  const fresh = { service, zone, reverseZones, bases, instances: [], hasSharedAddresses: false };
  const kept = isKept ? (known ?? fresh) : undefined;
  const { createdMs, healthCheck, ...said } = service;
  begin(0);
  addText(JSON.stringify(said));
  const hasDistinctAddresses = areDistinct(state);
  compileKind({ service, state, fingerprint: finish(), bases, plans, kept, hasDistinctAddresses, context });
  if (kept === undefined) keptEndpoints?.forget(key);
  else keptEndpoints?.keep(state, kept);
  return { bases, plans: bases.length > 1 ? distinctNames(plans) : plans };
}

function areDistinct(state: ServiceState): boolean {
  if (state.sharedAddresses.size > 0) return false;
  for (const { addressCount } of state.instances.values()) if (addressCount > 1) return false;
  return true;
}

function compileKind(compilation: Compilation): void {
  const { kind } = compilation.service;
  if (kind === 'namespace') namespaceNames(compilation);
  else if (kind === 'externalName') externalNames(compilation);
  else if (kind === 'clusterIp') clusterIpService(compilation);
  else instancesService(compilation);
}

function clusterIpService(compilation: Compilation): void {
  const { service, context } = compilation;
  const endpoints = endpointsOf(compilation);
  const named = service.hidesInstances ? [] : endpoints;
  reverseNames(compilation, named);
  // As CoreDNS, `ignore empty_service` leaves the reverse name.
  if (service.ignoreEmpty && !endpoints.some(({ slot }) => context.isAnswered(slot))) return;
  clusterIpNames(compilation);
  instanceNames(compilation, named);
}

function instancesService(compilation: Compilation): void {
  const endpoints = endpointsOf(compilation);
  reverseNames(compilation, endpoints);
  serviceNames(compilation, endpoints);
  instanceNames(compilation, endpoints);
}

/** The names that the templates give the service itself. */
export function basesOf(service: Service, context: Pick<CompileContext, 'zone' | 'leftOut'>): WireName[] {
  const bases: WireName[] = [];
  for (const template of new Set(service.names)) {
    const base = expandTemplate(template, service, context.zone, context.leftOut);
    if (base !== undefined) bases.push(base);
  }
  return bases;
}

/** With several templates, an instance's name under one may be the service's name under another: the first stays. */
function distinctNames(plans: readonly NamePlan[]): NamePlan[] {
  const byName = new Map<string, NamePlan>();
  const bases = plans.filter(({ isBase }) => isBase);
  for (const plan of [...bases, ...plans]) {
    const name = Buffer.from(plan.name()).toString('latin1');
    if (!byName.has(name)) byName.set(name, plan);
  }
  return [...byName.values()];
}
