// Flap damping, as RFC 2439 damps routes: each fall adds to a penalty that halves with time; too high a penalty keeps
// the instance out until it has come down to half of that.
import * as v from 'valibot';
import { integer, mapping, seconds } from '../../reading/shape.ts';
import type { ServicePolicy, Status, Verdict } from '../../registry/model.ts';
import { healthPolicy, memory } from './policy.ts';

declare module '../../registry/model.ts' {
  interface ServicePolicy {
    /** Instances that fell `falls` times within about one half-life stay out until they are stable. */
    readonly flapDamping?: { readonly falls: number; readonly halfLifeSeconds: number };
  }
}

type Damping = NonNullable<ServicePolicy['flapDamping']>;

export const flapDamping = healthPolicy({
  key: 'flapDamping',
  schema: mapping(
    {
      falls: integer(1, 100, 'An instance is held back after this many falls within about one half-life.'),
      halfLifeSeconds: v.optional(
        seconds(
          1,
          86_400,
          'Time after which a fall counts half; three half-lives without a fall always end the damping.',
        ),
        60,
      ),
    },
    'Hold back instances that flap until they are stable.',
  ),
  setting: (written) => written,
  describe: ({ falls, halfLifeSeconds }) => `held back after ${falls} falls within about ${halfLifeSeconds} s`,
  rules() {
    const memoryOf = memory(({ verdict }, nowMs) => ({ flaps: { ...calm(nowMs), status: verdict.status } }));
    return {
      one(setting, verdict, { state, judging }) {
        const known = memoryOf(state, judging.nowMs);
        known.flaps = nextFlaps(known.flaps, verdict.status, setting, judging.nowMs);
        if (known.flaps.suppressed) judging.wake(reuseMs(known.flaps, setting));
        return withDamping(verdict, known.flaps, setting);
      },
    };
  },
});

export interface FlapState {
  readonly status: Status;
  /** As of `atMs`. One fall is 1. */
  readonly penalty: number;
  readonly atMs: number;
  readonly suppressed: boolean;
}

export const calm = (nowMs: number): FlapState => ({ status: 'UNKNOWN', penalty: 0, atMs: nowMs, suppressed: false });

/** Maximum penalty as a multiple of `falls`: an instance is out for at most three half-lives after the last fall. */
const CEILING = 4;

/** The effect of an instance's current status on its penalty. */
export function nextFlaps(
  before: FlapState,
  status: Status,
  { falls, halfLifeSeconds }: Damping,
  nowMs: number,
): FlapState {
  const elapsedMs = Math.max(0, nowMs - before.atMs);
  const decayed = before.penalty * 0.5 ** (elapsedMs / (halfLifeSeconds * 1000));
  const fell = status === 'UNHEALTHY' && before.status !== 'UNHEALTHY';
  const penalty = Math.min(decayed + (fell ? 1 : 0), CEILING * falls);
  // A small tolerance, so that the time computed by reuseMs is late enough.
  // The last of `falls` falls suppresses the instance if the earlier ones have not decayed: without decay the sum is `falls`.
  const suppressed = before.suppressed ? penalty > (falls / 2) * (1 + 1e-9) : fell && penalty > falls - 1;
  return { status, penalty, atMs: nowMs, suppressed };
}

/** When a suppressed instance may be answered again, unless it falls before. */
export function reuseMs({ penalty, atMs }: FlapState, { falls, halfLifeSeconds }: Damping): number {
  return atMs + Math.ceil(halfLifeSeconds * 1000 * Math.max(0, Math.log2(penalty / (falls / 2))));
}

/** The verdict on an instance with this history: held back by the rule `flap-damping` while suppressed. */
export function withDamping(verdict: Verdict, { suppressed }: FlapState, { falls, halfLifeSeconds }: Damping): Verdict {
  if (!suppressed || !verdict.answered || verdict.rule === 'operator' || verdict.rule === 'publish-not-ready') {
    return verdict;
  }
  const reason = `fell ${falls} times or more within about ${halfLifeSeconds} s, held back until it is stable: ${verdict.reason}`;
  return { ...verdict, answered: false, rule: 'flap-damping', reason };
}
