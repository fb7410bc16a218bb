import type { MissingSource } from '../sources/status.ts';
import { type Endpoint, json, text, wantsText } from './endpoint.ts';

/** GET /ready: 200 once every source has synced and for ever after, 503 with what is missing before. */
export const readyEndpoint = (isStopping: () => boolean, missing: () => readonly MissingSource[]): Endpoint => ({
  path: '/ready',
  methods: ['GET'],
  handle(request) {
    if (isStopping()) return text(503, 'stopping');
    const waiting = missing();
    const status = waiting.length === 0 ? 200 : 503;
    if (
      request.query.get('format') === 'json' ||
      (String(request.headers.accept).includes('json') && !wantsText(request))
    ) {
      return json(status, { ready: waiting.length === 0, missing: waiting });
    }
    return text(status, waiting.length === 0 ? 'OK' : ['not ready', ...waiting.map(describe)].join('\n'));
  },
});

const describe = ({ source, zones, detail }: MissingSource) =>
  `${source} (${zones.join(', ')}): ${detail === '' ? 'not synced yet' : detail}`;
