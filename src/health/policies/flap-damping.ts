// Flap damping, as RFC 2439 damps routes: each fall adds to a penalty that halves with time; too high a penalty keeps
// the instance out until it has come down to half of that.
import type { ServicePolicy, Status, Verdict } from '../../registry/model.ts';

type Damping = NonNullable<ServicePolicy['flapDamping']>;

export interface FlapState {
  readonly status: Status;
  /** As of `atMs`. One fall is 1. */
  readonly penalty: number;
  readonly atMs: number;
  readonly suppressed: boolean;
}

export const calm = (nowMs: number): FlapState => ({ status: 'UNKNOWN', penalty: 0, atMs: nowMs, suppressed: false });

/** The penalty is never more than this many times `falls`: out for at most three half-lives after the last fall. */
const CEILING = 4;

/** What an instance's status, now, makes of its flapping. */
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
  // A hair's breadth, so that the moment computed by reuseMs is late enough.
  // The last of `falls` falls suppresses while the earlier ones have not faded: at once it would be `falls` exactly.
  const suppressed = before.suppressed ? penalty > (falls / 2) * (1 + 1e-9) : fell && penalty > falls - 1;
  return { status, penalty, atMs: nowMs, suppressed };
}

/** When an instance that is suppressed may be answered again, if it does not fall before. */
export function reuseMs({ penalty, atMs }: FlapState, { falls, halfLifeSeconds }: Damping): number {
  return atMs + Math.ceil(halfLifeSeconds * 1000 * Math.max(0, Math.log2(penalty / (falls / 2))));
}

/** The verdict on an instance with such a history: held back by the rule `flap-damping` while it is suppressed. */
export function withDamping(verdict: Verdict, { suppressed }: FlapState, { falls, halfLifeSeconds }: Damping): Verdict {
  if (!suppressed || !verdict.answered || verdict.rule === 'operator' || verdict.rule === 'publish-not-ready') {
    return verdict;
  }
  const reason = `fell ${falls} times or more within about ${halfLifeSeconds} s, held back until it has been calm: ${verdict.reason}`;
  return { ...verdict, answered: false, rule: 'flap-damping', reason };
}
