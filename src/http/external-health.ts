// POST /external-health: an external health source pushes the health of an instance.
import type { ExternalReports, ReportProblem } from '../health/checks/external-reports.ts';
import { RegistryLimitError } from '../registry/limits.ts';
import type { Status } from '../registry/model.ts';
import type { Registry } from '../registry/registry.ts';
import { type Endpoint, type HttpResponse, text } from './endpoint.ts';
import { refusalOfWrite } from './writes.ts';

export interface ExternalHealthOptions {
  readonly registry: Pick<Registry, 'services'>;
  readonly reports: Pick<ExternalReports, 'report'>;
  /** False where writes must be signed: a client that must sign elsewhere may not push unsigned here. */
  readonly writes: boolean;
  /** Makes verdicts take effect; resolves when DNS reflects them. Awaited before a push is acknowledged. */
  readonly inForce: () => Promise<void>;
}

interface Push {
  readonly zone: string;
  readonly namespace: string;
  readonly service: string;
  readonly instance: string;
  readonly source: string;
  readonly status: Status;
  readonly reason: string;
}

const PROBLEMS: Readonly<Record<ReportProblem, string>> = {
  'unknown-service': 'no such service',
  'unknown-source': 'the externalHealth of the service has no such source',
  'unknown-instance': 'the service has no such instance',
};

/** The body is JSON: {"zone", "namespace"?, "service", "instance", "source", "status", "reason"?}. 204 once DNS reflects it. */
export function externalHealthEndpoint({ registry, reports, writes, inForce }: ExternalHealthOptions): Endpoint {
  async function push({
    zone,
    namespace,
    service: name,
    instance,
    source,
    status,
    reason,
  }: Push): Promise<HttpResponse> {
    for (const { key, service } of registry.services()) {
      if (service?.name !== name || service.namespace !== namespace || service.zone !== zone) continue;
      const problem = reports.report(key, instance, source, { status, reason });
      if (problem !== undefined) return text(404, PROBLEMS[problem]);
      // The verdict counts even if publishing names fails; the next flush retries that.
      await inForce().catch(() => {});
      return { status: 204, type: 'text/plain', body: '' };
    }
    return text(404, PROBLEMS['unknown-service']);
  }

  return {
    path: '/external-health',
    methods: ['POST'],
    async handle(request) {
      const { body, headers } = request;
      if (!writes)
        return text(403, 'pushing is disabled: cloudMap.writes requires signatures, which pushes do not support');
      const refusal = refusalOfWrite(request, 'loopback');
      if (refusal !== undefined) return text(403, refusal);
      // A web page cannot send this type to another origin without asking first.
      if (!String(headers['content-type'] ?? '').startsWith('application/json')) {
        return text(415, 'expected Content-Type: application/json');
      }
      const parsed = parse(body.toString('utf8'));
      if (typeof parsed === 'string') return text(400, parsed);
      try {
        return await push(parsed);
      } catch (error) {
        if (!(error instanceof RegistryLimitError)) throw error;
        return text(507, error.message);
      }
    },
  };
}

/** The pushed status, or the problem with it. */
function parse(body: string): Push | string {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch (error) {
    return `not JSON: ${(error as Error).message}`;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'expected a JSON object';
  const given: Record<string, unknown> = { namespace: 'default', reason: 'pushed', ...value };
  for (const key of ['zone', 'namespace', 'service', 'instance', 'source', 'status', 'reason']) {
    if (typeof given[key] !== 'string') return `${key}: expected a string`;
  }
  const { zone, namespace, service, instance, source, status, reason } = given as Record<string, string>;
  if (status !== 'HEALTHY' && status !== 'UNHEALTHY' && status !== 'UNKNOWN') {
    return `status: expected HEALTHY, UNHEALTHY or UNKNOWN, got ${JSON.stringify(status.slice(0, 40))}`;
  }
  const absolute = zone.endsWith('.') ? zone : `${zone}.`;
  return { zone: absolute.toLowerCase(), namespace, service, instance, source, status, reason };
}
