// Queries over UDP, hard to forge: connected sockets (the kernel drops what other addresses send) on random ports, each
// used for few queries and a short time, so that a port found by probing (SAD DNS, CVE-2020-25705) is gone before it is of
// use, and IDs from crypto.

import { createIdTable, type IdTable } from '../../memory/id-table.ts';
import type { ConnectedSocket, OpenSocket } from '../../native/connected-datagram.ts';
import { type Attempt, socketFailure, TOO_BUSY, type Transport, type TransportCounters } from './attempt.ts';
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

const REFUSED = 'ECONNREFUSED';

interface Port {
  readonly socket: ConnectedSocket;
  readonly waiting: IdTable<Attempt>;
  readonly life: Deadline;
  /** Soon, not at once: in the middle of sending one question, those that fail would send others. */
  readonly refusal: Deadline;
  queries: number;
  /** Takes no more queries and closes with the last reply. */
  retired: boolean;
}

export function createUdp(
  settings: UdpSettings,
  deadlines: Deadlines,
  random: Unpredictable,
  counters: TransportCounters,
  openSocket: OpenSocket,
): Transport {
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
    const socket = openSocket(settings.address, settings.port, {
      received: (message) => receive(port, message),
      stranger: counters.ignored,
      failed(code) {
        if (code === REFUSED) refuse(port);
        else failAll(port, code);
      },
    });
    const waiting = createIdTable<Attempt>(settings.queriesPerSocket);
    const port: Port = {
      socket,
      waiting,
      life: deadline(() => retire(port)),
      refusal: deadline(() => refuse(port)),
      queries: 0,
      retired: false,
    };
    all.add(port);
    counters.socketOpened();
    deadlines.add(port.life, settings.socketLifeMs);
    return port;
  }

  function receive(port: Port, message: Uint8Array): void {
    const attempt = message.length >= 12 ? port.waiting.get(idOf(message)) : undefined;
    if (attempt === undefined || !isReplyTo(message, attempt.query, attempt.exactSpelling)) {
      counters.ignored();
      return;
    }
    forget(port, idOf(message));
    attempt.replied(message);
  }

  /** Nothing that was sent from here is answered, but the socket is as good as before. */
  function refuse(port: Port): void {
    deadlines.remove(port.refusal);
    if (port.retired) failAll(port, REFUSED);
    else failWaiting(port, REFUSED);
  }

  function failAll(port: Port, code: string): void {
    port.retired = true;
    closePort(port);
    failWaiting(port, code);
  }

  function failWaiting(port: Port, code: string): void {
    for (const attempt of port.waiting.takeAll()) attempt.failed(code);
  }

  function retire(port: Port): void {
    port.retired = true;
    if (port.waiting.size() === 0) closePort(port);
  }

  function forget(port: Port, id: number): void {
    port.waiting.delete(id);
    if (port.retired && port.waiting.size() === 0) closePort(port);
  }

  function closePort(port: Port): void {
    if (!all.delete(port)) return;
    deadlines.remove(port.life);
    deadlines.remove(port.refusal);
    port.socket.close();
  }

  return {
    send(attempt) {
      let port: Port | undefined;
      try {
        port = usable(random.below(settings.sockets));
        let id = random.id();
        while (port.waiting.get(id) !== undefined) id = random.id();
        setId(attempt.query, id);
        if (port.socket.send(attempt.query)) deadlines.add(port.refusal, 0);
        port.queries++;
        port.waiting.add(id, attempt);
        attempt.via = port;
      } catch (error) {
        // No network, no free descriptor, no room.
        const reason = socketFailure(error as Error);
        if (port !== undefined && reason !== TOO_BUSY) failAll(port, reason);
        attempt.failed(reason);
      }
    },
    cancel(attempt) {
      const port = attempt.via as Port | undefined;
      const id = idOf(attempt.query);
      if (port?.waiting.get(id) === attempt) forget(port, id);
    },
    open: () => all.size,
    close() {
      for (const port of [...all]) failAll(port, 'closed');
    },
  };
}
