// The query log of a running server: GET /query-log shows what is in force, POST /query-log switches it on and off.
import { buildQueryLog, type QueryLogRequest, readQueryLogRequest } from '../config/sections/query-log.ts';
import type { Logger } from '../log.ts';
import type { QueryLogInstead } from '../plane/forward-settings.ts';
import { type Endpoint, json, text } from './endpoint.ts';
import { refusalOfWrite } from './writes.ts';

export interface QueryLogControl {
  /** What was switched on or off, and until when; undefined: as configured. */
  current(): { readonly instead: QueryLogInstead; readonly untilMs: number | undefined };
  set(instead: QueryLogInstead, seconds: number | undefined): void;
}

/** For longer, there is the configuration. */
const MAX_SECONDS = 86_400;
const DEFAULT_SECONDS = 600;

/**
 * POST with JSON {"queryLog", "seconds"?}: `queryLog` is true, false or a mapping as in zones.yaml; null: as configured. What is
 * switched on ends by itself, after ten minutes unless `seconds` is given.
 */
export function queryLogEndpoints(control: QueryLogControl, log: Logger): Endpoint[] {
  const show = () => {
    const { instead, untilMs } = control.current();
    const state = instead === undefined ? 'as configured' : instead === 'off' ? 'off' : 'on';
    return json(200, {
      state,
      ...(untilMs !== undefined && { until: new Date(untilMs).toISOString() }),
      ...(typeof instead === 'object' && { settings: instead }),
    });
  };
  return [
    { path: '/query-log', methods: ['GET'], handle: show },
    {
      path: '/query-log',
      methods: ['POST'],
      handle(request) {
        const refusal = refusalOfWrite(request, 'loopback');
        if (refusal !== undefined) return text(403, refusal);
        // A web page cannot send this type to another origin without asking first.
        if (!String(request.headers['content-type'] ?? '').startsWith('application/json'))
          return text(415, 'expected Content-Type: application/json');
        const asked = parse(request.body.toString('utf8'));
        if (typeof asked === 'string') return text(400, asked);
        const { queryLog, seconds } = asked;
        const instead = queryLog === null ? undefined : (buildQueryLog(queryLog) ?? 'off');
        control.set(instead, typeof instead === 'object' ? (seconds ?? DEFAULT_SECONDS) : undefined);
        log.warn('query log switched', { queryLog, seconds, authenticated: request.isAuthenticated === true });
        return show();
      },
    },
  ];
}

/** The request, or the problem with it. */
function parse(body: string): QueryLogRequest | string {
  try {
    return readQueryLogRequest(JSON.parse(body), MAX_SECONDS);
  } catch (error) {
    return `not JSON: ${(error as Error).message}`;
  }
}
