// Accepts connections, a limited number per turn, and handles those that cannot be accepted.
import type { Clock, Timer } from '../../clock.ts';
import type { Libc } from '../../native/libc.ts';
import { ACCEPT_EXHAUSTED, createAccept, NOTHING_TO_ACCEPT } from '../../native/tcp-connection.ts';
import { COUNTER, type Counters } from '../../plane/counters.ts';

export interface AcceptorDeps {
  readonly libc: Libc;
  readonly clock: Clock;
  readonly counters: Counters;
  /** The listening socket. */
  readonly fd: number;
  /** Whether epoll is to report connections that can be accepted. */
  setListening(on: boolean): void;
  /** Closes the connection that has been idle for longest; false: all are active. */
  makeRoom(): boolean;
  /** A connection, with the client's address and port. */
  serve(fd: number, client: Uint8Array, port: number): void;
}

export interface Acceptor {
  /** Accepts waiting connections, as many as one turn allows. */
  accept(): void;
  /** Accepts all of them, before the listening socket is closed: those that are left are reset. */
  acceptAll(): void;
  stop(): void;
}

/** Connections that the kernel has accepted and we have not. */
export const TCP_BACKLOG = 1024;
/** Connections accepted in one turn at most, so that neither transport keeps the other waiting. */
const ACCEPTS_A_TURN = 32;
/** Pause of accepting if no descriptor is left: epoll would report the next connection repeatedly. */
const ACCEPT_AGAIN_MS = 100;

export function createAcceptor(deps: AcceptorDeps): Acceptor {
  const { clock, counters, fd: listener, setListening, makeRoom, serve } = deps;
  const { accept, client, port } = createAccept(deps.libc);
  let again: Timer | undefined;

  /** At most `limit`. */
  const acceptUpTo = (limit: number): void => {
    let madeRoom = false;
    for (let i = 0; i < limit; i++) {
      const fd = accept(listener);
      if (fd >= 0) {
        serve(fd, client(), port());
        madeRoom = false;
        continue;
      }
      if (fd === NOTHING_TO_ACCEPT) return;
      // Once for each: where a closed connection gave no room, closing more would not either.
      if (fd === ACCEPT_EXHAUSTED && !madeRoom && makeRoom()) {
        madeRoom = true;
        continue;
      }
      counters[COUNTER.TCP_REFUSED]++;
      if (fd !== ACCEPT_EXHAUSTED) continue;
      setListening(false);
      again = clock.setTimeout(() => setListening(true), ACCEPT_AGAIN_MS);
      return;
    }
  };

  return {
    accept: () => acceptUpTo(ACCEPTS_A_TURN),
    acceptAll: () => acceptUpTo(TCP_BACKLOG),
    stop: () => again?.cancel(),
  };
}
