// Facts by subject. A subject is a thing on whose health instances depend: a pod, a node, or the instance itself.

import { added, type OneOrMany, removed, valuesOf } from '../memory/one-or-many.ts';
import { TextTable } from '../memory/text-table.ts';
import type { Fact, FactSource } from './model.ts';
import { type PackedFacts, packFacts, unpackFacts, WHOLE } from './packed-time.ts';

/** A class, because there is one for each of 100,000 pods: 56 bytes. */
export class Subject<Member extends object> {
  /** The same string object as its key, so that there is only one copy. */
  readonly text: string;
  /** The facts of all sources, those of one source next to each other. See packed-time.ts. */
  private stated: PackedFacts['stated'] = NO_FACTS;
  private seconds: number = WHOLE;
  members: OneOrMany<Member> = undefined;

  constructor(text: string) {
    this.text = text;
  }

  get facts(): readonly Fact[] {
    return unpackFacts({ stated: this.stated, seconds: this.seconds });
  }

  set facts(facts: readonly Fact[]) {
    const { stated, seconds } = packFacts(facts);
    this.stated = stated;
    this.seconds = seconds;
  }

  isIdle(): boolean {
    return this.stated === NO_FACTS && this.members === undefined;
  }
}

export interface Subjects<Member extends object> {
  link(text: string, member: Member): Subject<Member>;
  unlink(subject: Subject<Member>, member: Member): void;
  /** Returns whether anything changed. */
  replace(text: string, source: FactSource, facts: readonly Fact[]): boolean;
  facts(text: string): readonly Fact[];
  /** The stored string of a subject, or `text` if it is unknown. */
  kept(text: string): string;
  /** The instances that depend on the subject; implicit `instance/…` subjects are not linked and have none. */
  members(text: string): Iterable<Member>;
  size(): number;
}

const NO_FACTS: readonly Fact[] = [];

/** An empty index of facts. Subjects exist only while they have a fact or a member. */
export function createSubjects<Member extends object>(): Subjects<Member> {
  const subjects = new TextTable<Subject<Member>>(({ text }) => text);

  function ensure(text: string): Subject<Member> {
    const known = subjects.get(text);
    if (known !== undefined) return known;
    const subject = new Subject<Member>(text);
    subjects.set(subject);
    return subject;
  }

  function forgetIfIdle(subject: Subject<Member>): void {
    if (subject.isIdle()) subjects.delete(subject.text);
  }

  return {
    link(text, member) {
      const subject = ensure(text);
      subject.members = added(subject.members, member);
      return subject;
    },
    unlink(subject, member) {
      subject.members = removed(subject.members, member);
      forgetIfIdle(subject);
    },
    replace(text, source, facts) {
      const known = subjects.get(text)?.facts ?? NO_FACTS;
      if (sameFacts(ofSource(known, source), facts)) return false;
      const others = known.filter((fact) => fact.source !== source);
      const all = others.length === 0 ? facts : [...others, ...facts];
      const subject = ensure(text);
      subject.facts = all.length === 0 ? NO_FACTS : all;
      forgetIfIdle(subject);
      return true;
    },
    facts: (text) => subjects.get(text)?.facts ?? NO_FACTS,
    kept: (text) => subjects.get(text)?.text ?? text,
    members: (text) => valuesOf(subjects.get(text)?.members),
    size: () => subjects.size,
  };
}

const ofSource = (facts: readonly Fact[], source: FactSource): readonly Fact[] =>
  facts.every((fact) => fact.source === source) ? facts : facts.filter((fact) => fact.source === source);

/** Whether two lists of facts are equal. */
export function sameFacts(one: readonly Fact[], other: readonly Fact[]): boolean {
  return one === other || (one.length === other.length && one.every((fact, index) => sameFact(fact, other[index])));
}

function sameFact(one: Fact, other: Fact): boolean {
  return (
    one === other ||
    (sameAddresses(one.addresses, other.addresses) &&
      one.status === other.status &&
      one.reason === other.reason &&
      one.sinceMs === other.sinceMs &&
      one.source === other.source &&
      one.name === other.name &&
      one.repeats === other.repeats &&
      one.isDated === other.isDated &&
      one.gone === other.gone &&
      one.reportedMs === other.reportedMs &&
      one.untilMs === other.untilMs)
  );
}

const sameAddresses = (one: Fact['addresses'], other: Fact['addresses']): boolean =>
  one === other || (one?.length === other?.length && one?.every((address, i) => address === other?.[i]) === true);
