// The cache survives a reload: the retiring thread hands its entries to its successor, which accepts those that
// its own settings would have produced as well.
import { parseMessage } from '../dns/message/message.ts';
import type { WireName } from '../dns/name.ts';
import { TYPE } from '../dns/types.ts';
import type { CacheHandover, HandedEntry } from '../plane/cache-orders.ts';
import type { ForwardSettings } from '../plane/forward-settings.ts';
import type { AnswerCache } from './cache/cache.ts';
import { type CacheEntry, makeEntry } from './cache/entry.ts';
import type { Local } from './local/local.ts';
import type { Route } from './resolve/route.ts';
import { type ForwardQuestion, questionOf } from './upstream/question.ts';

/** Handing over so many takes about a millisecond. */
const ENTRIES_A_BATCH = 200;

export interface HandoverParts {
  readonly settings: ForwardSettings;
  readonly cache: AnswerCache;
  readonly local: Local | undefined;
  readonly routes: readonly Route[];
  readonly routeOf: (name: WireName) => Route | undefined;
}

/** One batch after the other, those used longest ago first. */
export function* handOver(parts: HandoverParts, monotonicMs: () => number): Generator<CacheHandover> {
  const { settings, cache, local, routes, routeOf } = parts;
  const about = { stated: statedBy(settings), filters: filtersOf(settings), routes: routes.map(identityOf) };
  let entries: HandedEntry[] = [];
  for (const entry of cache.oldestFirst(monotonicMs())) {
    const question = questionIn(entry);
    const route = routeOf(question.name);
    if (route === undefined || local?.answerTo(question) !== undefined) continue;
    entries.push({ ...entry, route: routes.indexOf(route) });
    if (entries.length < ENTRIES_A_BATCH) continue;
    yield { ...about, atMs: monotonicMs(), entries };
    entries = [];
  }
  if (entries.length > 0) yield { ...about, atMs: monotonicMs(), entries };
}

/** `nowMs` is by the clock of this thread, which began at another time. */
export function takeIn(handed: CacheHandover, parts: HandoverParts, nowMs: number): void {
  const { settings, cache, local, routeOf } = parts;
  if (handed.filters !== filtersOf(settings)) return;
  const sameStated = handed.stated === statedBy(settings);
  const laterMs = nowMs - handed.atMs;
  for (const { route, ...fields } of handed.entries) {
    const entry = makeEntry(fields as Partial<CacheEntry>, {
      refreshing: false,
      storedMs: fields.storedMs + laterMs,
      expiresMs: fields.expiresMs + laterMs,
      windowStartMs: fields.windowStartMs + laterMs,
      staleUntilMs: fields.staleUntilMs > 0 ? fields.staleUntilMs + laterMs : fields.staleUntilMs,
    });
    const question = questionIn(entry);
    const own = routeOf(question.name);
    if (own === undefined || identityOf(own) !== handed.routes[route]) continue;
    if (local?.answerTo(question) !== undefined) continue;
    // An alias may lead to a name that was, or now is, in hosts or a template.
    if (sameStated || !hasAlias(entry)) cache.takeIn(entry, question.name);
  }
}

const questionIn = ({ bytes, start, questionEnd, bits }: CacheEntry): ForwardQuestion =>
  questionOf(bytes.subarray(start), questionEnd, bits);

/** Servers, zone and exceptions. Settings of how servers are asked do not change what they answer. */
const identityOf = ({ settings: { zone, except, upstreams, resolvConf } }: Route): string =>
  JSON.stringify([zone, except, upstreams, resolvConf]);

const statedBy = ({ hosts, templates }: ForwardSettings): string => JSON.stringify([hosts, templates]);

const filtersOf = ({ dns64, rebinding }: ForwardSettings): string => JSON.stringify([dns64, rebinding]);

function hasAlias({ bytes, start, length }: CacheEntry): boolean {
  return parseMessage(bytes.subarray(start, start + length)).answers.some(
    ({ type }) => type === TYPE.CNAME || type === TYPE.DNAME,
  );
}
