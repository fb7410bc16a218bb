// One watch request: its events as they come.
import type { Clock } from '../../clock.ts';
import { ApiError, type ApiServer } from './api-server.ts';
import { createJsonLines } from './json-lines.ts';
import { type Watchdog, withWatchdog } from './watchdog.ts';

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

/** A line that is not JSON: what it was to say is not known, so the stream cannot be followed any further. */
export class BrokenStream extends Error {
  override readonly name = 'BrokenStream';
}

/** Resolves when the server ends the stream; rejects with ApiError, SilentConnection, BrokenStream or the system's error. */
export async function readEvents(
  server: ApiServer,
  clock: Clock,
  stop: AbortSignal,
  stream: EventStream,
): Promise<void> {
  await withWatchdog(clock, stop, async (signal, watchdog) => {
    watchdog.allow(stream.allowMs);
    const response = await server.get(stream.path, signal);
    stream.contact(watchdog);
    const lines = createJsonLines({
      value: (value) => dispatch(value, stream, watchdog),
      trim: stream.trim,
      tooLong: stream.malformed,
      broken(reason) {
        throw new BrokenStream(reason);
      },
    });
    for await (const chunk of response as AsyncIterable<Buffer>) {
      stream.contact(watchdog);
      lines.push(chunk);
    }
  });
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
