// A conversation on a TCP connection (RFC 7766), over any transport of bytes: many queries, split or joined in any way, answered
// as they are ready, a part of them in each turn, and not read further while too many answers wait or are left unread.

import type { SocketAddress } from '../../native/socket-address.ts';
import { arrivalOf } from '../../plane/counters.ts';
import type { TcpSettings } from '../../plane/settings.ts';
import type { QueryHandler } from '../answer/query-handler.ts';
import { DROP, type Later } from '../answer/query-handler.ts';
import { keep, nextLength, push, type StreamReader, skip } from './stream-reader.ts';
import type { TcpConnections, TimedConnection } from './tcp-connections.ts';

export interface TcpListener {
  readonly bound: SocketAddress;
  readonly mode: 'epoll' | 'plain';
  /** Lets others bind the same address, or no longer; false: they cannot. */
  share(on: boolean): boolean;
  /** Stops accepting, after what the kernel has accepted; connections stay. */
  stop(): void;
  /** Stops accepting; resolves once all connections, which their transport closes, are closed. */
  close(): Promise<void>;
}

export interface Conversation extends TimedConnection {
  readonly reader: StreamReader;
  /** The client's address; undefined: it has disconnected. */
  readonly client: Uint8Array | undefined;
  readonly port: number | undefined;
  /** The client sends nothing more (it may still read). */
  ended: boolean;
  open: boolean;
  answering: boolean;
}

export interface TcpTransport<C extends Conversation> {
  readonly connections: TcpConnections;
  /** The buffer of bytes to send; at least OUT_BYTES. */
  readonly out: Uint8Array;
  /** Sends the first `length` bytes of `out`; the rest is kept and sent later. May close the connection. */
  send(connection: C, length: number): void;
  /** Bytes kept because the client does not read. Call `sent` when that changes. */
  unsentBytes(connection: C): number;
  /** Waits for more from the client (`reading`), or for another turn (`postponed`), which then calls `answer`. */
  expect(connection: C, reading: boolean, postponed: boolean): void;
  /** Closes it when all is sent. */
  end(connection: C): void;
}

export interface Conversations<C extends Conversation> {
  /** `length` bytes of `chunk` have arrived; 0: the client has ended. Once `answer` returns, the chunk may be used again. */
  received(connection: C, chunk: Uint8Array, length: number): void;
  /** The client has read some of the kept bytes. */
  sent(connection: C): void;
  /** Answers what has been received, as much as one turn allows. */
  answer(connection: C): void;
  /** The cost of answering since the last call; see TURN_WORK. */
  work(): number;
  /** Whether answering began something that needs the event loop, since it was last asked. */
  beganLater(): boolean;
}

/** Queries of one connection that wait for upstreams; beyond it, it is not read from. */
const MAX_WAITING = 100;
/** Answers of one connection are sent together up to about this many bytes; then the others have their turn. */
const SEND_BYTES = 65_536;
/**
 * The work of one turn over TCP before UDP is served again, and at most for one connection: bytes of answers, where a query by
 * itself costs about as much as QUERY_WORK bytes. Some 120 short answers or 4 of the longest, a third of a millisecond.
 */
export const TURN_WORK = 262_144;
const QUERY_WORK = 2048;
const MAX_FRAMED_BYTES = 2 + 65_535;
/** Words are copied whole, so the last may reach a little over the end. */
export const OUT_BYTES = SEND_BYTES + MAX_FRAMED_BYTES + 8;

/** `arrived` is the counter of queries. */
// biome-ignore lint/complexity/noExcessiveLinesPerFunction: short functions over the state of one connection
export function createConversations<C extends Conversation>(
  handler: QueryHandler,
  settings: TcpSettings,
  arrived: number,
  transport: TcpTransport<C>,
): Conversations<C> {
  const { counters, memory } = handler;
  const { connections, out } = transport;
  const outView = new DataView(out.buffer, out.byteOffset, out.byteLength);
  const slot = memory.slots;
  const query = memory.queries[slot];
  /** Bytes in `out`, all for the connection that is being answered. */
  let used = 0;
  let began = false;
  let work = 0;

  const isHeld = (connection: C): boolean => {
    if (connection.waiting >= MAX_WAITING) return true;
    const unsent = transport.unsentBytes(connection);
    return unsent > 0 && unsent + used > settings.unreadBytes;
  };

  const flush = (connection: C): void => {
    const length = used;
    used = 0;
    if (length > 0 && connection.open) transport.send(connection, length);
  };

  /** Puts the response of `length` bytes that lies in the memory into `out`, behind its length. */
  const frame = (length: number): void => {
    out[used] = length >>> 8;
    out[used + 1] = length;
    work += length;
    copyWords(memory.view, memory.responseAt[slot], outView, used + 2, length);
    used += 2 + length;
  };

  /** A reply may come before this returns, and for other connections, so nothing may be left in `out`. */
  const answerLater = (connection: C, response: Later): void => {
    flush(connection);
    connection.waiting++;
    began = true;
    response.resolve((late) => {
      connection.waiting--;
      if (!connection.open) return;
      if (late.length > 0) {
        out[0] = late.length >>> 8;
        out[1] = late.length;
        out.set(late, 2);
        transport.send(connection, 2 + late.length);
      }
      answer(connection);
    }, connection.client);
  };

  /** Answers the message of `length` bytes that comes next; whether it deserves a response. */
  const answerNext = (connection: C, length: number): boolean => {
    const { reader } = connection;
    counters[arrived]++;
    work += QUERY_WORK;
    copyBytes(reader.bytes, reader.start + 2, query, length);
    skip(reader, length);
    memory.arrival = arrivalOf(arrived);
    const response = handler.respondSlot(slot, length, slot, true, connection.client, connection.port);
    if (typeof response !== 'number') answerLater(connection, response);
    else if (response > 0) frame(response);
    return response !== DROP;
  };

  const answer = (connection: C): void => {
    // A reply may come while its query is being handed on.
    if (connection.answering || !connection.open) return;
    connection.answering = true;
    const enough = work + TURN_WORK;
    let asked = false;
    while (connection.open && used < SEND_BYTES && work < enough && !isHeld(connection)) {
      const length = nextLength(connection.reader);
      if (length < 0) break;
      if (answerNext(connection, length)) asked = true;
    }
    flush(connection);
    keep(connection.reader);
    connection.answering = false;
    if (connection.open) settle(connection, asked);
  };

  /** After answering: how the connection continues. */
  const settle = (connection: C, asked: boolean): void => {
    const unsent = transport.unsentBytes(connection);
    // Messages that deserve no response do not keep the connection open, nor does asking without reading.
    if (asked && unsent === 0) connections.active(connection);
    connections.holds(connection, unsent + connection.reader.bytes.length);
    if (!connection.open) return;
    const held = isHeld(connection);
    const more = nextLength(connection.reader) >= 0;
    if (!held && !more && connection.ended && connection.waiting === 0) transport.end(connection);
    // The rest of a turn waits until the turn's answers are sent.
    else transport.expect(connection, !held && !more && !connection.ended, !held && more && unsent === 0);
  };

  return {
    received(connection, chunk, length) {
      if (length === 0) connection.ended = true;
      else push(connection.reader, chunk, length);
    },
    sent(connection) {
      connections.active(connection);
      answer(connection);
    },
    answer,
    work() {
      const done = work;
      work = 0;
      return done;
    },
    beganLater() {
      const answered = began;
      began = false;
      return answered;
    },
  };
}

/** Queries are short: a loop costs less than a call. */
function copyBytes(from: Uint8Array, at: number, to: Uint8Array, length: number): void {
  if (length > 64) to.set(from.subarray(at, at + length));
  else for (let i = 0; i < length; i++) to[i] = from[at + i];
}

/** The same for responses; both memories have room for the rest of the last word. */
function copyWords(from: DataView, at: number, to: DataView, toAt: number, length: number): void {
  for (let i = 0; i < length; i += 4) to.setInt32(toAt + i, from.getInt32(at + i));
}
