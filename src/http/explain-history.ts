// The history of a name: what its services answered, and when and why that changed.
import {
  type AnswerThen,
  answerTextOf,
  type History,
  type HistoryChange,
  type Transition,
} from '../history/history.ts';
import { answeredNow } from '../history/recorder.ts';
import type { Registry } from '../registry/registry.ts';

export interface HistoryExplanation {
  /** ISO 8601, as all times here. */
  readonly since?: string;
  readonly at?: string;
  readonly services: readonly ServiceHistory[];
}

export interface ServiceHistory {
  readonly service: string;
  /** The history begins here; absent: there is none. */
  readonly knownSince?: string;
  /** With `at`. */
  readonly answer?: AnswerThen;
  readonly changes: readonly (Omit<HistoryChange, 'atMs' | 'service'> & { readonly at: string })[];
}

export interface HistoryRequest {
  readonly sinceMs?: number;
  readonly atMs?: number;
}

/** `keys`: the services that publish the name now; services that published it once are added. */
export function explainHistory(
  name: string,
  keys: readonly string[],
  { history, registry }: { readonly history: History; readonly registry: Pick<Registry, 'service'> },
  { sinceMs, atMs }: HistoryRequest,
): HistoryExplanation {
  const all = [...new Set([...keys, ...history.servicesNamed(name)])];
  return {
    ...(sinceMs !== undefined && { since: isoTime(sinceMs) }),
    ...(atMs !== undefined && { at: isoTime(atMs) }),
    services: all.map((service) => {
      const knownSince = history.knownSince(service);
      const now = answeredNow(registry.service(service));
      return {
        service,
        ...(knownSince !== undefined && { knownSince: isoTime(knownSince) }),
        ...(atMs !== undefined && { answer: history.answerAt(service, atMs, now) }),
        changes: history
          .changesOf(service, sinceMs)
          .map(({ atMs: changedMs, service: _, ...change }) => ({ at: isoTime(changedMs), ...change })),
      };
    }),
  };
}

/** Lines for a terminal. */
export function historyLines(name: string, { at, since, services }: HistoryExplanation): string[] {
  const lines = services.flatMap((one) => (at === undefined ? changeLines(one, since) : answerLines(one, at)));
  return lines.length > 0 ? lines : [`Nothing is recorded for ${name}.`];
}

function answerLines({ service, answer: found, knownSince }: ServiceHistory, at: string): string[] {
  if (found === undefined) return [];
  if (!found.known) {
    const since = knownSince === undefined ? '' : ` (recorded since ${knownSince})`;
    return [`At ${at}, the answer of ${service} is not known: ${found.why}${since}`];
  }
  const { since, until, answer } = found;
  return [
    `At ${at}, ${service} answered ${answerTextOf(answer)}`,
    ...(since === undefined ? [] : [`  since ${isoTime(since.atMs)}`, ...since.transitions.map(transitionLine)]),
    ...(until === undefined ? [] : [`  until ${isoTime(until.atMs)}`, ...until.transitions.map(transitionLine)]),
  ];
}

function changeLines({ service, changes, knownSince }: ServiceHistory, since: string | undefined): string[] {
  const from = since ?? knownSince;
  if (changes.length === 0) return [`History of ${service}: no change${from === undefined ? '' : ` since ${from}`}`];
  return [
    `History of ${service}${knownSince === undefined ? '' : ` (recorded since ${knownSince})`}`,
    ...changes.flatMap(({ at, transitions, more, after }) => [
      `  ${at}`,
      ...transitions.map(transitionLine),
      ...(more > 0 ? [`    … and ${more} more`] : []),
      `    then answered ${answerTextOf(after)}`,
    ]),
  ];
}

const transitionLine = ({ instance, from, to, answered, rule, reason }: Transition): string =>
  `    ${answered ? 'in ' : 'OUT'} ${instance}: ${from} → ${to}, rule ${rule}: ${reason}`;

/** An invalid date is shown as a number instead of throwing. */
function isoTime(milliseconds: number): string {
  const date = new Date(milliseconds);
  return Number.isNaN(date.getTime()) ? String(milliseconds) : date.toISOString();
}
