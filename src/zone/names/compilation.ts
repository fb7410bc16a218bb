// The input from which the names of one service are compiled, and the conventions of its source.
import { NameError, parseName, type WireName } from '../../dns/name.ts';
import type { Service, ServiceState } from '../../registry/model.ts';
import { isLabels } from './label.ts';
import type { PublishedName } from './published-name.ts';

export interface CompileContext {
  /** The zone that the service is published in. */
  readonly zone: WireName;
  /** The only zones for PTR records. */
  readonly reverseZones: readonly WireName[];
  /** Whether a slot's records may be answered now: for `ignoreEmpty` only. */
  readonly isAnswered: (slot: number) => boolean;
  /** Called with a readable text when a part of the service cannot be expressed in DNS and is left out. */
  readonly leftOut: (problem: string) => void;
}

/** Shared by the parts of a compilation. `bases[0]` is the name that PTR targets use. */
export interface Compilation {
  readonly service: Service;
  readonly state: ServiceState;
  /** The names that the templates give the service itself. */
  readonly bases: readonly WireName[];
  readonly names: PublishedName[];
  /** Of a large service, of which only some instances are here. */
  readonly isPart: boolean;
  /** Every address belongs to one instance. */
  readonly hasDistinctAddresses: boolean;
  readonly context: CompileContext;
}

/** Kubernetes and Cloud Map name endpoints and SRV records differently; static services follow Cloud Map. */
export function isOfKubernetes(service: Service): boolean {
  return service.source.startsWith('kubernetes');
}

/** CNAME is published only on request: no other type may stand beside it. */
export function publishes(service: Service, type: 'A' | 'AAAA' | 'SRV' | 'CNAME'): boolean {
  return service.recordTypes === undefined ? type !== 'CNAME' : service.recordTypes.includes(type);
}

export function basesOf(service: Service, context: Pick<CompileContext, 'zone' | 'leftOut'>): WireName[] {
  const bases: WireName[] = [];
  for (const template of new Set(service.names)) {
    const base = expandTemplate(template, service, context.zone, context.leftOut);
    if (base !== undefined) bases.push(base);
  }
  return bases;
}

/**
 * The name that a template ("{service}.{namespace}.svc") gives a service, relative to `zone`. undefined, and a call of
 * `leftOut`, for a service or namespace that is not a label, an unknown placeholder, a name that is too long.
 */
export function expandTemplate(
  template: string,
  service: Pick<Service, 'name' | 'namespace'>,
  zone: WireName,
  leftOut: (problem: string) => void,
): WireName | undefined {
  try {
    return parseName(
      template.replace(/\{([^}]*)\}/g, (_, placeholder: string) => textFor(placeholder, service)),
      zone,
    );
  } catch (error) {
    if (!(error instanceof NameError)) throw error;
    leftOut(`name template "${template}": ${error.message}`);
    return undefined;
  }
}

function textFor(placeholder: string, service: Pick<Service, 'name' | 'namespace'>): string {
  if (placeholder !== 'service' && placeholder !== 'namespace') {
    throw new NameError(`{${placeholder}} is neither {service} nor {namespace}`);
  }
  const name = placeholder === 'service' ? service.name : service.namespace;
  if (!isLabels(name)) throw new NameError(`the ${placeholder} "${name.slice(0, 80)}" cannot be part of a domain name`);
  return name;
}
