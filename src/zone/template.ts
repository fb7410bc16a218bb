// Name templates: "{service}.{namespace}.svc" + zone → the names of a service.
import { NameError, parseName, type WireName } from '../dns/name.ts';
import type { Service } from '../registry/model.ts';
import { isLabels } from './label.ts';

/**
 * The name that one template gives a service, relative to `zone`. Throws NameError that says what is wrong: a service or
 * namespace that is no label, an unknown placeholder, a name that gets too long.
 */
export function expandTemplate(template: string, service: Pick<Service, 'name' | 'namespace'>, zone: WireName): WireName {
  const text = template.replace(/\{([^}]*)\}/g, (_, placeholder: string) => {
    if (placeholder === 'service') return checked('service', service.name);
    if (placeholder === 'namespace') return checked('namespace', service.namespace);
    throw new NameError(`name template "${template}": {${placeholder}} is neither {service} nor {namespace}`);
  });
  return parseName(text, zone);
}

function checked(what: string, name: string): string {
  if (!isLabels(name)) throw new NameError(`the ${what} "${name.slice(0, 80)}" cannot stand in a domain name`);
  return name;
}
