// Queries over TCP and TLS (RFC 7766, RFC 7858): few connections, kept open, many queries in flight on each, answered in
// any order.
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { HEADER_BYTES, MAX_MESSAGE_BYTES } from '../../dns/limits.ts';
import { createIdTable, type IdTable } from '../../memory/id-table.ts';
import type { TlsSettings } from '../../plane/forward-settings.ts';
import {
  type Attempt,
  socketFailure,
  TOO_BUSY,
  type Transport,
  type TransportCounters,
  UNREADABLE,
} from './attempt.ts';
import { type Deadline, type Deadlines, deadline } from './deadlines.ts';
import { idOf, isReplyTo, setId } from './exchange.ts';
import type { Unpredictable } from './unpredictable.ts';

export interface StreamSettings {
  readonly address: string;
  readonly port: number;
  readonly tls: TlsSettings | undefined;
  /** Nothing in flight for so long: the connection is closed. */
  readonly idleMs: number;
  /** The connection must be made, and the certificate accepted, in this time. */
  readonly connectTimeoutMs: number;
  readonly connections: number;
  readonly queriesInFlight: number;
}

export const STREAM_DEFAULTS = { connections: 4, queriesInFlight: 1024, connectTimeoutMs: 4000 } as const;

/** A connection whose other end a firewall or a restart has forgotten stays open for a quarter of an hour in the kernel. */
const MOST_UNANSWERED = 3;

interface Connection {
  readonly socket: Socket | TLSSocket;
  readonly waiting: IdTable<Attempt>;
  readonly timer: Deadline;
  /** Questions in a row that were given up while nothing at all came: the other end may be gone without a word. */
  unanswered: number;
  /** Questions that were given up and whose replies have not come: those may still, and belong to nobody. */
  late: number;
  /** ID of the reply that came last: a second one like it does no harm. */
  lastId: number;
  /** What came of a message that is not whole yet. */
  unread: Buffer;
  connected: boolean;
}

export function createStream(
  settings: StreamSettings,
  deadlines: Deadlines,
  random: Unpredictable,
  counters: TransportCounters,
): Transport {
  const all = new Set<Connection>();

  function choose(): Connection | undefined {
    let best: Connection | undefined;
    for (const connection of all) {
      if (connection.waiting.size() >= settings.queriesInFlight || connection.unanswered >= MOST_UNANSWERED) continue;
      if (best === undefined || connection.waiting.size() < best.waiting.size()) best = connection;
    }
    return best ?? (all.size < settings.connections ? open() : undefined);
  }

  function open(): Connection {
    const socket =
      settings.tls === undefined ? connectTcp(settings.port, settings.address) : secure(settings, settings.tls);
    const timer = deadline(() => drop(connection, 'connect timed out'));
    const connection: Connection = {
      socket,
      waiting: createIdTable(settings.queriesInFlight),
      timer,
      unanswered: 0,
      late: 0,
      lastId: -1,
      unread: Buffer.alloc(0),
      connected: false,
    };
    all.add(connection);
    counters.socketOpened();
    socket.setNoDelay(true);
    socket.on(settings.tls === undefined ? 'connect' : 'secureConnect', () => {
      connection.connected = true;
      deadlines.remove(timer);
      timer.expire = () => drop(connection, 'idle');
      if (connection.waiting.size() === 0) deadlines.add(timer, settings.idleMs);
    });
    socket.on('data', (chunk: Buffer) => receive(connection, chunk));
    socket.on('error', (error) => drop(connection, socketFailure(error)));
    socket.on('close', () => drop(connection, 'closed'));
    socket.on('end', () => drop(connection, 'closed'));
    deadlines.add(timer, settings.connectTimeoutMs);
    return connection;
  }

  function receive(connection: Connection, chunk: Buffer): void {
    connection.unanswered = 0;
    let bytes = connection.unread.length === 0 ? chunk : Buffer.concat([connection.unread, chunk]);
    while (bytes.length >= 2) {
      const end = 2 + bytes.readUInt16BE(0);
      if (bytes.length < end) break;
      take(connection, bytes.subarray(2, end));
      if (!all.has(connection)) return;
      bytes = bytes.subarray(end);
    }
    // Never more than one message of 64 KiB and the chunk that ends it.
    connection.unread = bytes.length === 0 ? bytes : Buffer.from(bytes);
  }

  /**
   * Nobody else writes into a connection, so what is no reply comes from a server that cannot be understood: waiting for
   * something better, as over UDP, would only lose time.
   */
  function take(connection: Connection, message: Buffer): void {
    const id = message.length >= HEADER_BYTES ? idOf(message) : -1;
    const attempt = id < 0 ? undefined : connection.waiting.get(id);
    if (attempt !== undefined && isReplyTo(message, attempt.query, attempt.exactSpelling)) {
      connection.lastId = id;
      forget(connection, id);
      attempt.replied(message);
      return;
    }
    counters.ignored();
    const isStray = id >= 0 && attempt === undefined && (id === connection.lastId || connection.late > 0);
    if (!isStray) drop(connection, UNREADABLE);
    else if (id !== connection.lastId) connection.late--;
  }

  function giveUp(connection: Connection, id: number): void {
    connection.unanswered++;
    connection.late++;
    forget(connection, id);
    if (connection.waiting.size() === 0 && connection.unanswered >= MOST_UNANSWERED) drop(connection, 'silent');
  }

  function forget(connection: Connection, id: number): void {
    connection.waiting.delete(id);
    if (connection.waiting.size() === 0 && connection.connected && all.has(connection)) {
      deadlines.add(connection.timer, settings.idleMs);
    }
  }

  function drop(connection: Connection, reason: string): void {
    if (!all.delete(connection)) return;
    deadlines.remove(connection.timer);
    connection.socket.destroy();
    for (const attempt of connection.waiting.takeAll()) attempt.failed(reason);
  }

  return {
    send(attempt) {
      const connection = choose();
      if (connection === undefined || attempt.query.length > MAX_MESSAGE_BYTES) {
        attempt.failed(TOO_BUSY);
        return;
      }
      let id = random.id();
      while (connection.waiting.get(id) !== undefined) id = random.id();
      setId(attempt.query, id);
      connection.waiting.add(id, attempt);
      attempt.via = connection;
      if (connection.connected) deadlines.remove(connection.timer);
      const frame = Buffer.allocUnsafe(2 + attempt.query.length);
      frame.writeUInt16BE(attempt.query.length, 0);
      frame.set(attempt.query, 2);
      connection.socket.write(frame);
    },
    cancel(attempt) {
      const connection = attempt.via as Connection | undefined;
      const id = idOf(attempt.query);
      if (connection?.waiting.get(id) === attempt) giveUp(connection, id);
    },
    open: () => all.size,
    close() {
      for (const connection of [...all]) drop(connection, 'closed');
    },
  };
}

/** The certificate must be for the server name, or for the address where none is given (RFC 8310 section 8.1). */
function secure(settings: StreamSettings, tls: TlsSettings): TLSSocket {
  const name = tls.serverName ?? settings.address;
  return connectTls({
    host: settings.address,
    port: settings.port,
    // RFC 6066 section 3: no addresses in SNI. Node checks the certificate against `host` then.
    servername: isIP(name) === 0 ? name : '',
    ca: tls.ca,
    cert: tls.cert,
    key: tls.key,
    minVersion: 'TLSv1.2',
    rejectUnauthorized: true,
  });
}
