// One watch request: its events as they arrive, in protobuf or JSON.
import type { IncomingMessage } from 'node:http';
import type { Clock, Timer } from '../../../clock.ts';
import { BrokenMessage, type Schema } from '../../../reading/protobuf.ts';
import { ApiError, type ApiServer } from '../api/api-server.ts';
import { createFrames, isProtobuf, PROTOBUF, readWatchEvent } from '../protobuf/envelope.ts';
import { createJsonLines } from './json-lines.ts';
import { type Watchdog, withWatchdog } from './watchdog.ts';

export interface EventStream extends Encoding {
  readonly path: string;
  /** An event's type ("ADDED", …) and object. Its exceptions end the stream. */
  readonly event: (type: string, object: unknown, watchdog: Watchdog) => void;
  /** Bytes arrived. */
  readonly contact: (watchdog: Watchdog) => void;
  readonly malformed: (reason: string) => void;
  /** Time until the first call of `allow`. */
  readonly allowMs: number;
  /** Time without headers after which the request is sent again beside the first. */
  readonly againMs: number;
}

/** The encodings of a kind's objects. */
export interface Encoding {
  /** Protobuf, if the server supports it; undefined: JSON. */
  readonly protobuf?: Schema;
}

/** A malformed event: its content is unknown, so the stream cannot be followed any further. */
export class BrokenStream extends Error {
  override readonly name = 'BrokenStream';
}

/** The accepted media types; a server without the first uses the second. */
export const acceptOf = ({ protobuf }: Encoding): string | undefined =>
  protobuf && `${PROTOBUF},application/json;q=0.9`;

/** Resolves when the server ends the stream; rejects with ApiError, SilentConnection, BrokenStream or the system's error. */
export async function readEvents(
  server: ApiServer,
  clock: Clock,
  stop: AbortSignal,
  stream: EventStream,
): Promise<void> {
  await withWatchdog(clock, stop, async (signal, watchdog) => {
    watchdog.allow(stream.allowMs);
    const ask = (each: AbortSignal) => server.get(stream.path, each, acceptOf(stream));
    const response = await askAgain(ask, stream.againMs, clock, signal);
    stream.contact(watchdog);
    const splits =
      stream.protobuf !== undefined && isProtobuf(response.headers['content-type'])
        ? protobufEvents(stream, stream.protobuf, watchdog)
        : jsonEvents(stream, watchdog);
    await readChunks(response, (chunk) => {
      stream.contact(watchdog);
      splits.push(chunk);
    });
  });
}

/** Maximum number of additional requests. */
const AGAIN = 4;

/**
 * The response whose headers arrive first, of a request and its copies: a server that stalled may respond to new requests
 * before the old ones. The first error ends all.
 */
export function askAgain(
  ask: (signal: AbortSignal) => Promise<IncomingMessage>,
  everyMs: number,
  clock: Pick<Clock, 'setTimeout'>,
  stop: AbortSignal,
): Promise<IncomingMessage> {
  const tries: AbortController[] = [];
  let timer: Timer | undefined;
  return new Promise((resolve, reject) => {
    function settle(winner: AbortController | undefined): void {
      timer?.cancel();
      for (const one of tries) if (one !== winner) one.abort();
    }
    function send(): void {
      const mine = new AbortController();
      tries.push(mine);
      timer = tries.length <= AGAIN ? clock.setTimeout(send, everyMs) : undefined;
      ask(AbortSignal.any([stop, mine.signal])).then(
        (response) => {
          if (mine.signal.aborted) return void response.destroy();
          settle(mine);
          resolve(response);
        },
        (error) => {
          if (mine.signal.aborted) return;
          settle(undefined);
          reject(error);
        },
      );
    }
    send();
  });
}

/** Rejects with the exceptions of `handle`. An API server sends each event as a chunk; iterating costs a fifth more. */
function readChunks(response: IncomingMessage, handle: (chunk: Buffer) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    response.on('data', function read(chunk: Buffer) {
      try {
        handle(chunk);
      } catch (error) {
        response.off('data', read); // the rest of the bad chunk must not be parsed as the continuation of the last good one
        response.destroy();
        reject(error);
      }
    });
    response.on('end', resolve);
    response.on('error', reject);
    response.on('close', () => reject(new Error('the connection was closed')));
  });
}

function protobufEvents(stream: EventStream, object: Schema, watchdog: Watchdog): { push(chunk: Buffer): void } {
  return createFrames({
    frame: (bytes) =>
      dispatch(
        unbroken(() => readWatchEvent(bytes, object)),
        stream,
        watchdog,
      ),
    tooLong: stream.malformed,
  });
}

function jsonEvents(stream: EventStream, watchdog: Watchdog): { push(chunk: Buffer): void } {
  return createJsonLines({
    value: (value) => dispatch(value, stream, watchdog),
    tooLong: stream.malformed,
    broken(reason) {
      throw new BrokenStream(reason);
    },
  });
}

/** The result of `read`; throws BrokenStream for a BrokenMessage. */
export function unbroken<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw error instanceof BrokenMessage ? new BrokenStream(`protobuf: ${error.message}`) : error;
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
