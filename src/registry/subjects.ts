// Facts by subject. A subject is a thing that instances share the fate of: a pod, a node, or the instance itself.
import type { Fact, FactSource } from './model.ts';
import { added, type OneOrMany, removed, valuesOf } from './one-or-many.ts';

/** The subject of what is said about one instance alone: checks, custom status, operator. */
export const instanceSubject = (serviceKey: string, id: string): string => `instance/${serviceKey}/${id}`;

interface Entry<Member extends object> {
  /** All sources' facts, those of one source next to each other. */
  facts: readonly Fact[];
  members: OneOrMany<Member>;
}

export interface Subjects<Member extends object> {
  link(subject: string, member: Member): void;
  unlink(subject: string, member: Member): void;
  /** Returns whether anything changed. */
  replace(subject: string, source: FactSource, facts: readonly Fact[]): boolean;
  facts(subject: string): readonly Fact[];
  /** Who shares the subject's fate; implicit `instance/…` subjects are not linked and have none here. */
  members(subject: string): Iterable<Member>;
  size(): number;
}

const NO_FACTS: readonly Fact[] = [];

/** An empty index of facts. Entries exist only while they have a fact or a member. */
export function createSubjects<Member extends object>(): Subjects<Member> {
  const entries = new Map<string, Entry<Member>>();

  function update(subject: string, change: (entry: Entry<Member>) => void): void {
    const entry = entries.get(subject) ?? { facts: NO_FACTS, members: undefined };
    change(entry);
    if (entry.facts.length === 0 && entry.members === undefined) entries.delete(subject);
    else entries.set(subject, entry);
  }

  return {
    link: (subject, member) =>
      update(subject, (entry) => {
        entry.members = added(entry.members, member);
      }),
    unlink: (subject, member) =>
      update(subject, (entry) => {
        entry.members = removed(entry.members, member);
      }),
    replace(subject, source, facts) {
      const known = entries.get(subject)?.facts ?? NO_FACTS;
      if (sameFacts(ofSource(known, source), facts)) return false;
      const others = known.filter((fact) => fact.source !== source);
      // The source's own array is kept where it is the whole, so that a source may share arrays between subjects.
      const all = others.length === 0 ? facts : [...others, ...facts];
      update(subject, (entry) => {
        entry.facts = all.length === 0 ? NO_FACTS : all;
      });
      return true;
    },
    facts: (subject) => entries.get(subject)?.facts ?? NO_FACTS,
    members: (subject) => valuesOf(entries.get(subject)?.members),
    size: () => entries.size,
  };
}

const ofSource = (facts: readonly Fact[], source: FactSource): readonly Fact[] =>
  facts.every((fact) => fact.source === source) ? facts : facts.filter((fact) => fact.source === source);

/** Whether two lists say the same. */
export function sameFacts(one: readonly Fact[], other: readonly Fact[]): boolean {
  return one === other || (one.length === other.length && one.every((fact, index) => sameFact(fact, other[index])));
}

function sameFact(one: Fact, other: Fact): boolean {
  return (
    one === other ||
    (one.status === other.status &&
      one.reason === other.reason &&
      one.sinceMs === other.sinceMs &&
      one.source === other.source &&
      one.name === other.name &&
      one.repeats === other.repeats &&
      one.gone === other.gone &&
      one.reportedMs === other.reportedMs)
  );
}
