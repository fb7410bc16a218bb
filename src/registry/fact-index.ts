// Which facts concern which instances. Shared subjects (pods, nodes) are linked to the instances that refer to them; the
// subject of a single instance is looked up by its text, because most instances have no such facts.

import { RegistryLimitError, type RegistryLimits } from './limits.ts';
import type { ChangeListener, Fact, FactSource } from './model.ts';
import { unpackFacts } from './packed-time.ts';
import { INSTANCE } from './reference.ts';
import type { InstanceEntry, ServiceEntry } from './service-entry.ts';
import type { Subjects } from './subjects.ts';

export interface FactIndex {
  replace(subject: string, source: FactSource, facts: readonly Fact[]): void;
  ofInstance(entry: InstanceEntry): readonly Fact[];
  instancesOf(subject: string): Iterable<InstanceEntry>;
  /** Links the entry to its subjects. */
  link(entry: InstanceEntry, subjects: readonly string[]): void;
  /** Links the entry to one more subject. */
  add(entry: InstanceEntry, subject: string): void;
  /** Unlinks the entry, which still knows its subjects. */
  unlink(entry: InstanceEntry): void;
  /** See Registry.setStale. */
  setStale(prefix: string, sinceMs: number | undefined): void;
}

const OWN = INSTANCE.prefix();
const NONE: readonly Fact[] = [];

export function createFactIndex(
  subjects: Subjects<InstanceEntry>,
  services: ReadonlyMap<string, ServiceEntry>,
  limits: RegistryLimits,
  tell: ChangeListener,
): FactIndex {
  /** Number of single-instance subjects with facts. While it is 0, as in most clusters, none is looked up. */
  let ownSubjects = 0;
  /** Prefixes of subjects whose source is silent, and since when. Nearly always empty. */
  const stale = new Map<string, number>();

  function sharedFacts(subject: { readonly text: string; readonly facts: readonly Fact[] }): readonly Fact[] {
    if (stale.size === 0) return subject.facts;
    for (const [prefix, staleSinceMs] of stale) {
      if (subject.text.startsWith(prefix)) return subject.facts.map((fact) => ({ ...fact, staleSinceMs }));
    }
    return subject.facts;
  }

  function checkLimits(subject: string, source: FactSource, facts: readonly Fact[]): void {
    if (facts.length > limits.factsPerStatement) {
      throw new RegistryLimitError(
        `${facts.length} ${source} facts of ${subject} are dropped: the limit is ${limits.factsPerStatement}`,
      );
    }
    if (facts.length > 0 && subjects.size() >= limits.subjects && subjects.facts(subject).length === 0) {
      throw new RegistryLimitError(
        `${subject} is dropped: the registry holds facts of at most ${limits.subjects} subjects`,
      );
    }
  }

  function instancesOf(subject: string): Iterable<InstanceEntry> {
    const own = subject.startsWith(OWN) ? INSTANCE.parse(subject) : undefined;
    // Implicit subjects are not linked: see Subjects.members.
    return own === undefined ? subjects.members(subject) : (services.get(own.service)?.instances.withId(own.id) ?? []);
  }

  return {
    replace(subject, source, facts) {
      checkLimits(subject, source, facts);
      const isOwn = subject.startsWith(OWN);
      const had = isOwn && subjects.facts(subject).length > 0;
      if (!subjects.replace(subject, source, facts)) return;
      if (isOwn) ownSubjects += Number(subjects.facts(subject).length > 0) - Number(had);
      for (const entry of instancesOf(subject)) tell(entry.service.key, 'facts', [entry]);
    },
    ofInstance(entry) {
      const { service, common } = entry;
      const own = ownSubjects === 0 ? NONE : subjects.facts(INSTANCE.format(service.key, entry.id));
      const stated = unpackFacts(common);
      const shared = entry.subjects();
      if (shared.length === 0) return own.length === 0 ? stated : [...stated, ...own];
      const all = stated.slice();
      for (const subject of shared) for (const fact of concerning(entry, sharedFacts(subject))) all.push(fact);
      for (const fact of own) all.push(fact);
      return all;
    },
    instancesOf,
    link(entry, texts) {
      entry.setSubjects(texts.map((text) => subjects.link(text, entry)));
    },
    add(entry, text) {
      const known = entry.subjects();
      if (!known.some((subject) => subject.text === text)) entry.setSubjects([...known, subjects.link(text, entry)]);
    },
    unlink(entry) {
      for (const subject of entry.subjects()) subjects.unlink(subject, entry);
    },
    setStale(prefix, sinceMs) {
      if (stale.get(prefix) === sinceMs) return;
      if (sinceMs === undefined) stale.delete(prefix);
      else stale.set(prefix, sinceMs);
      for (const service of services.values()) {
        if (hasSubjectBelow(service, prefix)) tell(service.key, 'facts');
      }
    },
  };
}

function hasSubjectBelow({ instances }: ServiceEntry, prefix: string): boolean {
  for (const entry of instances.values()) if (entry.subjects().some(({ text }) => text.startsWith(prefix))) return true;
  return false;
}

const isUnlimited = ({ addresses }: Fact): boolean => addresses === undefined;

/** The facts without those that concern only other addresses of the subject. */
function concerning(entry: InstanceEntry, facts: readonly Fact[]): readonly Fact[] {
  if (facts.length === 0 || facts.every(isUnlimited)) return facts;
  const own = entry.addresses;
  return facts.filter(({ addresses }) => addresses === undefined || addresses.some((one) => own.includes(one)));
}
