// What list-and-watch does after a round ended or failed: how long to wait, whether to list anew, and what to tell the
// operator (once each time things change, not each try).
import type { Logger } from '../../../log.ts';
import type { KindReport } from '../../status.ts';
import { ApiError, SilentConnection } from './api-server.ts';
import { backoffMs } from './backoff.ts';
import { BrokenStream } from './event-stream.ts';
import type { KnownObjects } from './known-objects.ts';
import type { ListAndWatchContext } from './list-and-watch.ts';
import type { WatchTimings } from './timings.ts';
import { missingRule, type WatchedKind } from './watched-kind.ts';

/** A complete list lost most of what was known, or is older than it; it counts when a second list says the same. */
export class UnconfirmedList extends Error {
  override readonly name = 'UnconfirmedList';
}

export interface Recovery {
  begin(): Round;
  /** Whether the next list may be streamed. */
  mayStream(): boolean;
  contact(): void;
  listed(): void;
}

/** One list or watch. */
export interface Round {
  ended(): void;
  failed(error: unknown): 'relist' | 'resume';
  delayMs(): number;
}

interface RecoveryContext {
  readonly kind: WatchedKind;
  readonly known: KnownObjects;
  readonly report: KindReport;
  readonly log: Logger;
  readonly timings: WatchTimings;
  readonly context: ListAndWatchContext;
}

export function createRecovery({ kind, known, report, log, timings, context }: RecoveryContext): Recovery {
  const { clock, random, server } = context;
  let heardMs = clock.monotonicMs();
  let failures = 0;
  let streaming = true;
  /** The next list comes in pages: it confirms one that was not believed, or the streamed one failed. */
  let inPages = false;
  /** What the operator was told last. */
  let told = '';
  let reached = false;
  let expiredLast = false;
  let brokenLast = false;
  let refusedSinceMs: number | undefined;

  function tell(level: 'info' | 'warn' | 'error', message: string, fields: object = {}): void {
    if (told === message) return;
    told = message;
    log[level](message, fields);
  }

  function begin(): Round {
    const startedMs = clock.monotonicMs();
    let delay = 0;
    const settled = () => clock.monotonicMs() - startedMs >= timings.settledMs;

    return {
      ended() {
        // A server that ends every watch at once must not be asked a thousand times a second.
        failures = settled() ? 0 : failures + 1;
        expiredLast = false;
        brokenLast = false;
        delay = failures === 0 ? 0 : Math.min(timings.endedMaxMs, backoffMs(failures, timings.backoff, random));
      },
      failed(error) {
        const expired = error instanceof ApiError && error.status === 410;
        // The server is back and wants a new list: what was waited for has come.
        if (settled() || (expired && !expiredLast)) failures = 0;
        expiredLast = expired;
        failures++;
        delay = backoffMs(failures, timings.backoff, random);
        if (error instanceof UnconfirmedList) {
          report.count('unconfirmed');
          inPages = true;
          delay = timings.confirmMs * (0.5 + random());
          return 'relist';
        }
        inPages = !inPages;
        const isBroken = error instanceof BrokenStream;
        const isStillBroken = isBroken && brokenLast;
        brokenLast = isBroken;
        if (error instanceof ApiError) return refused(error);
        if (isBroken) report.count('malformed');
        report.count(error instanceof SilentConnection ? 'silent' : 'failures');
        lost((error as Error).message);
        // What is broken each time it is sent is gone around by a list. So is a history of which much has been missed:
        // of an etcd that was restored in the meantime it may be another one.
        const isLongAway = clock.monotonicMs() - heardMs > timings.longAwayMs;
        return isStillBroken || isLongAway ? 'relist' : 'resume';
      },
      delayMs: () => delay,
    };

    function refused(error: ApiError): 'relist' | 'resume' {
      delay = Math.max(delay, error.retryAfterMs);
      switch (error.status) {
        case 410:
          report.count('expired');
          return 'relist';
        case 400: // of a watch: a place in the history that it does not understand
        case 422:
          if (streaming) delay = 0;
          else lost(`HTTP ${error.status}: ${error.message}`);
          streaming = false; // the server has no streaming lists (KEP-3157)
          return 'relist';
        case 401:
          server.forgetCredentials();
          break;
        case 403:
          return forbidden(error.message);
        case 404:
          return absent(error.message);
      }
      report.count('failures');
      lost(`HTTP ${error.status}: ${error.message}`);
      return /too large resource version/i.test(error.message) ? 'relist' : 'resume';
    }

    function absent(message: string): 'relist' | 'resume' {
      if (context.optional === undefined) {
        report.count('failures');
        lost(`HTTP 404: ${message}`);
        return 'resume';
      }
      report.state('absent', message);
      delay = timings.absentMs * (0.5 + random());
      context.optional.absent();
      return 'relist';
    }
  }

  function lost(detail: string): void {
    report.state('disconnected', detail);
    tell(
      'warn',
      reached
        ? 'lost the API server, serving what was known and trying again'
        : 'no answer from the API server yet, trying again',
      { detail },
    );
  }

  function forbidden(detail: string): 'relist' | 'resume' {
    report.count('failures');
    report.state('forbidden', detail);
    refusedSinceMs ??= clock.monotonicMs();
    tell('error', 'the API server refuses this kind: add the missing RBAC rule to the role', {
      rule: missingRule(kind),
      detail,
    });
    // At its start an API server refuses everybody for a moment; what is refused for longer is refused on purpose.
    if (kind.essential || clock.monotonicMs() - refusedSinceMs < timings.refusedMs) return 'resume';
    report.waive();
    known.abandon();
    return 'relist';
  }

  return {
    begin,
    mayStream: () => streaming && !inPages,
    contact() {
      refusedSinceMs = undefined;
      heardMs = clock.monotonicMs();
      if (told !== '') tell('info', reached ? 'reached the API server again' : 'reached the API server');
      reached = true;
    },
    listed() {
      inPages = false;
    },
  };
}
