// Name templates: "{service}.{namespace}.svc" + zone → the names of a service.
import { NameError, parseName, type WireName } from '../../dns/name.ts';
import type { Service } from '../../registry/model.ts';
import { isLabels } from './label.ts';

/**
 * The name that one template gives a service, relative to `zone`; undefined, with the reason told to `leftOut`, when it
 * gives none: a service or namespace that is no label, an unknown placeholder, a name that gets too long.
 */
export function expandTemplate(
  template: string,
  service: Pick<Service, 'name' | 'namespace'>,
  zone: WireName,
  leftOut: (problem: string) => void,
): WireName | undefined {
  try {
    return parseName(
      template.replace(/\{([^}]*)\}/g, (_, placeholder: string) => value(placeholder, service)),
      zone,
    );
  } catch (error) {
    if (!(error instanceof NameError)) throw error;
    leftOut(`name template "${template}": ${error.message}`);
    return undefined;
  }
}

function value(placeholder: string, service: Pick<Service, 'name' | 'namespace'>): string {
  if (placeholder !== 'service' && placeholder !== 'namespace') {
    throw new NameError(`{${placeholder}} is neither {service} nor {namespace}`);
  }
  const name = placeholder === 'service' ? service.name : service.namespace;
  if (!isLabels(name)) throw new NameError(`the ${placeholder} "${name.slice(0, 80)}" cannot stand in a domain name`);
  return name;
}
