// One watch request: its events as they come, and a watchdog for a connection that shows no sign of life.
import type { Clock, Timer } from '../../clock.ts';
import { ApiError, type ApiServer, SilentConnection } from './api-server.ts';
import { createJsonLines } from './json-lines.ts';

export interface Watchdog {
  /** Gives the connection up as dead unless called again within this time. */
  allow(milliseconds: number): void;
  /** Ends the stream, as the server would have, after this time. */
  leaveAfter(milliseconds: number): void;
}

export interface EventStream {
  readonly path: string;
  /** An event's type ("ADDED", …) and object. What it throws ends the stream. */
  readonly event: (type: string, object: unknown, watchdog: Watchdog) => void;
  /** Bytes came. */
  readonly contact: (watchdog: Watchdog) => void;
  readonly malformed: (reason: string) => void;
  /** See json-lines.ts. */
  readonly trim?: (line: Buffer) => Buffer;
  /** How long until the first call of `allow` must come. */
  readonly allowMs: number;
}

/** Resolves when the server ends the stream; rejects with ApiError, SilentConnection, or the system's error. */
export async function readEvents(
  server: ApiServer,
  clock: Clock,
  stop: AbortSignal,
  stream: EventStream,
): Promise<void> {
  const giveUp = new AbortController();
  let timer: Timer | undefined;
  let gaveUp: 'silent' | 'left' | undefined;
  const giveUpAfter = (milliseconds: number, why: 'silent' | 'left') => {
    timer?.cancel();
    timer = clock.setTimeout(() => {
      gaveUp = why;
      giveUp.abort();
    }, milliseconds);
  };
  const watchdog: Watchdog = {
    allow: (milliseconds) => giveUpAfter(milliseconds, 'silent'),
    leaveAfter: (milliseconds) => giveUpAfter(milliseconds, 'left'),
  };
  watchdog.allow(stream.allowMs);
  try {
    const response = await server.get(stream.path, AbortSignal.any([stop, giveUp.signal]));
    stream.contact(watchdog);
    const lines = createJsonLines({
      value: (value) => dispatch(value, stream, watchdog),
      trim: stream.trim,
      malformed: stream.malformed,
    });
    for await (const chunk of response as AsyncIterable<Buffer>) {
      stream.contact(watchdog);
      lines.push(chunk);
    }
  } catch (error) {
    if (gaveUp === 'left') return;
    if (gaveUp === 'silent') throw new SilentConnection('the connection showed no sign of life and was given up');
    throw error;
  } finally {
    timer?.cancel();
    giveUp.abort();
  }
}

function dispatch(value: unknown, stream: EventStream, watchdog: Watchdog): void {
  const { type, object } = (value ?? {}) as { type?: unknown; object?: unknown };
  if (type === 'ERROR') throw errorOf(object);
  if (typeof type === 'string') stream.event(type, object, watchdog);
  else stream.malformed('a line that is not a watch event');
}

function errorOf(object: unknown): ApiError {
  const { code, message } = (object ?? {}) as { code?: unknown; message?: unknown };
  return new ApiError(typeof code === 'number' ? code : 500, typeof message === 'string' ? message : 'watch failed');
}
