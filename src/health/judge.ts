// Verdicts on the instances of a service: from their facts, then adjusted by the policies of the service.
import type { Fact, InstanceState, ServicePolicy, ServiceState, Verdict } from '../registry/model.ts';
import { hasPolicies, POLICIES } from './policies/policies.ts';
import type { Judging } from './policies/policy.ts';
import { effectiveStatus } from './rules/effective-status.ts';

export interface Judgement {
  readonly instances: readonly { readonly state: InstanceState; readonly verdict: Verdict; readonly weight?: number }[];
  /** Wall-clock time at which the verdicts may change though no fact does. */
  readonly untilMs: number | undefined;
}

/** For instances of an unknown service; they are not published. */
const UNKNOWN_SERVICE: Pick<ServicePolicy, 'unknown' | 'publishNotReady'> = {
  unknown: 'answer',
  publishNotReady: false,
};

export class Judge {
  private readonly rules = POLICIES.map(({ key, rules }) => ({ key, ...rules() }));

  /**
   * Whether an instance with these facts needs `all`: its service has policies, or a fact expires. Otherwise `one` suffices for
   * an instance whose facts changed.
   */
  needsAll({ service }: ServiceState, facts: readonly Fact[] = []): boolean {
    return (service !== undefined && hasPolicies(service.policy)) || facts.some(({ untilMs }) => untilMs !== undefined);
  }

  one(state: InstanceState, facts: readonly Fact[]): Verdict {
    return effectiveStatus(facts, state.service.service?.policy ?? UNKNOWN_SERVICE);
  }

  all(service: ServiceState, nowMs: number): Judgement {
    const states = [...service.instances.values()];
    const policy = service.service?.policy;
    let untilMs: number | undefined;
    const judging: Judging = {
      nowMs,
      wake(ms = Number.POSITIVE_INFINITY) {
        if (ms < (untilMs ?? Number.POSITIVE_INFINITY)) untilMs = ms;
      },
    };
    if (policy === undefined || !hasPolicies(policy)) {
      const instances = states.map((state) => ({ state, verdict: this.one(state, unexpired(state, judging)) }));
      return { instances, untilMs };
    }
    const alone = states.map((state) => this.alone(state, policy, judging));
    const verdicts = policy.publishNotReady ? alone : this.together(service, alone, policy);
    const instances = states.map((state, index) => {
      const verdict = verdicts[index];
      return { state, verdict, weight: this.weight(state, verdict, policy, judging) };
    });
    return { instances, untilMs };
  }

  private alone(state: InstanceState, policy: ServicePolicy, judging: Judging): Verdict {
    let facts = unexpired(state, judging);
    for (const { key, facts: rule } of this.rules) {
      const setting = policy[key];
      if (setting !== undefined && rule !== undefined) facts = rule(setting, facts, judging);
    }
    let verdict = effectiveStatus(facts, policy);
    for (const { key, one } of this.rules) {
      const setting = policy[key];
      if (setting !== undefined && one !== undefined)
        verdict = one(setting, verdict, { state, facts, policy, judging });
    }
    return verdict;
  }

  private together(service: ServiceState, alone: readonly Verdict[], policy: ServicePolicy): readonly Verdict[] {
    let verdicts = alone;
    for (const { key, all, off } of this.rules) {
      const setting = policy[key];
      if (setting === undefined) off?.(service);
      else if (all !== undefined) verdicts = all(setting, verdicts, service, alone);
    }
    return verdicts;
  }

  private weight(state: InstanceState, verdict: Verdict, policy: ServicePolicy, judging: Judging): number | undefined {
    let weight: number | undefined;
    for (const { key, weight: rule } of this.rules) {
      const setting = policy[key];
      if (setting === undefined || rule === undefined) continue;
      weight = rule(setting, verdict, { state, facts: [], policy, judging }) ?? weight;
    }
    return weight;
  }
}

/** The facts that have not expired; wakes the service when the next of them does. */
function unexpired(state: InstanceState, { nowMs, wake }: Judging): readonly Fact[] {
  const facts = state.facts();
  if (facts.every(({ untilMs }) => untilMs === undefined)) return facts;
  return facts.filter(({ untilMs }) => {
    if (untilMs === undefined) return true;
    if (untilMs > nowMs) wake(untilMs);
    return untilMs > nowMs;
  });
}
