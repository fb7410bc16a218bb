// One watch request: its events as they come, in protobuf or in JSON.
import type { IncomingMessage } from 'node:http';
import type { Clock, Timer } from '../../../clock.ts';
import { ApiError, type ApiServer } from '../api/api-server.ts';
import { createFrames, isProtobuf, PROTOBUF, readWatchEvent } from '../protobuf/envelope.ts';
import { BrokenMessage, type Schema } from '../protobuf/message.ts';
import { createJsonLines } from './json-lines.ts';
import { type Watchdog, withWatchdog } from './watchdog.ts';

export interface EventStream extends Encoding {
  readonly path: string;
  /** An event's type ("ADDED", …) and object. What it throws ends the stream. */
  readonly event: (type: string, object: unknown, watchdog: Watchdog) => void;
  /** Bytes came. */
  readonly contact: (watchdog: Watchdog) => void;
  readonly malformed: (reason: string) => void;
  /** How long until the first call of `allow` must come. */
  readonly allowMs: number;
  /** The request is sent again beside the first when no headers come for so long. */
  readonly againMs: number;
}

/** How objects of a kind may be written. */
export interface Encoding {
  /** In protobuf, if the server can; undefined: JSON is asked for. */
  readonly protobuf?: Schema;
}

/** What cannot be read: what it was to say is not known, so the stream cannot be followed any further. */
export class BrokenStream extends Error {
  override readonly name = 'BrokenStream';
}

/** The media types to ask for; a server that has not the first gives the second. */
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

/** How often a request is sent beside the first one. */
const AGAIN = 4;

/**
 * The response whose headers come first, of a request and its copies: a server that takes requests and does nothing is heard
 * again when it answers new ones, whatever becomes of the old ones. The first error ends all.
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

/** Rejects with what `handle` throws. An API server sends each event as a chunk; to iterate over them costs a fifth more. */
function readChunks(response: IncomingMessage, handle: (chunk: Buffer) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    response.on('data', function read(chunk: Buffer) {
      try {
        handle(chunk);
      } catch (error) {
        response.off('data', read); // what came with the bad chunk must not be taken for what follows the last good one
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

/** What `read` returns; throws BrokenStream for a BrokenMessage. */
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
