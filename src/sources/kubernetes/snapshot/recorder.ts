// Records the objects of one source for its snapshot. The values are shared with the registry, so this only costs map entries.
import type { Fact, FactSource, Instance, InstanceState, Service } from '../../../registry/model.ts';
import type { Registry } from '../../../registry/registry.ts';
import { DamagedSnapshot, type Line } from './snapshot-file.ts';

/** The part of the registry that a source uses. */
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
  | 'replacePodAddresses'
>;

export type Statement =
  | { readonly service: Service }
  | { readonly group: string; readonly serviceKey: string; readonly instances: readonly Instance[] }
  | { readonly subject: string; readonly source: FactSource; readonly facts: readonly Fact[] }
  | { readonly pod: string; readonly namespaceKey: string; readonly addresses: readonly string[] };

/** Passes everything on to the registry, and records what the registry accepts. */
export class Recorder implements Statements {
  private readonly registry: Statements;
  private readonly services = new Map<string, Service>();
  private readonly groups = new Map<string, { readonly serviceKey: string; readonly instances: readonly Instance[] }>();
  private readonly facts = new Map<string, { readonly source: FactSource; readonly facts: readonly Fact[] }>();
  private readonly addresses = new Map<
    string,
    { readonly namespaceKey: string; readonly addresses: readonly string[] }
  >();
  /** Keys known only from a snapshot. */
  private readonly restored = {
    services: new Set<string>(),
    groups: new Set<string>(),
    facts: new Set<string>(),
    addresses: new Set<string>(),
  };

  constructor(registry: Statements) {
    this.registry = registry;
  }

  replaceService(service: Service): void {
    this.registry.replaceService(service);
    this.restored.services.delete(service.key);
    this.services.set(service.key, service);
  }

  removeService(key: string): void {
    this.registry.removeService(key);
    this.restored.services.delete(key);
    this.services.delete(key);
  }

  replaceGroup(group: string, serviceKey: string, instances: readonly Instance[]): void {
    this.registry.replaceGroup(group, serviceKey, instances);
    this.restored.groups.delete(group);
    this.groups.set(group, { serviceKey, instances });
  }

  removeGroup(group: string): void {
    this.registry.removeGroup(group);
    this.restored.groups.delete(group);
    this.groups.delete(group);
  }

  replaceFacts(subject: string, source: FactSource, facts: readonly Fact[]): void {
    this.registry.replaceFacts(subject, source, facts);
    const key = factsKey(subject, source);
    this.restored.facts.delete(key);
    if (facts.length > 0) this.facts.set(key, { source, facts });
    else this.facts.delete(key);
  }

  replacePodAddresses(pod: string, namespaceKey: string, addresses: readonly string[]): void {
    this.registry.replacePodAddresses(pod, namespaceKey, addresses);
    this.restored.addresses.delete(pod);
    if (addresses.length > 0) this.addresses.set(pod, { namespaceKey, addresses });
    else this.addresses.delete(pod);
  }

  setStale(prefix: string, sinceMs: number | undefined): void {
    this.registry.setStale(prefix, sinceMs);
  }

  factsOf(subject: string): readonly Fact[] {
    return this.registry.factsOf(subject);
  }

  instancesOf(subject: string): Iterable<InstanceState> {
    return this.registry.instancesOf(subject);
  }

  keptSubject(subject: string): string {
    return this.registry.keptSubject(subject);
  }

  addSubject(state: InstanceState, subject: string): void {
    this.registry.addSubject(state, subject);
  }

  *statements(): Generator<Statement> {
    for (const service of this.services.values()) yield { service };
    for (const [group, stated] of this.groups) yield { group, ...stated };
    for (const [key, stated] of this.facts) yield { subject: subjectOf(key), ...stated };
    for (const [pod, stated] of this.addresses) yield { pod, ...stated };
  }

  /** Restores all lines of a snapshot, or none. Returns its keys by kind. Throws DamagedSnapshot and the errors of the registry. */
  restore(lines: readonly Line[]): ReadonlyMap<string, readonly string[]> {
    const { statements, keys } = sort(lines);
    try {
      for (const statement of statements) this.restoreOne(statement);
    } catch (error) {
      this.withdrawRestored();
      throw error;
    }
    return keys;
  }

  /** Withdraws restored objects that have not been confirmed since. */
  withdrawRestored(): void {
    for (const key of [...this.restored.services]) this.removeService(key);
    for (const group of [...this.restored.groups]) this.removeGroup(group);
    for (const pod of [...this.restored.addresses])
      this.replacePodAddresses(pod, this.addresses.get(pod)!.namespaceKey, []);
    for (const key of [...this.restored.facts]) this.replaceFacts(subjectOf(key), this.facts.get(key)!.source, []);
  }

  private restoreOne(statement: Statement): void {
    if ('service' in statement) {
      this.replaceService(statement.service);
      this.restored.services.add(statement.service.key);
    } else if ('group' in statement) {
      this.replaceGroup(statement.group, statement.serviceKey, statement.instances);
      this.restored.groups.add(statement.group);
    } else if ('pod' in statement) {
      this.replacePodAddresses(statement.pod, statement.namespaceKey, statement.addresses);
      this.restored.addresses.add(statement.pod);
    } else {
      this.replaceFacts(statement.subject, statement.source, statement.facts);
      this.restored.facts.add(factsKey(statement.subject, statement.source));
    }
  }
}

/** A pod or a node has one source, and perhaps an operator's order: the subject itself is the key wherever possible. */
const factsKey = (subject: string, source: FactSource): string =>
  source === 'operator' ? `${OPERATOR}${subject}` : subject;

const subjectOf = (key: string): string => (key.startsWith(OPERATOR) ? key.slice(OPERATOR.length) : key);

const OPERATOR = 'operator ';

/** Throws DamagedSnapshot for a line of unknown form. */
function sort(lines: readonly Line[]): { statements: Statement[]; keys: Map<string, string[]> } {
  const statements: Statement[] = [];
  const keys = new Map<string, string[]>();
  for (const line of lines) {
    if (typeof line.kind === 'string' && typeof line.key === 'string') {
      const known = keys.get(line.kind);
      if (known === undefined) keys.set(line.kind, [line.key]);
      else known.push(line.key);
    } else if (isStatement(line)) statements.push(line);
    else throw new DamagedSnapshot('it has a line of an unknown format');
  }
  return { statements, keys };
}

function isStatement(line: Line): line is Line & Statement {
  if ('service' in line) return typeof (line.service as { key?: unknown } | null)?.key === 'string';
  if ('group' in line)
    return typeof line.group === 'string' && typeof line.serviceKey === 'string' && Array.isArray(line.instances);
  if ('pod' in line)
    return typeof line.pod === 'string' && typeof line.namespaceKey === 'string' && Array.isArray(line.addresses);
  return typeof line.subject === 'string' && typeof line.source === 'string' && Array.isArray(line.facts);
}
