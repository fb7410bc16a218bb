// An operator's order for an instance: whether it is answered, for how long, and why. Written as one line, which people
// can read and write: "UNHEALTHY since 2026-11-28T02:47:00.000Z until 2026-11-28T03:17:00.000Z: replacing the disk".
import type { Fact } from '../registry/model.ts';

export interface OperatorOrder {
  readonly status: 'HEALTHY' | 'UNHEALTHY';
  readonly reason: string;
  /** Wall-clock milliseconds; undefined: not given. */
  readonly sinceMs?: number | undefined;
  /** undefined: until it is withdrawn. */
  readonly untilMs?: number | undefined;
}

/** The annotation of a pod with an order. */
export const ORDER_ANNOTATION = 'healthdns.dev/health';
export const MAX_REASON = 200;

const FORM = /^(HEALTHY|UNHEALTHY)(?: since (\S+))?(?: until (\S+))?: *(\S.*)$/;
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/;
const EXPECTED = '"UNHEALTHY: REASON", "UNHEALTHY until 2026-11-28T03:17:00Z: REASON" or the same with HEALTHY';

export function formatOrder({ status, reason, sinceMs, untilMs }: OperatorOrder): string {
  const since = sinceMs === undefined ? '' : ` since ${new Date(sinceMs).toISOString()}`;
  const until = untilMs === undefined ? '' : ` until ${new Date(untilMs).toISOString()}`;
  return `${status}${since}${until}: ${reason}`;
}

/** The order, or the problem with the text. */
export function parseOrder(text: string): OperatorOrder | string {
  const [, status, since, until, reason] = FORM.exec(text.slice(0, 1024).trim()) ?? [];
  const [sinceMs, untilMs] = [since, until].map((time) => (time === undefined ? undefined : timeOf(time)));
  if (status === undefined || Number.isNaN(sinceMs) || Number.isNaN(untilMs))
    return `expected ${EXPECTED}, got ${JSON.stringify(text.slice(0, 80))}`;
  return { status: status as 'HEALTHY', reason: reason.slice(0, MAX_REASON), sinceMs, untilMs };
}

/** RFC 3339; NaN if it is not one. */
const timeOf = (text: string): number => (TIME.test(text) ? Date.parse(text) : Number.NaN);

/** `nowMs`: the time of an order that has none. */
export function operatorFact({ status, reason, sinceMs, untilMs }: OperatorOrder, nowMs: number): Fact {
  const until = untilMs === undefined ? '' : ` until ${new Date(untilMs).toISOString()}`;
  const said = `${status === 'HEALTHY' ? 'forced healthy' : 'drained'} by an operator${until}: ${reason}`;
  return {
    source: 'operator',
    status,
    reason: said,
    sinceMs: sinceMs ?? nowMs,
    ...(untilMs !== undefined && { untilMs }),
  };
}
