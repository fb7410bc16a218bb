// One small request every few seconds tells whether the API server can be reached at all. When it answers again after it did
// not, watches that the network swallowed meanwhile are opened again: TCP itself would take minutes to find that out.
import type { Clock } from '../../../clock.ts';
import { ApiError, type ApiServer } from '../api/api-server.ts';
import { waitFor } from './watchdog.ts';

/** Open to everybody by default, and exempt from the API server's own throttling. Any answer will do. */
const PATH = '/livez';

export interface HeartbeatTimings {
  readonly everyMs: number;
  /** No answer within this time counts as none. */
  readonly patienceMs: number;
}

/** Calls `isBack` at each first answer after a request without one, until `stop` aborts. Never rejects. */
export async function watchHeartbeat(
  server: Pick<ApiServer, 'get'>,
  { everyMs, patienceMs }: HeartbeatTimings,
  clock: Clock,
  stop: AbortSignal,
  isBack: () => void,
): Promise<void> {
  let wasAway = false;
  while (!stop.aborted) {
    await waitFor(everyMs, clock, stop);
    if (stop.aborted) return;
    const isAway = !(await answers(server, patienceMs, clock, stop));
    if (wasAway && !isAway) isBack();
    wasAway = isAway;
  }
}

async function answers(
  server: Pick<ApiServer, 'get'>,
  patienceMs: number,
  clock: Clock,
  stop: AbortSignal,
): Promise<boolean> {
  const giveUp = new AbortController();
  const timer = clock.setTimeout(() => giveUp.abort(), patienceMs);
  try {
    const response = await server.get(PATH, AbortSignal.any([stop, giveUp.signal]));
    response.resume();
    return true;
  } catch (error) {
    return error instanceof ApiError;
  } finally {
    timer.cancel();
  }
}
