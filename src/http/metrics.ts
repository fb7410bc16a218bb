import type { Metrics } from '../metrics.ts';
import type { Endpoint } from './endpoint.ts';

/** GET /metrics: the Prometheus text format. */
export const metricsEndpoint = (metrics: Metrics): Endpoint => ({
  path: '/metrics',
  methods: ['GET'],
  handle: () => ({ status: 200, type: 'text/plain; version=0.0.4; charset=utf-8', body: metrics.render() }),
});
