// The first name that a service is published under: what people call it.
import type { Service } from './model.ts';

/** Absolute, lower case. */
export function publishedName({
  names,
  name,
  namespace,
  zone,
}: Pick<Service, 'names' | 'name' | 'namespace' | 'zone'>): string {
  return `${names[0].replaceAll('{service}', name).replaceAll('{namespace}', namespace)}.${zone}`.toLowerCase();
}
