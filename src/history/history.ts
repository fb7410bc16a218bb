// The answers of services and their changes: the last changes of each service, bounded per service and in total. Pure
// data; recorder.ts fills it.

/** One change of what a service answers: everything that took effect together. */
export interface HistoryChange {
  /** Wall-clock milliseconds. */
  readonly atMs: number;
  /** The service's key. */
  readonly service: string;
  /** The first name it was published under; absolute. */
  readonly name: string;
  /** At most MAX_TRANSITIONS. */
  readonly transitions: readonly Transition[];
  /** Number of further transitions. */
  readonly more: number;
  readonly after: Answered;
}

export interface Transition {
  readonly instance: string;
  readonly addresses: readonly string[];
  /** A status, or `new` for an instance that was not there before. */
  readonly from: string;
  /** A status, or `removed`. */
  readonly to: string;
  /** Whether it is answered from then on. */
  readonly answered: boolean;
  /** The rule that decided (docs/health.md), and its reason. */
  readonly rule: string;
  readonly reason: string;
}

/** The answer of a service's name. */
export interface Answered {
  /** `answered`, or what the name was answered with instead of addresses: `NODATA`, `NXDOMAIN`, `SERVFAIL`. */
  readonly outcome: string;
  readonly answered: number;
  readonly of: number;
  /** At most MAX_ADDRESSES. */
  readonly addresses: readonly string[];
}

export const MAX_TRANSITIONS = 32;
export const MAX_ADDRESSES = 32;
export const MAX_REASON = 200;

export interface HistoryLimits {
  /** Changes kept of one service. */
  readonly perService: number;
  /** Changes kept of all services together. */
  readonly inAll: number;
}

const DEFAULT_HISTORY_LIMITS: HistoryLimits = { perService: 50, inAll: 10_000 };

/** The answer at some time: known, or why not. */
export type AnswerThen =
  | { readonly known: true; readonly answer: Answered; readonly since?: HistoryChange; readonly until?: HistoryChange }
  | { readonly known: false; readonly why: string };

export interface History {
  /** Appends a change; the oldest of its service, or of all, is dropped for it. */
  record(change: HistoryChange): void;
  /** healthdns began to watch then: what a service answered between the change before and this time is not known. */
  began(atMs: number): void;
  /** Of a service, the oldest first. */
  changesOf(service: string, sinceMs?: number): readonly HistoryChange[];
  /** Of all services, the newest first. */
  recent(most: number): readonly HistoryChange[];
  /** Keys of services that were published under this name. */
  servicesNamed(name: string): readonly string[];
  /** The service's answer at that time; `now`: its current answer, undefined if the service does not exist. */
  answerAt(service: string, atMs: number, now: Answered | undefined): AnswerThen;
  /** Wall-clock milliseconds before which nothing is known of the service; undefined: it never began. */
  knownSince(service: string): number | undefined;
  /** False: nothing is kept, so nothing needs to be recorded. */
  isOn(): boolean;
  /** Drops what exceeds them. */
  setLimits(limits: HistoryLimits): void;
  counts(): { readonly kept: number; readonly services: number; readonly dropped: number };
}

/** Starts of the process that are remembered. */
const MAX_STARTS = 100;

export function createHistory(initial: HistoryLimits = DEFAULT_HISTORY_LIMITS): History {
  let limits = initial;
  const services = new Map<string, HistoryChange[]>();
  /** In the order in which they were recorded. */
  const all = new Set<HistoryChange>();
  const starts: number[] = [];
  /** The newest change of a service that was dropped, for services that still have some. */
  const droppedMs = new Map<string, number>();
  /** The same for services of which nothing is left. */
  let forgottenMs = Number.NEGATIVE_INFINITY;
  let dropped = 0;

  function drop(change: HistoryChange): void {
    const own = services.get(change.service)!;
    own.splice(own.indexOf(change), 1);
    all.delete(change);
    dropped++;
    droppedMs.set(change.service, change.atMs);
    if (own.length > 0) return;
    services.delete(change.service);
    droppedMs.delete(change.service);
    forgottenMs = Math.max(forgottenMs, change.atMs);
  }

  function knownSince(service: string): number | undefined {
    const [first] = starts;
    if (first === undefined) return undefined;
    return Math.max(first, droppedMs.get(service) ?? forgottenMs);
  }

  return {
    record(change) {
      const own = services.get(change.service) ?? [];
      if (own.length === 0) services.set(change.service, own);
      own.push(change);
      all.add(change);
      if (own.length > limits.perService) drop(own[0]);
      if (all.size > limits.inAll) drop(all.values().next().value!);
    },
    began(atMs) {
      starts.push(atMs);
      if (starts.length > MAX_STARTS) forgottenMs = Math.max(forgottenMs, starts.shift()!);
    },
    changesOf: (service, sinceMs = Number.NEGATIVE_INFINITY) =>
      (services.get(service) ?? []).filter(({ atMs }) => atMs >= sinceMs),
    recent: (most) => [...all].slice(-most).reverse(),
    servicesNamed: (name) =>
      [...services].filter(([, own]) => own.some((change) => change.name === name)).map(([key]) => key),
    answerAt(service, atMs, now) {
      const own = services.get(service) ?? [];
      const since = own.findLast((change) => change.atMs <= atMs);
      const until = own.find((change) => change.atMs > atMs);
      const known = knownSince(service);
      if (known === undefined || atMs < known) return { known: false, why: 'nothing is recorded for that time' };
      const start = starts.findLast((startMs) => startMs <= atMs);
      if (since !== undefined && !(start !== undefined && start > since.atMs))
        return { known: true, answer: since.after, since, ...(until && { until }) };
      if (until !== undefined) {
        const next = starts.find((startMs) => startMs > atMs);
        if (next !== undefined && next <= until.atMs) return { known: false, why: 'healthdns was restarted after it' };
        return { known: true, answer: before(until), until };
      }
      return now === undefined
        ? { known: false, why: 'nothing is recorded for that time' }
        : { known: true, answer: now };
    },
    knownSince,
    isOn: () => limits.inAll > 0,
    setLimits(next) {
      limits = next;
      for (const own of [...services.values()]) while (own.length > limits.perService) drop(own[0]);
      while (all.size > limits.inAll) drop(all.values().next().value!);
    },
    counts: () => ({ kept: all.size, services: services.size, dropped }),
  };
}

/** The answer before a change: the change undone. */
function before({ transitions, after }: HistoryChange): Answered {
  const addresses = new Set(after.addresses);
  let { answered, of } = after;
  for (const transition of transitions.toReversed()) {
    const { answered: isIn, from, to } = transition;
    answered += isIn ? -1 : 1;
    if (from === 'new') of--;
    if (to === 'removed') of++;
    for (const address of transition.addresses) {
      if (isIn) addresses.delete(address);
      else addresses.add(address);
    }
  }
  const outcome = answered > 0 ? 'answered' : 'nothing';
  return { outcome, answered, of, addresses: [...addresses].slice(0, MAX_ADDRESSES) };
}

/** Maximum number of addresses in a line. */
const SHOWN = 8;

/** For people. */
export function answerTextOf({ outcome, answered, of, addresses }: Answered): string {
  if (outcome !== 'answered') return of === 0 ? outcome : `${outcome} (${answered} of ${of} instances)`;
  const more = addresses.length > SHOWN ? ', …' : '';
  return `${addresses.slice(0, SHOWN).join(', ')}${more} (${answered} of ${of} instances)`;
}
