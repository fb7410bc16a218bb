// dnstap: a copy of every query and response for other programs, as Frame Streams with Protocol Buffers over a unix or TCP
// socket. What cannot be sent at once waits in a bounded buffer; beyond that it is dropped and counted: answers never wait.
// https://dnstap.info, https://farsightsec.github.io/fstrm/, https://github.com/dnstap/dnstap.pb/blob/master/dnstap.proto
import { connect, type Socket } from 'node:net';
import type { Clock, Timer } from '../clock.ts';
import { COUNTER, type Counters } from '../plane/counters.ts';
import type { DnstapSettings } from '../plane/settings.ts';
import type { ObservedQuery } from './query-log.ts';

export interface Dnstap {
  send(observed: ObservedQuery): void;
  /** Ends the stream; what waits is sent if the receiver takes it within a second. */
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

// biome-ignore lint/complexity/noExcessiveLinesPerFunction: short functions over one connection
export function startDnstap(settings: DnstapSettings, { clock, counters, log }: DnstapDeps): Dnstap {
  const identity = Buffer.from(settings.identity);
  const version = Buffer.from(settings.version);
  let socket: Socket | undefined;
  /** The receiver has accepted the content type. */
  let isOpen = false;
  let isClosing = false;
  let failures = 0;
  let frames: Buffer[] = [];
  let bytes = 0;
  let flushing: Timer | undefined;
  let waiting: Timer | undefined;

  const flush = (): void => {
    flushing?.cancel();
    flushing = undefined;
    if (bytes === 0 || socket === undefined) return;
    socket.write(Buffer.concat(frames));
    counters[COUNTER.DNSTAP_SENT] += frames.length;
    frames = [];
    bytes = 0;
  };

  const lost = (problem: string): void => {
    if (socket === undefined) return;
    socket.destroy();
    socket = undefined;
    isOpen = false;
    counters[COUNTER.DNSTAP_DROPPED] += frames.length;
    frames = [];
    bytes = 0;
    if (isClosing) return;
    if (failures === 0) log('warn', `dnstap ${settings.to}: ${problem}; queries are not sent until it is back`);
    waiting = clock.setTimeout(open, RETRY_MS[Math.min(failures++, RETRY_MS.length - 1)]);
  };

  function open(): void {
    const target = addressOf(settings.to);
    const opened = connect(target);
    socket = opened;
    const deadline = clock.setTimeout(() => lost('the receiver does not accept the stream'), HANDSHAKE_MS);
    let reply = Buffer.alloc(0);
    opened.unref();
    opened.on('connect', () => opened.write(controlFrame(CONTROL.READY)));
    opened.on('data', (chunk) => {
      reply = Buffer.concat([reply, chunk]);
      const type = controlType(reply);
      if (type === undefined && reply.length <= MAX_CONTROL_BYTES) return;
      deadline.cancel();
      if (isOpen || isClosing) return; // FINISH
      if (type !== CONTROL.ACCEPT) return lost('the receiver does not speak Frame Streams');
      reply = Buffer.alloc(0);
      opened.write(controlFrame(CONTROL.START));
      isOpen = true;
      if (failures > 0) log('info', `dnstap ${settings.to}: connected again`);
      failures = 0;
    });
    opened.on('error', ({ message }) => socket === opened && lost(message));
    opened.on('close', () => {
      deadline.cancel();
      if (socket === opened) lost('the receiver closed the connection');
    });
  }

  open();
  return {
    send(observed) {
      if (!isOpen || socket === undefined || socket.writableLength + bytes > MAX_WAITING_BYTES) {
        counters[COUNTER.DNSTAP_DROPPED]++;
        return;
      }
      const frame = dataFrame(observed, identity, version, clock.now());
      frames.push(frame);
      bytes += frame.length;
      if (bytes >= CHUNK_BYTES) flush();
      else flushing ??= clock.setTimeout(flush, FLUSH_MS);
    },
    async close() {
      isClosing = true;
      waiting?.cancel();
      const open = socket;
      if (open === undefined) return;
      if (isOpen) flush();
      const ended = new Promise<void>((resolve) => open.once('close', () => resolve()));
      open.end(isOpen ? controlFrame(CONTROL.STOP) : Buffer.alloc(0));
      const timer = clock.setTimeout(() => open.destroy(), CLOSE_MS);
      await ended;
      timer.cancel();
    },
  };
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
