// A small request every few seconds shows whether the API server is reachable. When it responds again after a failure, watches
// that the network has swallowed are reopened: TCP itself would take minutes to notice.
import type { Clock } from '../../../clock.ts';
import { ApiError, type ApiServer } from '../api/api-server.ts';
import { waitFor } from './watchdog.ts';

/** Accessible to everyone by default, and exempt from the API server's throttling. Any response counts. */
const PATH = '/livez';

export interface HeartbeatTimings {
  readonly everyMs: number;
  /** A later response counts as none. */
  readonly patienceMs: number;
}

/** Calls `isBack` at the first response after a failure, until `stop` aborts. Never rejects. */
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
