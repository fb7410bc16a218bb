// The endpoints open to everyone: probes and metrics.
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { Clock } from '../clock.ts';
import { type ConfigStatus, describeConfig } from '../config/in-force.ts';
import type { MetricFormat, Metrics } from '../metrics.ts';
import type { DegradedSource, MissingSource, StatusBoard, UnpublishedSource } from '../sources/status.ts';
import { type Endpoint, formatFor, json, onceASecond, text } from './endpoint.ts';

/**
 * GET /health: 200 while the process serves; 503 during shutdown, so that clients move away, and if a data thread does not
 * respond although it was replaced.
 */
export const healthEndpoint = (isStopping: () => boolean, isStuck: () => boolean): Endpoint => ({
  path: '/health',
  methods: ['GET'],
  handle() {
    if (isStopping()) return text(503, 'stopping');
    return isStuck() ? text(503, 'a data thread does not respond') : text(200, 'OK');
  },
});

/**
 * GET /ready: 503 with the missing sources until every data thread has the first data of every source, then 200. Sources
 * added by a reload, and kinds that a source is served without, are listed, but do not change the status. The body also contains which configuration is
 * in force.
 */
export const readyEndpoint = (
  isStopping: () => boolean,
  { isReady, missing, unpublished, degraded }: Pick<StatusBoard, 'isReady' | 'missing' | 'unpublished' | 'degraded'>,
  configuration: () => ConfigStatus,
): Endpoint => ({
  path: '/ready',
  methods: ['GET'],
  handle(request) {
    if (isStopping()) return text(503, 'stopping');
    const waiting = [...missing(), ...unpublished().map(beingPublished)];
    const ready = isReady();
    const status = ready ? 200 : 503;
    const wantsJson = String(request.headers.accept).includes('json') && formatFor(request) === 'json';
    if (wantsJson || request.query.get('format') === 'json')
      return json(status, { ready, missing: waiting, degraded: degraded(), configuration: configuration() });
    const lines = [
      ready ? 'OK' : 'not ready',
      ...waiting.map(describe),
      ...degraded().map(describeDegraded),
      ...describeConfig(configuration()),
    ];
    return text(status, lines.join('\n'));
  },
});

const beingPublished = ({ name, zones }: UnpublishedSource): MissingSource => ({
  source: name,
  zones,
  detail: 'its names are being sent to the data threads',
});

const describe = ({ source, zones, detail }: MissingSource) =>
  `${source} (${zones.join(', ')}): ${detail === '' ? 'not synced yet' : detail}`;

export const describeDegraded = ({ source, kind, detail }: DegradedSource) =>
  `${source} is degraded: served without ${kind}, which the API server denies (${detail})`;

const METRIC_TYPES: Readonly<Record<MetricFormat, string>> = {
  text: 'text/plain; version=0.0.4; charset=utf-8',
  openmetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
};

/** GET /metrics: the Prometheus text format or, where it is preferred, OpenMetrics; compressed where that is accepted. */
export function metricsEndpoint(metrics: Metrics, clock: Clock): Endpoint {
  const compress = promisify(gzip);
  const rendered = (format: MetricFormat) => {
    const plain = onceASecond(clock, () => metrics.render(format));
    const compressed = onceASecond(clock, () => compress(plain(), { level: 1 }));
    return { plain, compressed };
  };
  const formats = { text: rendered('text'), openmetrics: rendered('openmetrics') };
  return {
    path: '/metrics',
    methods: ['GET'],
    async handle({ headers }) {
      const accepts = qualities(headers.accept);
      const asked = accepts.get('application/openmetrics-text') ?? 0;
      const format = asked > 0 && asked >= (accepts.get('text/plain') ?? 0) ? 'openmetrics' : 'text';
      const { plain, compressed } = formats[format];
      const zips = (qualities(headers['accept-encoding']).get('gzip') ?? 0) > 0;
      const body = zips ? await compressed() : plain();
      const vary = 'accept, accept-encoding';
      const more: Record<string, string> = zips ? { vary, 'content-encoding': 'gzip' } : { vary };
      return { status: 200, type: METRIC_TYPES[format], body, headers: more };
    },
  };
}

/** "a/b;q=0.5, c/d" → the quality of each (RFC 9110 section 12.4.2). Of a header of at most 8 KiB. */
function qualities(header: string | string[] | undefined): ReadonlyMap<string, number> {
  const all = new Map<string, number>();
  for (const item of String(header ?? '').split(',')) {
    const [name, ...parameters] = item.split(';').map((part) => part.trim().toLowerCase());
    const quality = parameters.find((parameter) => parameter.startsWith('q='));
    const value = quality === undefined ? 1 : Number(quality.slice(2));
    all.set(name, Math.max(all.get(name) ?? 0, Number.isNaN(value) ? 0 : value));
  }
  return all;
}
