// A socket that listens on TCP, made by us: Node 20 cannot ask for SO_REUSEPORT, by which the kernel spreads connections
// over data threads, nor let us accept ourselves.
import type { SocketAddress } from '../plane/settings.ts';
import {
  AF_INET,
  AF_INET6,
  errorCode,
  IPPROTO_IPV6,
  IPPROTO_TCP,
  IPV6_V6ONLY,
  type Libc,
  SO_REUSEADDR,
  SO_REUSEPORT,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOCK_STREAM,
  SOL_SOCKET,
  TCP_NODELAY,
} from './libc.ts';
import { composeSocketAddress } from './socket-address.ts';
import { listenError } from './udp.ts';

/** `shared`: other threads bind the same address. Gives the descriptor. Throws ListenError. */
export function openTcpSocket(libc: Libc, address: SocketAddress, shared: boolean, backlog: number): number {
  const sockaddr = composeSocketAddress(address);
  const ipv6 = sockaddr[0] === AF_INET6;
  const fd = libc.socket(ipv6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) throw listenError(address, 'tcp', errorCode(libc.errno()));
  const one = new Uint8Array(Int32Array.of(1).buffer);
  libc.setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, one, 4);
  if (shared) libc.setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, one, 4);
  if (ipv6) libc.setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, one, 4);
  // Accepted sockets have it from here (Linux): an answer never waits for the one before it to be acknowledged.
  libc.setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, one, 4);
  if (libc.bind(fd, sockaddr, sockaddr.length) === 0 && libc.listen(fd, backlog) === 0) return fd;
  const code = errorCode(libc.errno());
  libc.close(fd);
  throw listenError(address, 'tcp', code);
}
