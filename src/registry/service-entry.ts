// One service and its instances as the registry keeps them: classes, whose 100,000 objects share their methods. An entry
// has 104 bytes.

import { type OneOrMany, valuesOf } from '../memory/one-or-many.ts';
import { InstanceSet } from './instance-set.ts';
import type { Fact, Instance, InstanceState, Service, ServiceState, Verdict } from './model.ts';
import {
  type Common,
  hostnameOf,
  type PackedAddress,
  type PackedAddresses,
  packAddresses,
  unpackAddresses,
} from './packed-instance.ts';
import { packVerdict, unpackFacts, unpackVerdict, WHOLE } from './packed-time.ts';
import { lastPart } from './reference.ts';
import { Subject } from './subjects.ts';

/** All instances that one object of a source lists. */
export interface Group {
  readonly key: string;
  readonly service: ServiceEntry;
  entries: readonly InstanceEntry[];
  /** Its versions of entries that a later group overrides. undefined: none, nearly always. */
  displaced: Map<InstanceEntry, Instance> | undefined;
}

export type FactsOf = (entry: InstanceEntry) => readonly Fact[];

const NOT_JUDGED: Verdict = {
  status: 'UNKNOWN',
  answered: false,
  rule: 'not-judged',
  reason: 'not evaluated yet',
  sinceMs: 0,
};

const NO_SUBJECTS: readonly never[] = [];

export class InstanceEntry implements InstanceState {
  readonly service: ServiceEntry;
  readonly slot: number;
  /** undefined where it is the last part of the first subject, as with a pod: 48 bytes (bench/RESULTS.md). */
  private ownId: string | undefined;
  readonly packedAddresses: PackedAddresses;
  common: Common;
  private subject: Subject<InstanceEntry> | undefined = undefined;
  /** Those after the first: a pod's node. */
  private furtherSubjects: OneOrMany<Subject<InstanceEntry>> = undefined;
  /** See packed-time.ts. */
  private judged: Verdict = NOT_JUDGED;
  private judgedSeconds: number = WHOLE;
  /** The groups that list it, the last to do so at the end: an endpoint on its way between slices is in two. */
  groups: OneOrMany<Group> = undefined;

  constructor(service: ServiceEntry, { id, addresses }: Instance, slot: number, common: Common) {
    this.service = service;
    this.slot = slot;
    this.ownId = id;
    this.packedAddresses = packAddresses(addresses);
    this.common = common;
  }

  get id(): string {
    return this.ownId ?? lastPart(this.subject!.text);
  }

  get addresses(): readonly string[] {
    return unpackAddresses(this.packedAddresses);
  }

  get ports(): Instance['ports'] {
    return this.common.ports;
  }

  get hostname(): string | undefined {
    return this.common.hostname === undefined ? undefined : hostnameOf(this.common, this.id);
  }

  get cluster(): string | undefined {
    return this.common.cluster;
  }

  get ownWeight(): number {
    return this.common.weight;
  }

  get subjectCount(): number {
    return this.subjects().length;
  }

  get statement(): object {
    return this.common;
  }

  packedAddressList(): readonly PackedAddress[] {
    return typeof this.packedAddresses === 'object' ? this.packedAddresses : [this.packedAddresses];
  }

  /** The instance as listed; assembled on each call. */
  get instance(): Instance {
    const { id, addresses, common } = this;
    const { ports, cluster, weight, attributes, healthCheck } = common;
    const facts = unpackFacts(common);
    const hostname = hostnameOf(common, id);
    const subjects = this.subjects().map(({ text }) => text);
    const instance = { id, addresses, ports, weight, attributes, subjects, facts };
    if (hostname === undefined && healthCheck === undefined && cluster === undefined) return instance;
    return {
      ...instance,
      ...(hostname !== undefined && { hostname }),
      ...(cluster !== undefined && { cluster }),
      ...(healthCheck && { healthCheck }),
    };
  }

  subjects(): readonly Subject<InstanceEntry>[] {
    const { subject, furtherSubjects } = this;
    if (subject === undefined) return NO_SUBJECTS;
    if (furtherSubjects === undefined) return [subject];
    return furtherSubjects instanceof Subject ? [subject, furtherSubjects] : [subject, ...valuesOf(furtherSubjects)];
  }

  setSubjects([first, ...further]: readonly Subject<InstanceEntry>[]): void {
    const { id } = this;
    this.subject = first;
    this.furtherSubjects = further.length > 1 ? further : further[0];
    this.ownId = first !== undefined && lastPart(first.text) === id ? undefined : id;
  }

  get verdict(): Verdict {
    return unpackVerdict({ judged: this.judged, seconds: this.judgedSeconds });
  }

  set verdict(verdict: Verdict) {
    const { judged, seconds } = packVerdict(verdict);
    this.judged = judged;
    this.judgedSeconds = seconds;
  }

  get weight(): number {
    return this.service.setWeights?.get(this) ?? this.common.weight;
  }

  facts(): readonly Fact[] {
    return this.service.factsOf(this);
  }

  isKnown(): boolean {
    return this.groups !== undefined;
  }
}

/** An address of several instances has a separate slot: answered if any of them is. */
export interface SharedAddress {
  readonly slot: number;
  readonly instances: readonly InstanceEntry[];
}

export class ServiceEntry implements ServiceState {
  readonly key: string;
  readonly factsOf: FactsOf;
  readonly instances = new InstanceSet<InstanceEntry>();
  service: Service | undefined = undefined;
  groups = 0;
  /** Kept by shared-addresses.ts. */
  sharedAddresses: Map<string, SharedAddress> = NONE_SHARED;
  /** Weights that replace the instances' own during a slow start. */
  setWeights: Map<InstanceEntry, number> | undefined = undefined;

  constructor(key: string, factsOf: FactsOf) {
    this.key = key;
    this.factsOf = factsOf;
  }

  slotFor(state: InstanceState, address: string): number {
    return this.sharedAddresses.get(address)?.slot ?? state.slot;
  }
}

/** Stays empty: most services have no such address. */
export const NONE_SHARED = new Map<string, SharedAddress>();
