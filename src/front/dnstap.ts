// dnstap: a copy of every query and response for other programs, as Frame Streams with Protocol Buffers over a unix or TCP
// socket. Unsent messages wait in a bounded buffer; beyond that they are dropped and counted: answers never wait.
// https://dnstap.info, https://farsightsec.github.io/fstrm/, https://github.com/dnstap/dnstap.pb/blob/master/dnstap.proto
import { connect, type Socket } from 'node:net';
import type { Clock, Timer } from '../clock.ts';
import { COUNTER, type Counters } from '../plane/counters.ts';
import type { DnstapSettings } from '../plane/settings.ts';
import type { ObservedQuery } from './query-log.ts';

export interface Dnstap {
  send(observed: ObservedQuery): void;
  /** Ends the stream; pending messages are sent if the receiver accepts them within a second. */
  close(): Promise<void>;
}

export interface DnstapDeps {
  readonly clock: Clock;
  readonly counters: Counters;
  log(level: 'info' | 'warn', message: string): void;
}

/** Unsent bytes beyond which queries are dropped. */
const MAX_WAITING_BYTES = 4 * 1024 * 1024;
/** Frames are written together when they have so many bytes, or after FLUSH_MS. */
const CHUNK_BYTES = 32 * 1024;
const FLUSH_MS = 50;
const RETRY_MS = [1_000, 2_000, 5_000, 10_000] as const;
const HANDSHAKE_MS = 5_000;
const CLOSE_MS = 1_000;

const CONTROL = { ACCEPT: 1, START: 2, STOP: 3, READY: 4, FINISH: 5 } as const;
const CONTENT_TYPE = Buffer.from('protobuf:dnstap.Dnstap');
const MAX_CONTROL_BYTES = 512;

export function startDnstap(settings: DnstapSettings, deps: DnstapDeps): Dnstap {
  const { clock, counters } = deps;
  const identity = Buffer.from(settings.identity);
  const version = Buffer.from(settings.version);
  const connection = new Connection(settings.to, deps);
  let frames: Buffer[] = [];
  let bytes = 0;
  let flushing: Timer | undefined;

  const take = (): Buffer[] => {
    flushing?.cancel();
    flushing = undefined;
    const taken = frames;
    frames = [];
    bytes = 0;
    return taken;
  };
  const flush = (): void => {
    const taken = take();
    if (taken.length > 0) connection.write(taken);
  };
  connection.onLost = () => {
    counters[COUNTER.DNSTAP_DROPPED] += take().length;
  };

  return {
    send(observed) {
      if (!connection.isOpen || connection.unsentBytes + bytes > MAX_WAITING_BYTES) {
        counters[COUNTER.DNSTAP_DROPPED]++;
        return;
      }
      const frame = dataFrame(observed, identity, version, clock.now());
      frames.push(frame);
      bytes += frame.length;
      if (bytes >= CHUNK_BYTES) flush();
      else flushing ??= clock.setTimeout(flush, FLUSH_MS);
    },
    close: () => connection.close(flush),
  };
}

/** One connection after the other to the receiver, with the handshake of a bidirectional stream. */
class Connection {
  /** The receiver has accepted the content type. */
  isOpen = false;
  onLost = () => {};
  readonly #to: string;
  readonly #deps: DnstapDeps;
  #socket: Socket | undefined;
  #isClosing = false;
  #failures = 0;
  #retry: Timer | undefined;

  constructor(to: string, deps: DnstapDeps) {
    this.#to = to;
    this.#deps = deps;
    this.#connect();
  }

  get unsentBytes(): number {
    return this.#socket?.writableLength ?? 0;
  }

  write(frames: readonly Buffer[]): void {
    this.#socket?.write(Buffer.concat(frames));
    this.#deps.counters[COUNTER.DNSTAP_SENT] += frames.length;
  }

  /** `flush` writes pending messages. */
  async close(flush: () => void): Promise<void> {
    this.#isClosing = true;
    this.#retry?.cancel();
    const socket = this.#socket;
    if (socket === undefined) return;
    if (this.isOpen) flush();
    const ended = new Promise<void>((resolve) => socket.once('close', () => resolve()));
    socket.end(this.isOpen ? controlFrame(CONTROL.STOP) : Buffer.alloc(0));
    const timer = this.#deps.clock.setTimeout(() => socket.destroy(), CLOSE_MS);
    await ended;
    timer.cancel();
  }

  #connect(): void {
    const socket = connect(addressOf(this.#to));
    this.#socket = socket;
    const deadline = this.#deps.clock.setTimeout(
      () => this.#lose('the receiver does not accept the stream'),
      HANDSHAKE_MS,
    );
    let reply = Buffer.alloc(0);
    socket.unref();
    socket.on('connect', () => socket.write(controlFrame(CONTROL.READY)));
    socket.on('data', (chunk) => {
      reply = Buffer.concat([reply, chunk]);
      const type = controlType(reply);
      if (type === undefined && reply.length <= MAX_CONTROL_BYTES) return;
      deadline.cancel();
      reply = Buffer.alloc(0);
      this.#receive(socket, type);
    });
    socket.on('error', ({ message }) => this.#socket === socket && this.#lose(message));
    socket.on('close', () => {
      deadline.cancel();
      if (this.#socket === socket) this.#lose('the receiver closed the connection');
    });
  }

  /** `type` is that of a control frame; undefined: it is none. */
  #receive(socket: Socket, type: number | undefined): void {
    if (this.isOpen || this.#isClosing) return; // FINISH
    if (type !== CONTROL.ACCEPT) {
      this.#lose('the receiver does not speak Frame Streams');
      return;
    }
    socket.write(controlFrame(CONTROL.START));
    this.isOpen = true;
    if (this.#failures > 0) this.#deps.log('info', `dnstap ${this.#to}: connected again`);
    this.#failures = 0;
  }

  #lose(problem: string): void {
    const { clock, log } = this.#deps;
    if (this.#socket === undefined) return;
    this.#socket.destroy();
    this.#socket = undefined;
    this.isOpen = false;
    this.onLost();
    if (this.#isClosing) return;
    if (this.#failures === 0) log('warn', `dnstap ${this.#to}: ${problem}; queries are not sent until it is back`);
    const delayMs = RETRY_MS[Math.min(this.#failures++, RETRY_MS.length - 1)];
    this.#retry = clock.setTimeout(() => this.#connect(), delayMs);
  }
}

/** "tcp://ADDRESS:PORT", or the path of a unix socket. */
function addressOf(to: string): { host: string; port: number } | { path: string } {
  const [, host, port] = /^tcp:\/\/\[?([^\]]+?)\]?:(\d+)$/.exec(to) ?? [];
  return host === undefined ? { path: to } : { host, port: Number(port) };
}

/** An escape (a frame of length 0), the length, the type, and the content type where it belongs. */
function controlFrame(type: number): Buffer {
  const field =
    type === CONTROL.STOP ? Buffer.alloc(0) : Buffer.concat([uint32(1), uint32(CONTENT_TYPE.length), CONTENT_TYPE]);
  return Buffer.concat([uint32(0), uint32(4 + field.length), uint32(type), field]);
}

/** undefined: the frame is not complete; -1: it is none. */
function controlType(bytes: Buffer): number | undefined {
  if (bytes.length >= 8 && (bytes.readUInt32BE(0) !== 0 || bytes.readUInt32BE(4) > MAX_CONTROL_BYTES)) return -1;
  return bytes.length < 12 || bytes.length < 8 + bytes.readUInt32BE(4) ? undefined : bytes.readUInt32BE(8);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** CLIENT_RESPONSE with the query in it; CLIENT_QUERY if there was no response. */
function dataFrame(observed: ObservedQuery, identity: Buffer, version: Buffer, nowMs: number): Buffer {
  const { client, port, overTcp, query, response, milliseconds } = observed;
  const message = Buffer.concat([
    number(1, response.length > 0 ? 6 : 5),
    ...(client.length === 0 ? [] : [number(2, client.length === 4 ? 1 : 2), blob(4, client)]),
    number(3, overTcp ? 2 : 1),
    ...(port === 0 ? [] : [number(6, port)]),
    ...time(8, nowMs - milliseconds),
    blob(10, query),
    ...(response.length > 0 ? [...time(12, nowMs), blob(14, response)] : []),
  ]);
  const dnstap = Buffer.concat([blob(1, identity), blob(2, version), blob(14, message), number(15, 1)]);
  return Buffer.concat([uint32(dnstap.length), dnstap]);
}

/** Seconds, and in the next field nanoseconds (fixed32). */
function time(field: number, ms: number): Buffer[] {
  const seconds = Math.floor(ms / 1_000);
  const nanoseconds = Buffer.alloc(4);
  nanoseconds.writeUInt32LE(Math.floor((ms - seconds * 1_000) * 1_000_000));
  return [number(field, seconds), Buffer.concat([varint(((field + 1) << 3) | 5), nanoseconds])];
}

const number = (field: number, value: number): Buffer => Buffer.concat([varint(field << 3), varint(value)]);

const blob = (field: number, bytes: Uint8Array): Buffer =>
  bytes.length === 0 ? Buffer.alloc(0) : Buffer.concat([varint((field << 3) | 2), varint(bytes.length), bytes]);

function varint(value: number): Buffer {
  const bytes: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return Buffer.from([...bytes, rest]);
    bytes.push((rest % 128) | 0x80);
  }
}
