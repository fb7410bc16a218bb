// Remembers what one source states, for its snapshot. The values are the registry's own, so this costs map entries.
import type { Fact, FactSource, Instance, Service } from '../../../registry/model.ts';
import type { Registry } from '../../../registry/registry.ts';

/** What a source needs of the registry. */
export type Statements = Pick<
  Registry,
  | 'replaceService'
  | 'removeService'
  | 'replaceGroup'
  | 'removeGroup'
  | 'replaceFacts'
  | 'factsOf'
  | 'instancesOf'
  | 'keptSubject'
  | 'setStale'
  | 'addSubject'
>;

export type Statement =
  | { readonly service: Service }
  | { readonly group: string; readonly serviceKey: string; readonly instances: readonly Instance[] }
  | { readonly subject: string; readonly source: FactSource; readonly facts: readonly Fact[] };

export interface Recorder extends Statements {
  statements(): Iterable<Statement>;
  /** Says again what a snapshot says. Throws what the registry throws. */
  restore(statement: Statement): void;
  /** Takes back what was restored and nobody has said since. */
  withdrawRestored(): void;
}

/** Passes everything on to the registry. What the registry refuses is not remembered. */
export function createRecorder(registry: Statements): Recorder {
  const services = new Map<string, Service>();
  const groups = new Map<string, { readonly serviceKey: string; readonly instances: readonly Instance[] }>();
  const facts = new Map<string, { readonly source: FactSource; readonly facts: readonly Fact[] }>();

  /** Keys of what only a snapshot has said. */
  const restored = { services: new Set<string>(), groups: new Set<string>(), facts: new Set<string>() };

  const recorder: Recorder = {
    replaceService(service) {
      registry.replaceService(service);
      restored.services.delete(service.key);
      services.set(service.key, service);
    },
    removeService(key) {
      registry.removeService(key);
      restored.services.delete(key);
      services.delete(key);
    },
    replaceGroup(group, serviceKey, instances) {
      registry.replaceGroup(group, serviceKey, instances);
      restored.groups.delete(group);
      groups.set(group, { serviceKey, instances });
    },
    removeGroup(group) {
      registry.removeGroup(group);
      restored.groups.delete(group);
      groups.delete(group);
    },
    replaceFacts(subject, source, stated) {
      registry.replaceFacts(subject, source, stated);
      restored.facts.delete(subject);
      // A cluster's subjects (a pod, a node) each have one source.
      if (stated.length > 0) facts.set(subject, { source, facts: stated });
      else facts.delete(subject);
    },
    factsOf: registry.factsOf,
    instancesOf: registry.instancesOf,
    keptSubject: registry.keptSubject,
    setStale: registry.setStale,
    addSubject: registry.addSubject,
    *statements() {
      for (const service of services.values()) yield { service };
      for (const [group, stated] of groups) yield { group, ...stated };
      for (const [subject, stated] of facts) yield { subject, ...stated };
    },
    restore(statement) {
      if ('service' in statement) {
        recorder.replaceService(statement.service);
        restored.services.add(statement.service.key);
      } else if ('group' in statement) {
        recorder.replaceGroup(statement.group, statement.serviceKey, statement.instances);
        restored.groups.add(statement.group);
      } else {
        recorder.replaceFacts(statement.subject, statement.source, statement.facts);
        restored.facts.add(statement.subject);
      }
    },
    withdrawRestored() {
      for (const key of [...restored.services]) recorder.removeService(key);
      for (const group of [...restored.groups]) recorder.removeGroup(group);
      for (const subject of [...restored.facts]) recorder.replaceFacts(subject, facts.get(subject)!.source, []);
    },
  };
  return recorder;
}
