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

  /** Whether the service has policies, which need `all`; otherwise `one` suffices for an instance whose facts changed. */
  hasPolicies({ service }: ServiceState): boolean {
    return service !== undefined && hasPolicies(service.policy);
  }

  one(state: InstanceState): Verdict {
    return effectiveStatus(state.facts(), state.service.service?.policy ?? UNKNOWN_SERVICE);
  }

  all(service: ServiceState, nowMs: number): Judgement {
    const states = [...service.instances.values()];
    const policy = service.service?.policy;
    if (policy === undefined || !hasPolicies(policy)) {
      return { instances: states.map((state) => ({ state, verdict: this.one(state) })), untilMs: undefined };
    }
    let untilMs: number | undefined;
    const judging: Judging = {
      nowMs,
      wake(ms = Number.POSITIVE_INFINITY) {
        if (ms < (untilMs ?? Number.POSITIVE_INFINITY)) untilMs = ms;
      },
    };
    const alone = states.map((state) => this.alone(state, policy, judging));
    const verdicts = policy.publishNotReady ? alone : this.together(service, alone, policy);
    const instances = states.map((state, index) => {
      const verdict = verdicts[index];
      return { state, verdict, weight: this.weight(state, verdict, policy, judging) };
    });
    return { instances, untilMs };
  }

  private alone(state: InstanceState, policy: ServicePolicy, judging: Judging): Verdict {
    let facts: readonly Fact[] = state.facts();
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
