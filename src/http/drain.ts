// Orders of operators: an instance is excluded from answers (drained), or included regardless of its health, for a while or until
// the order is withdrawn.
import { canonicalIp } from '../dns/ip.ts';
import { NameError } from '../dns/name.ts';
import { MAX_REASON, type OperatorOrder } from '../health/operator-order.ts';
import type { Logger } from '../log.ts';
import { nearest } from '../reading/suggest.ts';
import type { InstanceState } from '../registry/model.ts';
import type { Registry } from '../registry/registry.ts';
import type { NameExplanation } from '../zone/explain/explain.ts';
import { type Endpoint, type HttpRequest, type HttpResponse, json, text } from './endpoint.ts';
import { type AskedContext, longerNames } from './explain-asked.ts';
import { refusalOfWrite } from './writes.ts';

/** Where an order is stored. In memory it is lost at the next restart; in a file or in memory, other replicas do not see it. */
export type KeptIn = 'pod' | 'cloud-map' | 'file' | 'memory';

export interface Operators {
  /** undefined withdraws the order. Rejects with the reason if it cannot be stored. */
  order(instance: InstanceState, order: OperatorOrder | undefined): Promise<KeptIn>;
  /** An order concerns all instances with the same subject. */
  subjectOf(instance: InstanceState): string;
}

export interface DrainOptions {
  readonly operators: Operators;
  readonly explain: (name: string) => Pick<NameExplanation, 'name' | 'owners'>;
  /** The zones served, by which short names are completed. */
  readonly zones: AskedContext['zones'];
  readonly registry: Pick<Registry, 'service' | 'services' | 'instancesOf'>;
  /** Makes verdicts take effect; resolves when DNS reflects them. */
  readonly inForce: () => Promise<void>;
  readonly now: () => number;
  readonly log: Logger;
}

/** The response to POST /operator. */
export interface Ordered {
  readonly keptIn: KeptIn;
  /** ISO 8601. */
  readonly until?: string;
  readonly instances: readonly {
    readonly service: string;
    readonly id: string;
    readonly addresses: readonly string[];
    readonly answered: boolean;
    readonly reason: string;
  }[];
  /** Why the answers may differ from what the operator expects. */
  readonly remarks: readonly string[];
}

interface Order {
  readonly name: string;
  readonly instance: string;
  /** null: withdraw the order. */
  readonly status: 'HEALTHY' | 'UNHEALTHY' | null;
  readonly seconds?: number;
  readonly reason: string;
}

/** A year: an order for longer has no end. */
const MAX_SECONDS = 366 * 86_400;
const MAX_NAMED = 20;

/**
 * POST /operator with JSON {"name", "instance", "status": "HEALTHY" | "UNHEALTHY" | null, "seconds"?, "reason"}: 200 once DNS
 * reflects it. GET /operator lists the instances with orders.
 */
export function drainEndpoints(options: DrainOptions): Endpoint[] {
  const list: Endpoint = { path: '/operator', methods: ['GET'], handle: () => json(200, ordersInForce(options)) };
  const post: Endpoint = {
    path: '/operator',
    methods: ['POST'],
    async handle(request) {
      const refusal = refusalOfWrite(request, 'loopback');
      if (refusal !== undefined) return text(403, refusal);
      // A web page cannot send this type to another origin without asking first.
      if (!String(request.headers['content-type'] ?? '').startsWith('application/json'))
        return text(415, 'expected Content-Type: application/json');
      const order = parse(request.body.toString('utf8'));
      return typeof order === 'string' ? text(400, order) : carryOut(order, request, options);
    },
  };
  return [list, post];
}

async function carryOut(order: Order, { isAuthenticated }: HttpRequest, options: DrainOptions): Promise<HttpResponse> {
  const { operators, inForce, now, log } = options;
  const found = find(order, options);
  if (typeof found === 'string') return text(404, found);
  const { status, seconds, reason } = order;
  const sinceMs = now();
  const stated: OperatorOrder | undefined =
    status === null ? undefined : { status, reason, sinceMs, untilMs: seconds && sinceMs + seconds * 1000 };
  const said = {
    order: status === null ? 'withdrawn' : status,
    ...{ name: order.name, instance: order.instance, reason, seconds, authenticated: isAuthenticated === true },
  };
  const hadOrder = [...found.values()].some((state) => state.facts().some(({ source }) => source === 'operator'));
  let keptIn: KeptIn = 'memory';
  try {
    for (const instance of found.values()) keptIn = await operators.order(instance, stated);
  } catch (error) {
    log.warn('operator order refused', { ...said, problem: (error as Error).message });
    return text(502, (error as Error).message);
  }
  await inForce().catch(() => {});
  log.warn('operator order', { ...said, subjects: [...found.keys()].slice(0, MAX_NAMED), keptIn });
  const described = describe(found, stated, keptIn, options);
  if (status !== null || hadOrder) return json(200, described);
  return json(200, { ...described, remarks: ['there was no order to withdraw'] });
}

/** The instances by their subjects, or why there are none. */
function find({ name, instance: wanted }: Order, { explain, zones, registry, operators }: DrainOptions) {
  const found = new Map<string, InstanceState>();
  let known: readonly InstanceState[] = [];
  for (const asked of [name, ...longerNames(name, zones())]) {
    try {
      known = explain(asked).owners.flatMap(({ owner }) => [...(registry.service(owner)?.instances.values() ?? [])]);
    } catch (error) {
      if (!(error instanceof NameError)) throw error;
      if (asked === name) return error.message;
    }
    if (known.length > 0) break;
  }
  const address = canonicalIp(wanted);
  for (const state of known) {
    const { id, hostname } = state.instance;
    const isMeant =
      id === wanted || hostname === wanted || (address !== undefined && state.addresses.includes(address));
    if (isMeant) found.set(operators.subjectOf(state), state);
  }
  if (found.size > 0) return found;
  if (known.length === 0) return `${name} has no instances: expected the name of a service (healthdns explain ${name})`;
  const ids = [...new Set(known.map(({ instance }) => instance.id))];
  const meant = nearest(wanted, ids.slice(0, 1_000));
  const some = ids.length > MAX_NAMED ? `, … (${ids.length} in all)` : '';
  const hint = meant === undefined ? '.' : `: did you mean ${meant}?`;
  return `${name} has no instance ${JSON.stringify(wanted)}${hint} It has ${ids.slice(0, MAX_NAMED).join(', ')}${some}`;
}

function describe(
  found: ReadonlyMap<string, InstanceState>,
  order: OperatorOrder | undefined,
  keptIn: KeptIn,
  { registry }: DrainOptions,
): Ordered {
  const concerned = [...found].flatMap(([subject, state]) => {
    const all = [...registry.instancesOf(subject)];
    return all.length === 0 ? [state] : all;
  });
  const hasClusterIp = concerned.some(({ service }) => service.service?.kind === 'clusterIp');
  return {
    keptIn,
    ...(order?.untilMs !== undefined && { until: new Date(order.untilMs).toISOString() }),
    instances: concerned.slice(0, 1_000).map(overviewOf),
    remarks: [
      ...(order !== undefined && keptIn === 'memory'
        ? ['stored in memory: it is lost at a restart unless `operatorFile` is set']
        : []),
      ...(order !== undefined && (keptIn === 'file' || keptIn === 'memory') ? ['other replicas do not see it'] : []),
      ...(hasClusterIp ? ['a service with a cluster IP is answered with it: its clients still reach the pod'] : []),
    ],
  };
}

const overviewOf = ({ service, instance, verdict }: InstanceState): Ordered['instances'][number] => ({
  service: service.key,
  id: instance.id,
  addresses: instance.addresses,
  answered: verdict.answered,
  reason: verdict.reason,
});

/** At most 1,000 instances, for people. */
function ordersInForce({ registry }: DrainOptions): Ordered['instances'] {
  const orders: Ordered['instances'][number][] = [];
  for (const { instances } of registry.services()) {
    for (const state of instances.values())
      if (state.verdict.rule === 'operator' && orders.length < 1_000) orders.push(overviewOf(state));
  }
  return orders;
}

/** The order, or the problem with it. */
function parse(body: string): Order | string {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch (error) {
    return `not JSON: ${(error as Error).message}`;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'expected a JSON object';
  const { name, instance, status, seconds, reason = '' } = value as Readonly<Record<string, unknown>>;
  if (typeof name !== 'string' || name === '') return 'name: expected a name such as web.shop.svc.cluster.local';
  if (typeof instance !== 'string' || instance === '') return 'instance: expected the id or an address of an instance';
  if (status !== 'HEALTHY' && status !== 'UNHEALTHY' && status !== null)
    return 'status: expected HEALTHY, UNHEALTHY or null';
  if (seconds !== undefined && !(typeof seconds === 'number' && seconds > 0 && seconds <= MAX_SECONDS))
    return `seconds: expected more than 0, at most ${MAX_SECONDS}`;
  const line = typeof reason === 'string' ? reason.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, ' ').trim() : '';
  if (status !== null && (line === '' || line.length > MAX_REASON))
    return `reason: expected a text of at most ${MAX_REASON} characters`;
  return { name, instance, status, reason: line, ...(typeof seconds === 'number' && { seconds }) };
}
