// One service and its instances → the names it publishes. Pure: the same state gives the same names.
import type { WireName } from '../dns/name.ts';
import type { NameRecords } from '../plane/records.ts';
import type { Service } from '../registry/model.ts';
import type { ServiceState } from '../registry/registry.ts';
import { clusterIpNames } from './cluster-ip.ts';
import { createDrafts, type Drafts } from './draft.ts';
import { endpointsOf } from './endpoint.ts';
import { externalNames } from './external-name.ts';
import { instanceNames, serviceAddresses } from './instance-names.ts';
import { namespaceNames } from './pod-names.ts';
import { reverseNames } from './reverse.ts';
import { srvNames } from './srv.ts';
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
  readonly names: readonly NameRecords[];
}

/** What the parts of a compilation share. `bases[0]` is the name that SRV, PTR and CNAME targets use. */
export interface Compilation {
  readonly service: Service;
  readonly state: ServiceState;
  readonly bases: readonly WireName[];
  readonly drafts: Drafts;
  readonly context: CompileContext;
}

/** Never throws for what a source may state: what cannot be said is left out and reported. */
export function compileService(state: ServiceState, context: CompileContext): CompiledService {
  const { service } = state;
  if (service === undefined) return { bases: [], names: [] };
  const bases = basesOf(service, context);
  if (bases.length === 0) return { bases, names: [] };
  const drafts = createDrafts();
  compileKind({ service, state, bases, drafts, context });
  return { bases, names: drafts.all() };
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
  reverseNames(compilation, endpoints);
  // As CoreDNS, `ignore empty_service` leaves the reverse name.
  if (service.ignoreEmpty && !endpoints.some(({ slot }) => context.isAnswered(slot))) return;
  clusterIpNames(compilation);
  instanceNames(compilation, endpoints);
}

function instancesService(compilation: Compilation): void {
  const endpoints = endpointsOf(compilation);
  reverseNames(compilation, endpoints);
  serviceAddresses(compilation, endpoints);
  instanceNames(compilation, endpoints);
  srvNames(compilation, endpoints);
}

function basesOf(service: Service, context: CompileContext): WireName[] {
  const bases: WireName[] = [];
  for (const template of service.names) {
    const base = expandTemplate(template, service, context.zone, context.leftOut);
    if (base !== undefined) bases.push(base);
  }
  return bases;
}
