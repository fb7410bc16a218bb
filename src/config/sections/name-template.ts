// `names`: how a service's name in its zone is made of its own name and its namespace.

import { shown } from '../reading/problem.ts';
import { text } from '../reading/shape.ts';
import { nearest } from '../reading/suggest.ts';
import { absoluteName, nameMessage } from './names.ts';

const PLACEHOLDERS = ['service', 'namespace'] as const;
/** What Kubernetes' DNS-Based Service Discovery 1.1.0 prescribes. */
export const KUBERNETES_NAMES: readonly string[] = ['{service}.{namespace}.svc'];
/** What a Cloud Map namespace has. */
export const CLOUD_MAP_NAMES: readonly string[] = ['{service}'];

export function nameTemplate(description: string) {
  return text('a name template such as "{service}.{namespace}"', description, templateProblem);
}

/** The absolute name that a template gives. Throws NameError. */
export function expandTemplate(template: string, service: string, namespace: string, zone: string): string {
  return absoluteName(template.replaceAll('{service}', service).replaceAll('{namespace}', namespace), zone);
}

function templateProblem(template: string): string | undefined {
  for (const [placeholder, word] of template.matchAll(/\{([^{}]*)\}/g)) {
    if ((PLACEHOLDERS as readonly string[]).includes(word)) continue;
    const near = nearest(word, PLACEHOLDERS);
    const known = near ? `did you mean {${near}}?` : 'known are {service} and {namespace}';
    return `unknown placeholder "${shown(placeholder)}" in "${shown(template)}", ${known}`;
  }
  if (template.endsWith('.')) return `"${shown(template)}" must be relative to the zone: remove the dot at the end`;
  try {
    const expanded = expandTemplate(template, 'x', 'x', 'zone.');
    return /[{}]/.test(expanded) ? `"${shown(template)}" has a brace without its partner` : undefined;
  } catch (error) {
    return `"${shown(template)}" is not a name template: ${nameMessage(error)}`;
  }
}
