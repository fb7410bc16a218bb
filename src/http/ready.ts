import type { MissingSource, StatusBoard } from '../sources/status.ts';
import { type Endpoint, json, text, wantsText } from './endpoint.ts';

/**
 * GET /ready: 503 with what is missing until every source has synced, then 200. Sources that a reload adds later are
 * named while they are missing, and leave it at 200.
 */
export const readyEndpoint = (
  isStopping: () => boolean,
  { isReady, missing }: Pick<StatusBoard, 'isReady' | 'missing'>,
): Endpoint => ({
  path: '/ready',
  methods: ['GET'],
  handle(request) {
    if (isStopping()) return text(503, 'stopping');
    const waiting = missing();
    const ready = isReady();
    const status = ready ? 200 : 503;
    if (
      request.query.get('format') === 'json' ||
      (String(request.headers.accept).includes('json') && !wantsText(request))
    ) {
      return json(status, { ready, missing: waiting });
    }
    return text(status, [ready ? 'OK' : 'not ready', ...waiting.map(describe)].join('\n'));
  },
});

const describe = ({ source, zones, detail }: MissingSource) =>
  `${source} (${zones.join(', ')}): ${detail === '' ? 'not synced yet' : detail}`;
