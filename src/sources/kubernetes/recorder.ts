// Remembers what one source states, for its snapshot. The values are the registry's own, so this costs map entries.
import type { Fact, FactSource, Instance, Service } from '../../registry/model.ts';
import type { Statements } from './cluster.ts';

export type Statement =
  | { readonly service: Service }
  | { readonly group: string; readonly serviceKey: string; readonly instances: readonly Instance[] }
  | { readonly subject: string; readonly source: FactSource; readonly facts: readonly Fact[] };

export interface Recorder extends Statements {
  statements(): Iterable<Statement>;
}

/** Passes everything on to the registry. What the registry refuses is not remembered. */
export function createRecorder(registry: Statements): Recorder {
  const services = new Map<string, Service>();
  const groups = new Map<string, { readonly serviceKey: string; readonly instances: readonly Instance[] }>();
  const facts = new Map<string, { readonly source: FactSource; readonly facts: readonly Fact[] }>();

  return {
    replaceService(service) {
      registry.replaceService(service);
      services.set(service.key, service);
    },
    removeService(key) {
      registry.removeService(key);
      services.delete(key);
    },
    replaceGroup(group, serviceKey, instances) {
      registry.replaceGroup(group, serviceKey, instances);
      groups.set(group, { serviceKey, instances });
    },
    removeGroup(group) {
      registry.removeGroup(group);
      groups.delete(group);
    },
    replaceFacts(subject, source, stated) {
      registry.replaceFacts(subject, source, stated);
      // A cluster's subjects (a pod, a node) each have one source.
      if (stated.length > 0) facts.set(subject, { source, facts: stated });
      else facts.delete(subject);
    },
    factsOf: registry.factsOf,
    instancesOf: registry.instancesOf,
    keptSubject: registry.keptSubject,
    *statements() {
      for (const service of services.values()) yield { service };
      for (const [group, stated] of groups) yield { group, ...stated };
      for (const [subject, stated] of facts) yield { subject, ...stated };
    },
  };
}

/** Says again what was said before. Throws what the registry throws. */
export function replay(statement: Statement, registry: Statements): void {
  if ('service' in statement) registry.replaceService(statement.service);
  else if ('group' in statement) registry.replaceGroup(statement.group, statement.serviceKey, statement.instances);
  else registry.replaceFacts(statement.subject, statement.source, statement.facts);
}
