import { type Endpoint, text } from './endpoint.ts';

/** GET /health: 200 while the process serves, 503 from the moment it is told to stop, so that clients move away. */
export const healthEndpoint = (isStopping: () => boolean): Endpoint => ({
  path: '/health',
  methods: ['GET'],
  handle: () => (isStopping() ? text(503, 'stopping') : text(200, 'OK')),
});
