// Queries over UDP, hard to forge: connected sockets (the kernel drops what other addresses send) on random ports, each
// used for few queries and a short time, so that a port found by probing (SAD DNS, CVE-2020-25705) is gone before it is of
// use, and IDs from crypto.

import { HEADER_BYTES } from '../../dns/limits.ts';
import { createIdTable, type IdTable } from '../../memory/id-table.ts';
import type { ConnectedSocket, OpenSocket } from '../../native/connected-datagram.ts';
import { type Attempt, reasonOf, socketFailure, TOO_BUSY, type Transport, type TransportCounters } from './attempt.ts';
import { type Deadline, type Deadlines, deadline } from './deadlines.ts';
import { idOf, isReplyTo, setId } from './exchange.ts';
import type { Unpredictable } from './unpredictable.ts';

export interface UdpSettings {
  readonly address: string;
  readonly port: number;
  /** Sockets to choose from at random. */
  readonly sockets: number;
  /** A socket is retired after this many queries… */
  readonly queriesPerSocket: number;
  /** …or after this time, whichever is first. */
  readonly socketLifeMs: number;
}

export const UDP_DEFAULTS = { sockets: 8, queriesPerSocket: 256, socketLifeMs: 10_000 } as const;

const REFUSED = 'ECONNREFUSED';

interface Port {
  readonly socket: ConnectedSocket;
  readonly waiting: IdTable<Attempt>;
  readonly life: Deadline;
  /** Soon, not at once: while one question is being sent, the attempts that fail would send others. */
  readonly refusal: Deadline;
  queries: number;
  /** Accepts no more queries and closes with the last reply. */
  retired: boolean;
}

export class UdpTransport implements Transport {
  private readonly settings: UdpSettings;
  private readonly deadlines: Deadlines;
  private readonly random: Unpredictable;
  private readonly counters: TransportCounters;
  private readonly openSocket: OpenSocket;
  private readonly places: (Port | undefined)[];
  private readonly all = new Set<Port>();

  constructor(
    settings: UdpSettings,
    deadlines: Deadlines,
    random: Unpredictable,
    counters: TransportCounters,
    openSocket: OpenSocket,
  ) {
    this.settings = settings;
    this.deadlines = deadlines;
    this.random = random;
    this.counters = counters;
    this.openSocket = openSocket;
    this.places = new Array(settings.sockets).fill(undefined);
  }

  send(attempt: Attempt): void {
    let port: Port | undefined;
    try {
      port = this.usable(this.random.below(this.settings.sockets));
      let id = this.random.id();
      while (port.waiting.get(id) !== undefined) id = this.random.id();
      setId(attempt.query, id);
      if (port.socket.send(attempt.query)) this.deadlines.add(port.refusal, 0);
      port.queries++;
      port.waiting.add(id, attempt);
      attempt.via = port;
    } catch (error) {
      // No network, no free descriptor, no room.
      const reason = socketFailure(error as Error);
      if (port !== undefined && reason !== TOO_BUSY) this.failAll(port, reason);
      attempt.failed(reason);
    }
  }

  cancel(attempt: Attempt): void {
    const port = attempt.via as Port | undefined;
    const id = idOf(attempt.query);
    if (port?.waiting.get(id) === attempt) this.forget(port, id);
  }

  open(): number {
    return this.all.size;
  }

  close(): void {
    for (const port of [...this.all]) this.failAll(port, 'closed');
  }

  private usable(place: number): Port {
    const port = this.places[place];
    const { queriesPerSocket } = this.settings;
    if (port !== undefined && !port.retired && port.queries < queriesPerSocket) return port;
    try {
      const opened = this.openPort();
      this.places[place] = opened;
      if (port !== undefined && !port.retired) this.retire(port);
      return opened;
    } catch (error) {
      if (socketFailure(error as Error) !== TOO_BUSY) throw error;
      // Without a free descriptor, a socket that has served its time is better than none.
      for (const other of this.all) if (other.waiting.size() < queriesPerSocket) return other;
      throw error;
    }
  }

  private openPort(): Port {
    const { settings, counters } = this;
    const socket = this.openSocket(settings.address, settings.port, {
      received: (message) => this.receive(port, message),
      stranger: counters.ignored,
      failed: (code) => {
        if (code === REFUSED) this.refuse(port);
        else this.failAll(port, reasonOf(code));
      },
    });
    const port: Port = {
      socket,
      waiting: createIdTable<Attempt>(settings.queriesPerSocket),
      life: deadline(() => this.retire(port)),
      refusal: deadline(() => this.refuse(port)),
      queries: 0,
      retired: false,
    };
    this.all.add(port);
    counters.socketOpened();
    this.deadlines.add(port.life, settings.socketLifeMs);
    return port;
  }

  private receive(port: Port, message: Uint8Array): void {
    const attempt = message.length >= HEADER_BYTES ? port.waiting.get(idOf(message)) : undefined;
    if (attempt === undefined || !isReplyTo(message, attempt.query, attempt.exactSpelling)) {
      this.counters.ignored();
      return;
    }
    this.forget(port, idOf(message));
    attempt.replied(message);
  }

  /** Queries sent from this socket get no reply, but the socket remains usable. */
  private refuse(port: Port): void {
    this.deadlines.remove(port.refusal);
    if (port.retired) this.failAll(port, REFUSED);
    else failWaiting(port, REFUSED);
  }

  private failAll(port: Port, code: string): void {
    port.retired = true;
    this.closePort(port);
    failWaiting(port, code);
  }

  private retire(port: Port): void {
    port.retired = true;
    if (port.waiting.size() === 0) this.closePort(port);
  }

  private forget(port: Port, id: number): void {
    port.waiting.delete(id);
    if (port.retired && port.waiting.size() === 0) this.closePort(port);
  }

  private closePort(port: Port): void {
    if (!this.all.delete(port)) return;
    this.deadlines.remove(port.life);
    this.deadlines.remove(port.refusal);
    port.socket.close();
  }
}

function failWaiting(port: Port, code: string): void {
  for (const attempt of port.waiting.takeAll()) attempt.failed(code);
}
