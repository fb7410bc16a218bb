// Verdicts of a service's instances: each by its facts, then the policies that need a memory or look at all together.
import type { Fact, InstanceState, ServicePolicy, ServiceState, Verdict } from '../../registry/model.ts';
import { combineExternal } from '../external.ts';
import { calm, type FlapState, nextFlaps, reuseMs, withDamping } from '../policies/flap-damping.ts';
import { withGrace } from '../policies/grace.ts';
import { limitEjections } from '../policies/max-ejection.ts';
import { inPanic, panics } from '../policies/panic.ts';
import { slowStartWeight } from '../policies/slow-start.ts';
import { effectiveStatus } from './effective-status.ts';

export interface Judge {
  /** Whether the service has policies that need `all`; else `one` is enough for an instance whose facts changed. */
  hasPolicies(service: ServiceState): boolean;
  one(state: InstanceState): Verdict;
  all(service: ServiceState, nowMs: number): Judgement;
}

export interface Judgement {
  readonly instances: readonly { readonly state: InstanceState; readonly verdict: Verdict; readonly weight?: number }[];
  /** Wall-clock time at which the verdicts may change though no fact does. */
  readonly untilMs: number | undefined;
}

/** What policies remember of an instance; kept only for services that have some. */
interface Memory {
  readonly firstSeenMs: number;
  everHealthy: boolean;
  flaps: FlapState;
  answered: boolean;
  answeredSinceMs: number;
}

/** Of instances whose service is not known yet; they are not published. */
const UNKNOWN_SERVICE: Pick<ServicePolicy, 'unknown' | 'publishNotReady'> = {
  unknown: 'answer',
  publishNotReady: false,
};

export function createJudge(): Judge {
  const memories = new WeakMap<InstanceState, Memory>();
  const panicking = new WeakSet<ServiceState>();

  function memoryOf(state: InstanceState, nowMs: number): Memory {
    const known = memories.get(state);
    if (known !== undefined) return known;
    // An instance that was judged before its service got policies is no new one.
    const isNew = state.verdict.rule === 'not-judged';
    const memory: Memory = {
      firstSeenMs: isNew ? nowMs : Number.NEGATIVE_INFINITY,
      everHealthy: state.verdict.status === 'HEALTHY',
      flaps: { ...calm(nowMs), status: state.verdict.status },
      answered: state.verdict.answered,
      answeredSinceMs: Number.NEGATIVE_INFINITY,
    };
    memories.set(state, memory);
    return memory;
  }

  function judgeOne(state: InstanceState, policy: ServicePolicy, nowMs: number, wake: Wake): Verdict {
    const memory = memoryOf(state, nowMs);
    const graced = withGrace(withExternal(state.facts(), policy, nowMs, wake), policy, memory, nowMs);
    wake(graced.untilMs);
    memory.everHealthy ||= graced.verdict.status === 'HEALTHY';
    if (policy.flapDamping === undefined) return graced.verdict;
    memory.flaps = nextFlaps(memory.flaps, graced.verdict.status, policy.flapDamping, nowMs);
    if (memory.flaps.suppressed) wake(reuseMs(memory.flaps, policy.flapDamping));
    return withDamping(graced.verdict, memory.flaps, policy.flapDamping);
  }

  function judgeTogether(
    service: ServiceState,
    verdicts: readonly Verdict[],
    policy: ServicePolicy,
  ): readonly Verdict[] {
    const limited =
      policy.maxEjectionPercent === undefined ? verdicts : limitEjections(verdicts, policy.maxEjectionPercent);
    const { panic } = policy;
    if (panic === undefined || !panics(panicking.has(service), verdicts, panic)) {
      panicking.delete(service);
      return limited;
    }
    panicking.add(service);
    return limited.map((verdict) => inPanic(verdict, panic));
  }

  function weigh(state: InstanceState, { answered }: Verdict, policy: ServicePolicy, nowMs: number, wake: Wake) {
    if (policy.slowStartSeconds === undefined || policy.routing !== 'weighted') return undefined;
    const memory = memoryOf(state, nowMs);
    if (answered && !memory.answered) memory.answeredSinceMs = nowMs;
    memory.answered = answered;
    const { weight, untilMs } = slowStartWeight(
      state.instance.weight,
      memory.answeredSinceMs,
      policy.slowStartSeconds,
      nowMs,
    );
    if (answered) wake(untilMs);
    return weight;
  }

  return {
    hasPolicies: ({ service }) => service !== undefined && hasPolicies(service.policy),
    one: (state) => effectiveStatus(state.facts(), state.service.service?.policy ?? UNKNOWN_SERVICE),
    all(service, nowMs) {
      const states = [...service.instances.values()];
      const policy = service.service?.policy;
      if (policy === undefined || !hasPolicies(policy)) {
        return { instances: states.map((state) => ({ state, verdict: this.one(state) })), untilMs: undefined };
      }
      let untilMs: number | undefined;
      const wake: Wake = (ms) => {
        if (ms !== undefined && ms < (untilMs ?? Number.POSITIVE_INFINITY)) untilMs = ms;
      };
      const alone = states.map((state) => judgeOne(state, policy, nowMs, wake));
      const verdicts = policy.publishNotReady ? alone : judgeTogether(service, alone, policy);
      const instances = states.map((state, index) => {
        const verdict = verdicts[index];
        return { state, verdict, weight: weigh(state, verdict, policy, nowMs, wake) };
      });
      return { instances, untilMs };
    },
  };
}

type Wake = (untilMs: number | undefined) => void;

const hasPolicies = (policy: ServicePolicy): boolean =>
  policy.gracePeriodSeconds !== undefined ||
  policy.externalHealth !== undefined ||
  policy.panic !== undefined ||
  policy.flapDamping !== undefined ||
  policy.slowStartSeconds !== undefined ||
  policy.maxEjectionPercent !== undefined;

function withExternal(facts: readonly Fact[], policy: ServicePolicy, nowMs: number, wake: Wake): readonly Fact[] {
  if (policy.externalHealth === undefined) return facts;
  const combined = combineExternal(facts, policy.externalHealth, nowMs);
  wake(combined.untilMs);
  return combined.facts;
}
