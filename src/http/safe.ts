// The endpoints that everyone may reach: probes and metrics.
import type { Clock } from '../clock.ts';
import { type ConfigStatus, describeConfig } from '../config/in-force.ts';
import type { Metrics } from '../metrics.ts';
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
 * added by a reload, and kinds that a source is served without, are listed, but do not change the status. The body also tells which configuration is
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

/** GET /metrics: the Prometheus text format. */
export function metricsEndpoint(metrics: Metrics, clock: Clock): Endpoint {
  const body = onceASecond(clock, metrics.render);
  return {
    path: '/metrics',
    methods: ['GET'],
    handle: () => ({ status: 200, type: 'text/plain; version=0.0.4; charset=utf-8', body: body() }),
  };
}
