// Queries over UDP, hard to forge: connected sockets (the kernel drops what other addresses send) on random ports, each
// used for few queries and a short time, so that a port found by probing (SAD DNS, CVE-2020-25705) is gone before it is of
// use, and IDs from crypto.
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import type { Attempt, Transport, TransportCounters } from './attempt.ts';
import { type Deadline, type Deadlines, deadline } from './deadlines.ts';
import { idOf, isReplyTo, setId } from './exchange.ts';
import type { Unpredictable } from './unpredictable.ts';

export interface UdpSettings {
  readonly address: string;
  readonly port: number;
  /** Sockets to choose from at random. */
  readonly sockets: number;
  /** A socket is given up after so many queries… */
  readonly queriesPerSocket: number;
  /** …or after this, whichever is first. */
  readonly socketLifeMs: number;
}

export const UDP_DEFAULTS = { sockets: 8, queriesPerSocket: 256, socketLifeMs: 10_000 } as const;

interface Port {
  readonly socket: Socket;
  readonly waiting: Map<number, Attempt>;
  readonly life: Deadline;
  queries: number;
  /** Takes no more queries and closes with the last reply. */
  retired: boolean;
}

export function createUdp(
  settings: UdpSettings,
  deadlines: Deadlines,
  random: Unpredictable,
  counters: TransportCounters,
): Transport {
  const family = settings.address.includes(':') ? 'udp6' : 'udp4';
  const places: (Port | undefined)[] = new Array(settings.sockets).fill(undefined);
  const all = new Set<Port>();

  function usable(place: number): Port {
    const port = places[place];
    if (port !== undefined && !port.retired) {
      if (port.queries < settings.queriesPerSocket) return port;
      retire(port);
    }
    const opened = open();
    places[place] = opened;
    return opened;
  }

  function open(): Port {
    // Addresses are literal, so "lookup" answers at once and the socket is bound and connected when connect() returns.
    const socket = createSocket({
      type: family,
      lookup: (host, _options, done) => done(null, host, family === 'udp6' ? 6 : 4),
    });
    const life = deadline(() => retire(port));
    const port: Port = { socket, waiting: new Map(), life, queries: 0, retired: false };
    all.add(port);
    counters.socketOpened();
    socket.on('message', (message, from) => receive(port, message, from));
    socket.on('error', (error: NodeJS.ErrnoException) => {
      // ICMP port unreachable: nothing that was sent from here is answered, but the socket is as good as before.
      if (error.code === 'ECONNREFUSED' && !port.retired) failWaiting(port, error);
      else failAll(port, error);
    });
    socket.connect(settings.port, settings.address);
    if (!port.retired) deadlines.add(life, settings.socketLifeMs);
    return port;
  }

  function receive(port: Port, message: Buffer, from: RemoteInfo): void {
    const attempt = message.length >= 12 ? port.waiting.get(idOf(message)) : undefined;
    // A datagram may have been queued between bind and connect, from anyone.
    const expected = from.port === settings.port && from.address === settings.address;
    if (attempt === undefined || !expected || !isReplyTo(message, attempt.query, attempt.exactSpelling)) {
      counters.ignored();
      return;
    }
    forget(port, idOf(message));
    attempt.replied(message);
  }

  function failAll(port: Port, error: Error): void {
    port.retired = true;
    closePort(port);
    failWaiting(port, error);
  }

  function failWaiting(port: Port, error: Error): void {
    const waiting = [...port.waiting.values()];
    port.waiting.clear();
    for (const attempt of waiting) attempt.failed((error as NodeJS.ErrnoException).code ?? error.message);
  }

  function retire(port: Port): void {
    port.retired = true;
    if (port.waiting.size === 0) closePort(port);
  }

  function forget(port: Port, id: number): void {
    port.waiting.delete(id);
    if (port.retired && port.waiting.size === 0) closePort(port);
  }

  function closePort(port: Port): void {
    if (!all.delete(port)) return;
    deadlines.remove(port.life);
    port.socket.removeAllListeners('error');
    port.socket.on('error', () => {});
    port.socket.close();
  }

  return {
    send(attempt) {
      let port: Port | undefined;
      try {
        port = usable(random.below(settings.sockets));
        let id = random.id();
        while (port.waiting.has(id)) id = random.id();
        setId(attempt.query, id);
        port.socket.send(attempt.query, 0, attempt.query.length);
        port.queries++;
        port.waiting.set(id, attempt);
      } catch (error) {
        // No network, no free descriptor: node throws where it could not bind or connect.
        if (port !== undefined) failAll(port, error as Error);
        attempt.failed((error as NodeJS.ErrnoException).code ?? (error as Error).message);
        return () => {};
      }
      const sent = port;
      return () => {
        const id = idOf(attempt.query);
        if (sent.waiting.get(id) === attempt) forget(sent, id);
      };
    },
    open: () => all.size,
    close() {
      for (const port of [...all]) failAll(port, new Error('closed'));
    },
  };
}
