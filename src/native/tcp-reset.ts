// Giving up what a client has not taken. Of a connection that is closed with a FIN the kernel keeps the answers until the
// client takes them or goes, for minutes and beyond our limits; of one that is reset it keeps nothing.
import { type Libc, SIOCOUTQ, SO_LINGER, SOL_SOCKET } from './libc.ts';

/** struct linger: on, 0 seconds (socket(7)). */
const LINGER_NOT = new Uint8Array(Int32Array.of(1, 0).buffer);

/** Closes the descriptor, with a reset (RFC 9293 section 3.10.5) instead of a FIN. */
export function closeWithReset(libc: Libc, fd: number): void {
  libc.setsockopt(fd, SOL_SOCKET, SO_LINGER, LINGER_NOT, LINGER_NOT.length);
  libc.close(fd);
}

/** Gives what tells how many bytes the kernel has sent, or is to send, that the other side has not acknowledged; a FIN is one. */
export function createUntakenBytes(libc: Libc): (fd: number) => number {
  const memory = libc.allocate(4);
  const bytes = new Int32Array(memory.buffer);
  return (fd) => (libc.ioctl(fd, SIOCOUTQ, memory.address) === 0 ? bytes[0] : 0);
}
