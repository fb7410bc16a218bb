// Facts by subject. A subject is a thing on whose health instances depend: a pod, a node, or the instance itself.

import { added, type OneOrMany, removed, valuesOf } from '../memory/one-or-many.ts';
import { TextTable } from '../memory/text-table.ts';
import type { Fact, FactSource } from './model.ts';
import { type PackedAddresses, packAddresses, unpackAddresses } from './packed-instance.ts';
import { type PackedFacts, packFacts, unpackFacts, WHOLE } from './packed-time.ts';

/** A class, because there is one for each of 100,000 pods: 72 bytes. */
export class Subject<Member extends object> {
  /** The same string object as its key, so that there is only one copy. */
  readonly text: string;
  /** The facts of all sources, those of one source next to each other. See packed-time.ts. */
  private stated: PackedFacts['stated'] = NO_FACTS;
  private seconds: number = WHOLE;
  members: OneOrMany<Member> = undefined;
  /** Of a pod: see Registry.replacePodAddresses. */
  private addresses: PackedAddresses = NO_ADDRESSES;
  private namespaces: string | readonly string[] = NO_TEXTS;

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

  addressesIn(namespace: string): readonly string[] {
    if (this.namespaces === NO_TEXTS) return NO_TEXTS;
    const isIn = this.namespaces === namespace || this.namespaceList().includes(namespace);
    return isIn ? unpackAddresses(this.addresses) : NO_TEXTS;
  }

  /** Keys of the namespaces that its addresses have names in: one, unless several sources or zones have its cluster. */
  namespaceList(): readonly string[] {
    return typeof this.namespaces === 'string' ? [this.namespaces] : this.namespaces;
  }

  isOnlyIn(namespace: string): boolean {
    return this.namespaces === namespace || this.namespaces === NO_TEXTS;
  }

  /** Without addresses it has no more names in this namespace. */
  setAddresses(namespace: string, addresses: readonly string[]): void {
    if (this.isOnlyIn(namespace)) this.namespaces = addresses.length > 0 ? namespace : NO_TEXTS;
    else {
      const others = this.namespaceList().filter((other) => other !== namespace);
      const namespaces = addresses.length > 0 ? [...others, namespace] : others;
      this.namespaces = namespaces.length === 1 ? namespaces[0] : namespaces;
    }
    if (addresses.length > 0) this.addresses = packAddresses(addresses);
    else if (this.namespaces === NO_TEXTS) this.addresses = NO_ADDRESSES;
  }

  isIdle(): boolean {
    return this.stated === NO_FACTS && this.members === undefined && this.namespaces === NO_TEXTS;
  }
}

export interface Subjects<Member extends object> {
  link(text: string, member: Member): Subject<Member>;
  unlink(subject: Subject<Member>, member: Member): void;
  /** Returns whether anything changed. */
  replace(text: string, source: FactSource, facts: readonly Fact[]): boolean;
  facts(text: string): readonly Fact[];
  /** Calls `changed` with the subject's added and removed addresses. */
  replaceAddresses(text: string, namespace: string, addresses: readonly string[], changed: AddressListener): void;
  /** Subjects with addresses. */
  withAddresses(): Iterable<Subject<Member>>;
  /** The stored string of a subject, or `text` if it is unknown. */
  kept(text: string): string;
  /** The instances that depend on the subject; implicit `instance/…` subjects are not linked and have none. */
  members(text: string): Iterable<Member>;
  size(): number;
}

/** One more subject has the address in that namespace, or one fewer. */
export type AddressListener = (namespaceKey: string, address: string, isGained: boolean) => void;

const NO_FACTS: readonly Fact[] = [];
const NO_TEXTS: readonly string[] = [];
const NO_ADDRESSES: readonly never[] = [];

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
      const subject = ensure(text);
      const known = subject.facts;
      if (sameFacts(ofSource(known, source), facts)) {
        forgetIfIdle(subject);
        return false;
      }
      const others = known.length === 0 ? known : known.filter((fact) => fact.source !== source);
      const all = others.length === 0 ? facts : [...others, ...facts];
      subject.facts = all.length === 0 ? NO_FACTS : all;
      forgetIfIdle(subject);
      return true;
    },
    facts: (text) => subjects.get(text)?.facts ?? NO_FACTS,
    replaceAddresses(text, namespace, addresses, changed) {
      const known = subjects.get(text);
      const own = known?.addressesIn(namespace) ?? NO_TEXTS;
      if (sameTexts(own, addresses)) return;
      const subject = known ?? ensure(text);
      if (subject.isOnlyIn(namespace)) {
        subject.setAddresses(namespace, addresses);
        tellChange(namespace, own, addresses, changed);
      } else {
        const namespaces = [...new Set([...subject.namespaceList(), namespace])];
        const before = namespaces.map((one) => subject.addressesIn(one));
        subject.setAddresses(namespace, addresses);
        namespaces.forEach((one, i) => {
          tellChange(one, before[i], subject.addressesIn(one), changed);
        });
      }
      forgetIfIdle(subject);
    },
    *withAddresses() {
      for (const subject of subjects.values()) if (subject.namespaceList().length > 0) yield subject;
    },
    kept: (text) => subjects.get(text)?.text ?? text,
    members: (text) => valuesOf(subjects.get(text)?.members),
    size: () => subjects.size,
  };
}

function tellChange(
  namespace: string,
  before: readonly string[],
  after: readonly string[],
  changed: AddressListener,
): void {
  for (const address of after) if (!before.includes(address)) changed(namespace, address, true);
  for (const address of before) if (!after.includes(address)) changed(namespace, address, false);
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

/** Same texts in the same order. */
export const sameTexts = (one: readonly string[], other: readonly string[]): boolean =>
  one === other || (one.length === other.length && one.every((text, index) => text === other[index]));

const sameAddresses = (one: Fact['addresses'], other: Fact['addresses']): boolean =>
  one === other || (one?.length === other?.length && one?.every((address, i) => address === other?.[i]) === true);
