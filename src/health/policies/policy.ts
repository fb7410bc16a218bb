// A health policy is a key of zones.yaml that changes the verdicts on the instances of a service. Each policy is one file
// in this folder, and one line in policies.ts.
import type * as v from 'valibot';
import type { Fact, InstanceState, ServicePolicy, ServiceState, Verdict } from '../../registry/model.ts';

export interface HealthPolicy<Key extends keyof ServicePolicy, Schema extends v.GenericSchema> {
  readonly key: Key;
  /** The schema of the key in zones.yaml; editors show its description. */
  readonly schema: Schema;
  /** The setting for a configured value, with defaults; undefined: the policy is off. */
  readonly setting: (written: v.InferOutput<Schema>) => ServicePolicy[Key] | undefined;
  /** A few words for `explain`. */
  readonly describe: (setting: NonNullable<ServicePolicy[Key]>) => string;
  /** Its rules, with their memory of instances and services. */
  readonly rules: () => PolicyRules<NonNullable<ServicePolicy[Key]>>;
}

/** The steps that a policy takes part in, in the order in which they are taken. */
export interface PolicyRules<Setting> {
  /** The facts about an instance → the facts that count. */
  readonly facts?: (setting: Setting, facts: readonly Fact[], judging: Judging) => readonly Fact[];
  /** The verdict on one instance → another one. */
  readonly one?: (setting: Setting, verdict: Verdict, instance: Judged) => Verdict;
  /** The verdicts on all instances of a service → others, in the same order. `alone`: the verdicts before any policy. */
  readonly all?: (
    setting: Setting,
    verdicts: readonly Verdict[],
    service: ServiceState,
    alone: readonly Verdict[],
  ) => readonly Verdict[];
  /** Called instead of `all` for services without the policy. */
  readonly off?: (service: ServiceState) => void;
  /** Another weight for an instance; undefined: its own. */
  readonly weight?: (setting: Setting, verdict: Verdict, instance: Judged) => number | undefined;
}

export interface Judging {
  readonly nowMs: number;
  /** Judge again at this wall-clock time, even if no fact changes. */
  wake(untilMs: number | undefined): void;
}

export interface Judged {
  readonly state: InstanceState;
  readonly facts: readonly Fact[];
  readonly policy: ServicePolicy;
  readonly judging: Judging;
}

/** For policies.ts: infers the types of a policy. */
export const healthPolicy = <Key extends keyof ServicePolicy, Schema extends v.GenericSchema>(
  policy: HealthPolicy<Key, Schema>,
): HealthPolicy<Key, Schema> => policy;

/** A policy's memory of an instance, created when it first judges the instance and kept as long as the instance. */
export function memory<Memory>(make: (state: InstanceState, nowMs: number) => Memory) {
  const memories = new WeakMap<InstanceState, Memory>();
  return (state: InstanceState, nowMs: number): Memory => {
    const known = memories.get(state);
    if (known !== undefined) return known;
    const fresh = make(state, nowMs);
    memories.set(state, fresh);
    return fresh;
  };
}

/**
 * Whether policies that consider a whole service may answer this instance: it is excluded for being unhealthy, not for
 * going away, by an operator, or because the service excludes unknown instances.
 */
export const isEjected = ({ answered, rule }: Verdict): boolean =>
  !answered && (rule === 'unhealthy' || rule === 'flap-damping');

/** Instances that such policies count: answered, or ejected. */
export const concerned = (verdicts: readonly Verdict[]): readonly Verdict[] =>
  verdicts.filter((verdict) => verdict.answered || isEjected(verdict));
