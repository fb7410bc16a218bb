// Accepting and closing TCP connections.
import os from 'node:os';
import { type Libc, SIOCOUTQ, SO_LINGER, SOCK_CLOEXEC, SOCK_NONBLOCK, SOL_SOCKET } from './libc.ts';
import { ipOf, SOCKADDR_BYTES } from './socket-address.ts';

const { EAGAIN, EMFILE, ENFILE, ENOBUFS, ENOMEM } = os.constants.errno;

export const NOTHING_TO_ACCEPT = -1;
/** The connection was aborted before it was accepted; the next one may be fine (accept(2)). */
const ACCEPT_FAILED = -2;
/** No descriptor or no memory is left: the connection keeps waiting. */
export const ACCEPT_EXHAUSTED = -3;

export interface Accept {
  /** A descriptor, or one of the above. */
  accept(listener: number): number;
  /** The address of the client accepted last, 4 or 16 bytes. */
  client(): Uint8Array;
  port(): number;
}

export function createAccept(libc: Libc): Accept {
  const peer = libc.allocate(SOCKADDR_BYTES + 4);
  const bytes = new Uint8Array(peer.buffer);
  const length = new Uint32Array(peer.buffer, SOCKADDR_BYTES, 1);
  const lengthAddress = peer.address + BigInt(SOCKADDR_BYTES);
  return {
    accept(listener) {
      length[0] = SOCKADDR_BYTES;
      const fd = libc.accept4(listener, peer.address, lengthAddress, SOCK_CLOEXEC | SOCK_NONBLOCK);
      if (fd >= 0) return fd;
      const errno = libc.errno();
      if (errno === EAGAIN) return NOTHING_TO_ACCEPT;
      const exhausted = errno === EMFILE || errno === ENFILE || errno === ENOBUFS || errno === ENOMEM;
      return exhausted ? ACCEPT_EXHAUSTED : ACCEPT_FAILED;
    },
    client: () => ipOf(bytes).slice(),
    port: () => (bytes[2] << 8) | bytes[3],
  };
}

/** struct linger: on, 0 seconds (socket(7)). */
const LINGER_NOT = new Uint8Array(Int32Array.of(1, 0).buffer);

/**
 * Closes the descriptor with a reset (RFC 9293 section 3.10.5) instead of a FIN. After a FIN the kernel keeps unread answers
 * until the client reads them or disappears, for minutes and beyond our limits; after a reset it keeps nothing.
 */
export function closeWithReset(libc: Libc, fd: number): void {
  libc.setsockopt(fd, SOL_SOCKET, SO_LINGER, LINGER_NOT, LINGER_NOT.length);
  libc.close(fd);
}

/** Returns a function that counts the bytes sent, or to be sent, that the other side has not acknowledged; a FIN is one. */
export function createUntakenBytes(libc: Libc): (fd: number) => number {
  const memory = libc.allocate(4);
  const bytes = new Int32Array(memory.buffer);
  return (fd) => (libc.ioctl(fd, SIOCOUTQ, memory.address) === 0 ? bytes[0] : 0);
}
