// GET /explain/NAME, and how an explanation is assembled.

import type { Clock } from '../clock.ts';
import { NameError } from '../dns/name.ts';
import { describePolicies } from '../health/policies/policies.ts';
import { sharePercent } from '../health/policies/slow-start.ts';
import { whyUncounted } from '../health/rules/effective-status.ts';
import type { History } from '../history/history.ts';
import type { Fact, InstanceState, ServicePolicy, ServiceState } from '../registry/model.ts';
import type { Registry } from '../registry/registry.ts';
import type { SourceStatus, StatusBoard } from '../sources/status.ts';
import type { NameExplanation } from '../zone/explain/explain.ts';
import type { OwnerExplanation } from '../zone/explain/explain-owner.ts';
import { type Endpoint, formatFor, type HttpRequest, type HttpResponse, json, text } from './endpoint.ts';
import { type AskedContext, explainAsked } from './explain-asked.ts';
import { explainHistory, type HistoryExplanation, type HistoryRequest, historyLines } from './explain-history.ts';
import type {
  Explanation,
  FactExplanation,
  InstanceExplanation,
  ServiceExplanation,
  StaleSource,
} from './explanation.ts';
import { summarize } from './explanation-summary.ts';
import { explanationText, printableLines } from './explanation-text.ts';
import { localRule } from './forwarding.ts';
import { MOMENT, parseMoment } from './moment.ts';

export interface ExplainSources extends AskedContext {
  /** For browsers. */
  readonly page: ExplainPage;
  readonly history: History;
  /** Records pending changes. */
  readonly settleHistory: () => void;
  readonly registry: Pick<Registry, 'service' | 'services' | 'podAddresses'>;
  readonly clock: Pick<Clock, 'now'>;
}

export interface ExplainPage {
  of(explained: Explained): HttpResponse | Promise<HttpResponse>;
  /** The request is invalid. */
  refused(problem: string): HttpResponse | Promise<HttpResponse>;
}

export interface Explained {
  readonly status: 200 | 404;
  /** As it was written. */
  readonly asked: string;
  readonly query: URLSearchParams;
  readonly explanation: Explanation;
  readonly history?: HistoryExplanation;
}

/**
 * GET /explain/NAME: why NAME is answered as it is. A page for browsers, text with `Accept: text/plain`, else JSON; or as
 * `?format=` says. 404 if
 * the name is unknown (with the explanation), 400 if it is not a domain name. `?name=NAME` is for the root, because "." is
 * removed from the path of a URL (RFC 3986 section 5.2.4). `?from=ADDRESS` explains it as for the pod with that address. `?history` adds how the answers have changed (`&since=2h`), `?at=TIME`
 * what was answered then.
 */
export const explainEndpoint = (sources: ExplainSources): Endpoint => ({
  path: '/explain/',
  methods: ['GET'],
  async handle(request) {
    const name = request.rest === '' ? request.query.get('name') : request.rest;
    const format = formatFor(request);
    const refuse = (problem: string) => (format === 'html' ? sources.page.refused(problem) : text(400, problem));
    if (name === null || name === '') return refuse('a name is missing: /explain/api.production.local');
    const wanted = historyRequest(request, format, sources.clock.now());
    if (typeof wanted === 'string') return refuse(wanted);
    try {
      const explanation = await explainAsked(name, request.query.get('from') ?? undefined, sources);
      const history = wanted && historyOf(explanation, sources, wanted);
      const isUnknown = explanation.exists === 'absent' && explanation.services.length === 0;
      const isHeld = (explanation.holders?.length ?? 0) > 0 || isAnsweredLocally(explanation);
      const status = isUnknown && !isHeld && (history?.services.length ?? 0) === 0 ? 404 : 200;
      if (format === 'html')
        return sources.page.of({ status, asked: name, query: request.query, explanation, ...(history && { history }) });
      const body =
        format === 'text'
          ? text(status, textOf(explanation, history))
          : json(status, { ...explanation, ...(history && { history }) });
      return { ...body, headers: { 'x-healthdns-explanation': '1' } }; // Distinguishes this 404 from that of another server.
    } catch (error) {
      if (error instanceof NameError) return refuse(error.message);
      throw error;
    }
  },
});

const isAnsweredLocally = ({ forwarding }: Explanation): boolean =>
  forwarding !== undefined && localRule(forwarding) !== undefined;

/** undefined: not asked for; a text: what is wrong. */
function historyRequest({ query }: HttpRequest, format: string, nowMs: number): HistoryRequest | string | undefined {
  const since = query.get('since');
  const at = query.get('at');
  if (!query.has('history') && at === null && format !== 'html') return undefined;
  const sinceMs = since === null ? undefined : parseMoment(since, nowMs);
  const atMs = at === null ? undefined : parseMoment(at, nowMs);
  if (since !== null && sinceMs === undefined) return `since: expected ${MOMENT}`;
  if (at !== null && atMs === undefined) return `at: expected ${MOMENT}`;
  if (atMs !== undefined && atMs > nowMs) return 'at: expected a time in the past';
  return { ...(sinceMs !== undefined && { sinceMs }), ...(atMs !== undefined && { atMs }) };
}

function historyOf(explanation: Explanation, sources: ExplainSources, wanted: HistoryRequest): HistoryExplanation {
  sources.settleHistory();
  const keys: string[] = [];
  for (let each: Explanation | undefined = explanation; each !== undefined; each = each.target)
    keys.push(...each.services.filter(({ kind }) => kind !== 'namespace').map(({ key }) => key));
  return explainHistory(explanation.name, keys, sources, wanted);
}

/** A history is shown alone: current facts do not explain the past. */
const textOf = (explanation: Explanation, history: HistoryExplanation | undefined): string =>
  history === undefined
    ? explanationText(explanation)
    : printableLines([
        explanation.name,
        `  now: ${explanation.summary}`,
        '',
        ...historyLines(explanation.name, history),
      ]);

/** Longer lists are cut, because the explanation is for people. */
const MAX_INSTANCES = 1_000;

/** As many CNAMEs as an answer follows. */
const MAX_ALIASES = 16;

/** Explains `name` and the names that its CNAMEs lead to. `find` looks up a name in the zones; it throws NameError. */
export function explainChain(
  name: string,
  find: (name: string) => NameExplanation,
  registry: Pick<Registry, 'service'>,
  board: Pick<StatusBoard, 'missing' | 'sources'>,
  seen: ReadonlySet<string> = new Set(),
): Explanation {
  const found = find(name);
  const explanation = explainName(found, registry, board);
  const { alias } = found;
  const followed = new Set([...seen, found.name]);
  if (alias === undefined || followed.has(alias) || followed.size > MAX_ALIASES) return explanation;
  return { ...explanation, target: explainChain(alias, find, registry, board, followed) };
}

/** `found`: the result of the lookup in the zones. */
export function explainName(
  found: NameExplanation,
  registry: Pick<Registry, 'service'>,
  board: Pick<StatusBoard, 'missing' | 'sources'>,
): Explanation {
  const { name, zone, ready, stale, exists, wildcard, cut, rrsets, otherwise, filledBy, owners } = found;
  const services = owners.flatMap((owner) => explainService(registry.service(owner.owner), owner) ?? []);
  const missing = board
    .missing()
    .filter(({ zones, claims = [] }) =>
      zone === undefined ? claims.some((claim) => isBelow(name, claim)) : zones.some((each) => filledBy.includes(each)),
    );
  return {
    name,
    zone: zone === undefined ? undefined : { name: zone, ready, stale },
    exists,
    ...(wildcard !== undefined && { wildcard }),
    ...(cut !== undefined && { cut }),
    ...(found.fallsThrough && { fallsThrough: true }),
    ...((stale || (zone !== undefined && !ready)) && { stale: staleSources(board.sources(), filledBy) }),
    summary: summarize(
      found,
      services,
      missing.map(({ source }) => source),
    ),
    answers: rrsets.map((answer) => ({
      ...answer,
      answered: answer.answered.slice(0, MAX_INSTANCES),
      leftOut: answer.leftOut.slice(0, MAX_INSTANCES),
    })),
    otherwise,
    claims: owners.map(({ slots, ...claim }) => claim),
    services,
  };
}

function staleSources(sources: readonly SourceStatus[], zones: readonly string[]): readonly StaleSource[] {
  return sources
    .filter((source) => (source.stale || !source.synced) && source.zones.some((zone) => zones.includes(zone)))
    .map(({ name, ageMs, kinds }) => ({
      source: name,
      ...(ageMs !== undefined && { ageSeconds: Math.round(ageMs / 1000) }),
      problems: kinds
        .filter(({ state, detail }) => detail !== '' && state !== 'watching')
        .map(({ kind, state, detail }) => `${kind} ${state}: ${detail}`),
    }));
}

function explainService(
  state: ServiceState | undefined,
  { isService, slots, problems }: OwnerExplanation,
): ServiceExplanation | undefined {
  const service = state?.service;
  if (!isService || state === undefined || service === undefined) return undefined;
  const instances = [...state.instances.values()].filter((one) => slots === undefined || isAbout(state, one, slots));
  return {
    key: service.key,
    source: service.source,
    kind: service.kind,
    namespace: service.namespace,
    isWhole: slots === undefined,
    ...(service.clusterIps === undefined ? {} : { clusterIps: service.clusterIps }),
    ...(service.externalName === undefined ? {} : { externalName: service.externalName }),
    policy: service.policy,
    policyText: policyText(service.policy),
    instances: inTroubleFirst(instances)
      .slice(0, MAX_INSTANCES)
      .map((instance) => explainInstance(instance, service.policy)),
    more: Math.max(0, instances.length - MAX_INSTANCES),
    problems,
  };
}

/** Those that are left out first, otherwise in their order. */
const inTroubleFirst = (instances: readonly InstanceState[]): readonly InstanceState[] => [
  ...instances.filter(({ verdict }) => !verdict.answered),
  ...instances.filter(({ verdict }) => verdict.answered),
];

/** Whether records with these slots belong to the instance: its own slot, or that of an address that it shares. */
function isAbout(service: ServiceState, state: InstanceState, slots: ReadonlySet<number>): boolean {
  return slots.has(state.slot) || state.addresses.some((address) => slots.has(service.slotFor(state, address)));
}

function explainInstance(state: InstanceState, policy: ServicePolicy): InstanceExplanation {
  const { instance, verdict } = state;
  const facts = state.facts();
  const weightPercent = sharePercent(state, policy);
  return {
    id: instance.id,
    addresses: instance.addresses,
    status: verdict.status,
    answered: verdict.answered,
    rule: verdict.rule,
    reason: verdict.reason,
    since: verdict.sinceMs === 0 ? undefined : isoTime(verdict.sinceMs),
    ...(weightPercent !== undefined && { weightPercent }),
    facts: facts.map((fact) => explainFact(fact, facts, verdict.rule)),
  };
}

/** An operator's order outranks everything: if another rule decided, it has expired. */
function explainFact(fact: Fact, facts: readonly Fact[], rule: string): FactExplanation {
  const hasExpired = fact.untilMs !== undefined && rule !== 'operator';
  const uncounted = hasExpired ? 'expired' : whyUncounted(fact, facts);
  return {
    source: fact.source,
    ...(fact.name === undefined ? {} : { name: fact.name }),
    status: fact.status,
    reason: fact.reason,
    since: isoTime(fact.sinceMs),
    counted: uncounted === undefined,
    ...(uncounted !== undefined && { uncounted }),
  };
}

/** Facts may contain any number as their time; an invalid date is shown as a number instead of throwing. */
function isoTime(milliseconds: number): string {
  const date = new Date(milliseconds);
  return Number.isNaN(date.getTime()) ? String(milliseconds) : date.toISOString();
}

const isBelow = (name: string, claim: string): boolean => claim === '.' || name === claim || name.endsWith(`.${claim}`);

/** The policy of a service, for people. */
function policyText(policy: ServicePolicy): string {
  return [
    `unknown is ${policy.unknown === 'answer' ? 'answered' : 'excluded'}`,
    `if none may be answered: ${policy.whenAllUnhealthy}`,
    ...(policy.maxAnswers === 0 ? [] : [`at most ${policy.maxAnswers} answers`]),
    ...(policy.routing === 'weighted' ? ['one answer, by weight'] : []),
    ...(policy.publishNotReady ? ['published regardless of health'] : []),
    ...describePolicies(policy),
  ].join('; ');
}
