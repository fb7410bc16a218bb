// Accepting connections by accept4, some in a turn, and what becomes of those that cannot be had.
import os from 'node:os';
import type { Clock, Timer } from '../../clock.ts';
import { type Libc, SOCK_CLOEXEC, SOCK_NONBLOCK } from '../../native/libc.ts';
import { ipOf, SOCKADDR_BYTES } from '../../native/socket-address.ts';
import { COUNTER, type Counters } from '../../plane/counters.ts';

export interface AcceptorDeps {
  readonly libc: Libc;
  readonly clock: Clock;
  readonly counters: Counters;
  /** The listening socket. */
  readonly fd: number;
  readonly wantsClient: boolean;
  /** Whether epoll is to tell of connections that can be accepted. */
  setListening(on: boolean): void;
  /** A connection, with the client's address where that is wanted. */
  serve(fd: number, client: Uint8Array | undefined): void;
}

export interface Acceptor {
  /** Accepts what is there, as much as one turn allows. */
  accept(): void;
  stop(): void;
}

/** What one turn accepts at most, so that neither transport keeps the other waiting. */
const ACCEPTS_A_TURN = 32;
/** Where there are no descriptors left, accepting rests for so long: epoll would tell of the next connection again and again. */
const ACCEPT_AGAIN_MS = 100;
const { EAGAIN, EMFILE, ENFILE, ENOBUFS, ENOMEM } = os.constants.errno;

export function createAcceptor(deps: AcceptorDeps): Acceptor {
  const { libc, clock, counters, fd: listener, wantsClient, setListening, serve } = deps;
  const peer = libc.allocate(SOCKADDR_BYTES + 4);
  const peerBytes = new Uint8Array(peer.buffer);
  const peerLength = new Uint32Array(peer.buffer, SOCKADDR_BYTES, 1);
  const from = wantsClient ? peer.address : null;
  const length = wantsClient ? peer.address + BigInt(SOCKADDR_BYTES) : null;
  let again: Timer | undefined;

  return {
    accept() {
      for (let i = 0; i < ACCEPTS_A_TURN; i++) {
        peerLength[0] = SOCKADDR_BYTES;
        const fd = libc.accept4(listener, from, length, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0) {
          serve(fd, wantsClient ? ipOf(peerBytes).slice() : undefined);
          continue;
        }
        const errno = libc.errno();
        if (errno === EAGAIN) return;
        // All else is about the connection that was to be accepted (accept(2)): the next may be well.
        counters[COUNTER.TCP_REFUSED]++;
        if (errno !== EMFILE && errno !== ENFILE && errno !== ENOBUFS && errno !== ENOMEM) continue;
        setListening(false);
        again = clock.setTimeout(() => setListening(true), ACCEPT_AGAIN_MS);
        return;
      }
    },
    stop: () => again?.cancel(),
  };
}
