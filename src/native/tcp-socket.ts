// A socket that listens on TCP, made by us: Node 20 cannot ask for SO_REUSEPORT, by which the kernel spreads connections
// over data threads, nor let us accept ourselves.

import {
  AF_INET,
  AF_INET6,
  errorCode,
  IPPROTO_IPV6,
  IPPROTO_TCP,
  IPV6_V6ONLY,
  type Libc,
  SO_RCVBUF,
  SO_REUSEADDR,
  SO_REUSEPORT,
  SO_SNDBUF,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOCK_STREAM,
  SOL_SOCKET,
  TCP_NODELAY,
} from './libc.ts';
import { listenError } from './listen-error.ts';
import type { SocketAddress } from './socket-address.ts';
import { composeSocketAddress } from './socket-address.ts';

/**
 * What the kernel keeps for one connection, twice as much with its own structures: it is charged to the container. Left to
 * itself, it keeps megabytes (net.ipv4.tcp_wmem) for who reads nothing. Queries are short, and the longest answer is 64 KiB.
 */
const SEND_BUFFER_BYTES = 65_536;
const RECEIVE_BUFFER_BYTES = 16_384;

/** `shared`: other threads bind the same address. Gives the descriptor. Throws ListenError. */
export function openTcpSocket(libc: Libc, address: SocketAddress, shared: boolean, backlog: number): number {
  const sockaddr = composeSocketAddress(address);
  const ipv6 = sockaddr[0] === AF_INET6;
  const fd = libc.socket(ipv6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) throw listenError(address, 'tcp', errorCode(libc.errno()));
  const set = (level: number, option: number, value: number) =>
    libc.setsockopt(fd, level, option, new Uint8Array(Int32Array.of(value).buffer), 4);
  set(SOL_SOCKET, SO_REUSEADDR, 1);
  if (shared) set(SOL_SOCKET, SO_REUSEPORT, 1);
  if (ipv6) set(IPPROTO_IPV6, IPV6_V6ONLY, 1);
  // Accepted sockets have all that follows from here (Linux). An answer never waits for the one before it to be acknowledged.
  set(IPPROTO_TCP, TCP_NODELAY, 1);
  set(SOL_SOCKET, SO_SNDBUF, SEND_BUFFER_BYTES);
  set(SOL_SOCKET, SO_RCVBUF, RECEIVE_BUFFER_BYTES);
  if (libc.bind(fd, sockaddr, sockaddr.length) === 0 && libc.listen(fd, backlog) === 0) return fd;
  const code = errorCode(libc.errno());
  libc.close(fd);
  throw listenError(address, 'tcp', code);
}
