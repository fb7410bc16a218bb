// Server-sent events: updates open pages. Bounded: in number, in time, and in unread bytes. Each
// event is the whole state, so a slow reader misses some, and one that does not read at all is disconnected.
import type { Clock } from '../../clock.ts';
import type { Metrics } from '../../metrics.ts';
import { type HttpResponse, type OutgoingStream, text } from '../endpoint.ts';

export interface Streams {
  /** The response to a browser that asks for events. */
  open(): HttpResponse;
  /** Browsers reconnect, and are authorized again. */
  closeAll(): void;
}

export interface StreamSettings {
  /** The current state as an event, by its type; the same text as before: nothing has changed. */
  readonly events: readonly { readonly type: string; readonly data: () => string }[];
  readonly clock: Pick<Clock, 'monotonicMs' | 'setTimeout'>;
  readonly metrics: Pick<Metrics, 'counter' | 'gauge'>;
}

export const MAX_STREAMS = 32;
const TICK_MS = 2_000;
/** Proxies and browsers close what is silent for longer. */
const SILENCE_MS = 15_000;
/** Without reading anything of what waits. */
const UNREAD_MS = 20_000;
/** Then a browser must reconnect: access rules may have changed. */
const LIFE_MS = 600_000;
/** How long browsers wait before they ask again. */
const RETRY_MS = 3_000;

interface Stream {
  readonly out: OutgoingStream;
  readonly sinceMs: number;
  /** What was last sent of each event. */
  sent: readonly string[];
  sentMs: number;
  /** Nothing was left unread then. */
  readMs: number;
}

export function createStreams({ events, clock, metrics }: StreamSettings): Streams {
  const streams = new Set<Stream>();
  const count = metrics.counter('healthdns_page_streams_total');
  const open = metrics.gauge('healthdns_page_streams');
  open.set(0);
  let isTicking = false;

  function tickSoon(): void {
    if (isTicking) return;
    isTicking = true;
    clock.setTimeout(() => {
      isTicking = false;
      const now = events.map(({ data }) => data());
      for (const stream of streams) tell(stream, now);
      if (streams.size > 0) tickSoon();
    }, TICK_MS);
  }

  function tell(stream: Stream, now: readonly string[]): void {
    const { out, sinceMs } = stream;
    const nowMs = clock.monotonicMs();
    if (out.unreadBytes() === 0) stream.readMs = nowMs;
    else if (nowMs - stream.readMs >= UNREAD_MS) {
      count.inc(1, 'slow');
      out.abort();
    }
    if (stream.readMs !== nowMs) return;
    if (nowMs - sinceMs >= LIFE_MS) out.end();
    else send(stream, now, nowMs);
  }

  function send(stream: Stream, now: readonly string[], nowMs: number): void {
    const { out, sent } = stream;
    const changed = events
      .map(({ type }, index) => (sent[index] === now[index] ? '' : `event: ${type}\ndata: ${now[index]}\n\n`))
      .join('');
    const message = changed === '' && nowMs - stream.sentMs >= SILENCE_MS ? ':\n\n' : changed;
    if (message === '') return;
    stream.sentMs = nowMs;
    stream.sent = now;
    out.send(message);
  }

  function start(out: OutgoingStream): void {
    const nowMs = clock.monotonicMs();
    const stream: Stream = { out, sinceMs: nowMs, sent: [], sentMs: nowMs, readMs: nowMs };
    streams.add(stream);
    open.set(streams.size);
    out.onClose(() => {
      streams.delete(stream);
      open.set(streams.size);
    });
    out.send(`retry: ${RETRY_MS}\n\n`);
    send(
      stream,
      events.map(({ data }) => data()),
      nowMs,
    );
    tickSoon();
  }

  return {
    open() {
      if (streams.size >= MAX_STREAMS) {
        count.inc(1, 'refused');
        const headers = { 'retry-after': '30' };
        return { ...text(503, `${MAX_STREAMS} pages are live already; this one reloads`), headers };
      }
      count.inc(1, 'opened');
      return { status: 200, type: 'text/event-stream', body: '', stream: start };
    },
    closeAll() {
      for (const { out } of streams) out.end();
    },
  };
}
