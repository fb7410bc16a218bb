// Queries over TCP and TLS (RFC 7766, RFC 7858): few connections, kept open, many queries in flight on each, answered in
// any order.
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
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
  /** A connection with nothing in flight is closed after this. */
  readonly idleMs: number;
  /** Time to connect, and to accept the certificate. */
  readonly connectTimeoutMs: number;
  readonly connections: number;
  readonly queriesInFlight: number;
}

export const STREAM_DEFAULTS = { connections: 4, queriesInFlight: 1024, connectTimeoutMs: 4000 } as const;

/** The kernel keeps a connection that a firewall or a restart has forgotten open for a quarter of an hour. */
const MOST_UNANSWERED = 3;

interface Connection {
  readonly socket: Socket | TLSSocket;
  readonly waiting: IdTable<Attempt>;
  readonly timer: Deadline;
  /** Consecutive questions abandoned while nothing arrived: the peer may have disappeared without closing. */
  unanswered: number;
  /** Questions given up whose replies may still arrive, and then match nothing. */
  late: number;
  /** ID of the latest reply: a duplicate of it does no harm. */
  lastId: number;
  /** The beginning of a message that is still incomplete. */
  unread: Buffer;
  connected: boolean;
}

export class StreamTransport implements Transport {
  private readonly settings: StreamSettings;
  private readonly deadlines: Deadlines;
  private readonly random: Unpredictable;
  private readonly counters: TransportCounters;
  private readonly all = new Set<Connection>();

  constructor(settings: StreamSettings, deadlines: Deadlines, random: Unpredictable, counters: TransportCounters) {
    this.settings = settings;
    this.deadlines = deadlines;
    this.random = random;
    this.counters = counters;
  }

  send(attempt: Attempt): void {
    const connection = this.choose();
    if (connection === undefined || attempt.query.length > MAX_MESSAGE_BYTES) {
      attempt.failed(TOO_BUSY);
      return;
    }
    let id = this.random.id();
    while (connection.waiting.get(id) !== undefined) id = this.random.id();
    setId(attempt.query, id);
    connection.waiting.add(id, attempt);
    attempt.via = connection;
    if (connection.connected) this.deadlines.remove(connection.timer);
    const frame = Buffer.allocUnsafe(2 + attempt.query.length);
    frame.writeUInt16BE(attempt.query.length, 0);
    frame.set(attempt.query, 2);
    connection.socket.write(frame);
  }

  cancel(attempt: Attempt): void {
    const connection = attempt.via as Connection | undefined;
    const id = idOf(attempt.query);
    if (connection?.waiting.get(id) === attempt) this.giveUp(connection, id);
  }

  open(): number {
    return this.all.size;
  }

  close(): void {
    for (const connection of [...this.all]) this.drop(connection, 'closed');
  }

  private choose(): Connection | undefined {
    const { settings } = this;
    let best: Connection | undefined;
    for (const connection of this.all) {
      if (connection.waiting.size() >= settings.queriesInFlight || connection.unanswered >= MOST_UNANSWERED) continue;
      if (best === undefined || connection.waiting.size() < best.waiting.size()) best = connection;
    }
    return best ?? (this.all.size < settings.connections ? this.connect() : undefined);
  }

  private connect(): Connection {
    const { settings, deadlines } = this;
    const socket =
      settings.tls === undefined ? connectTcp(settings.port, settings.address) : secure(settings, settings.tls);
    const timer = deadline(() => this.drop(connection, 'connect timed out'));
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
    this.all.add(connection);
    this.counters.socketOpened();
    socket.setNoDelay(true);
    socket.on(settings.tls === undefined ? 'connect' : 'secureConnect', () => {
      connection.connected = true;
      deadlines.remove(timer);
      timer.expire = () => this.drop(connection, 'idle');
      if (connection.waiting.size() === 0) deadlines.add(timer, settings.idleMs);
    });
    socket.on('data', (chunk: Buffer) => this.receive(connection, chunk));
    socket.on('error', (error) => this.drop(connection, socketFailure(error)));
    socket.on('close', () => this.drop(connection, 'closed'));
    socket.on('end', () => this.drop(connection, 'closed'));
    deadlines.add(timer, settings.connectTimeoutMs);
    return connection;
  }

  private receive(connection: Connection, chunk: Buffer): void {
    connection.unanswered = 0;
    let bytes = connection.unread.length === 0 ? chunk : Buffer.concat([connection.unread, chunk]);
    while (bytes.length >= 2) {
      const end = 2 + bytes.readUInt16BE(0);
      if (bytes.length < end) break;
      this.take(connection, bytes.subarray(2, end));
      if (!this.all.has(connection)) return;
      bytes = bytes.subarray(end);
    }
    // At most one message of 64 KiB and the chunk that ends it.
    connection.unread = bytes.length === 0 ? bytes : Buffer.from(bytes);
  }

  /**
   * Nobody else writes into a connection, so a message that is not a reply comes from a server that cannot be understood:
   * waiting for something better, as over UDP, would only lose time.
   */
  private take(connection: Connection, message: Buffer): void {
    const id = message.length >= HEADER_BYTES ? idOf(message) : -1;
    const attempt = id < 0 ? undefined : connection.waiting.get(id);
    if (attempt !== undefined && isReplyTo(message, attempt.query, attempt.exactSpelling)) {
      connection.lastId = id;
      this.forget(connection, id);
      attempt.replied(message);
      return;
    }
    this.counters.ignored();
    const isStray = id >= 0 && attempt === undefined && (id === connection.lastId || connection.late > 0);
    if (!isStray) this.drop(connection, UNREADABLE);
    else if (id !== connection.lastId) connection.late--;
  }

  private giveUp(connection: Connection, id: number): void {
    connection.unanswered++;
    connection.late++;
    this.forget(connection, id);
    if (connection.waiting.size() === 0 && connection.unanswered >= MOST_UNANSWERED) this.drop(connection, 'silent');
  }

  private forget(connection: Connection, id: number): void {
    connection.waiting.delete(id);
    if (connection.waiting.size() === 0 && connection.connected && this.all.has(connection)) {
      this.deadlines.add(connection.timer, this.settings.idleMs);
    }
  }

  private drop(connection: Connection, reason: string): void {
    if (!this.all.delete(connection)) return;
    this.deadlines.remove(connection.timer);
    connection.socket.destroy();
    for (const attempt of connection.waiting.takeAll()) attempt.failed(reason);
  }
}

/** The certificate must be for the server name, or for the address where none is given (RFC 8310 section 8.1). */
function secure(settings: StreamSettings, tls: TlsSettings): TLSSocket {
  const name = tls.serverName ?? settings.address;
  // Loaded only where it is needed: 7 ms of the start of every data thread.
  return process.getBuiltinModule('node:tls').connect({
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
