// Sockets that listen on UDP or TCP. Node 20 does not support SO_REUSEPORT, with which the kernel distributes packets and
// connections over data threads, nor receiving and accepting with system calls.
import {
  AF_INET,
  AF_INET6,
  errorCode,
  IP_PKTINFO,
  IPPROTO_IP,
  IPPROTO_IPV6,
  IPPROTO_TCP,
  IPV6_RECVPKTINFO,
  IPV6_V6ONLY,
  type Libc,
  SK_MEMINFO_DROPS,
  SO_MEMINFO,
  SO_RCVBUF,
  SO_RCVBUFFORCE,
  SO_REUSEADDR,
  SO_REUSEPORT,
  SO_SNDBUF,
  SOCK_CLOEXEC,
  SOCK_DGRAM,
  SOCK_NONBLOCK,
  SOCK_STREAM,
  SOL_SOCKET,
  TCP_NODELAY,
} from './libc.ts';
import { listenError } from './listen-error.ts';
import { composeSocketAddress, isWildcard, type SocketAddress } from './socket-address.ts';

/**
 * Buffer sizes of one connection; with the kernel's own structures, twice as much is charged to the container. The default is
 * megabytes (net.ipv4.tcp_wmem) for a client that does not read. Queries are short; the longest answer is 64 KiB.
 */
const TCP_SEND_BUFFER_BYTES = 65_536;
const TCP_RECEIVE_BUFFER_BYTES = 16_384;

/** tcpmux: no client sends from there. */
const NOBODYS_PORT = 1;

type SetOption = (level: number, option: number, value: number) => boolean;

export interface UdpSocketOptions {
  /** Others bind the same address: SO_REUSEPORT. */
  readonly shared: boolean;
  readonly receiveBufferBytes: number;
}

/** Binds at once and returns the descriptor. Throws ListenError. */
export function openUdpSocket(libc: Libc, address: SocketAddress, options: UdpSocketOptions): number {
  return openBound(libc, address, 'udp', SOCK_DGRAM, options.shared, (set, ipv6) => {
    // With CAP_NET_ADMIN beyond net.core.rmem_max, otherwise up to it.
    if (!set(SOL_SOCKET, SO_RCVBUFFORCE, options.receiveBufferBytes)) {
      set(SOL_SOCKET, SO_RCVBUF, options.receiveBufferBytes);
    }
    if (!isWildcard(address.address)) return;
    if (ipv6) set(IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
    else set(IPPROTO_IP, IP_PKTINFO, 1);
  });
}

/** Binds and listens at once and returns the descriptor. Throws ListenError. */
export function openTcpSocket(libc: Libc, address: SocketAddress, shared: boolean, backlog: number): number {
  const fd = openBound(libc, address, 'tcp', SOCK_STREAM | SOCK_NONBLOCK, shared, (set) => {
    set(SOL_SOCKET, SO_REUSEADDR, 1);
    // Accepted sockets inherit the following options (Linux). TCP_NODELAY: answers do not wait for acknowledgements.
    set(IPPROTO_TCP, TCP_NODELAY, 1);
    set(SOL_SOCKET, SO_SNDBUF, TCP_SEND_BUFFER_BYTES);
    set(SOL_SOCKET, SO_RCVBUF, TCP_RECEIVE_BUFFER_BYTES);
  });
  if (libc.listen(fd, backlog) !== 0) throw closedAfterFailure(libc, fd, address, 'tcp');
  return fd;
}

function openBound(
  libc: Libc,
  address: SocketAddress,
  transport: 'udp' | 'tcp',
  type: number,
  shared: boolean,
  configure: (set: SetOption, ipv6: boolean) => void,
): number {
  const sockaddr = composeSocketAddress(address);
  const ipv6 = sockaddr[0] === AF_INET6;
  const fd = libc.socket(ipv6 ? AF_INET6 : AF_INET, type | SOCK_CLOEXEC, 0);
  if (fd < 0) throw listenError(address, transport, errorCode(libc.errno()));
  const set: SetOption = (level, option, value) =>
    libc.setsockopt(fd, level, option, new Uint8Array(Int32Array.of(value).buffer), 4) === 0;
  if (ipv6) set(IPPROTO_IPV6, IPV6_V6ONLY, 1);
  if (shared) set(SOL_SOCKET, SO_REUSEPORT, 1);
  configure(set, ipv6);
  if (libc.bind(fd, sockaddr, sockaddr.length) !== 0) throw closedAfterFailure(libc, fd, address, transport);
  return fd;
}

function closedAfterFailure(libc: Libc, fd: number, address: SocketAddress, transport: 'udp' | 'tcp'): Error {
  const code = errorCode(libc.errno());
  libc.close(fd);
  return listenError(address, transport, code);
}

/** Lets sockets of the same user bind the address of one that is bound, or no longer; false: the system cannot. */
export function shareAddress(libc: Libc, fd: number, on: boolean): boolean {
  const value = new Uint8Array(Int32Array.of(on ? 1 : 0).buffer);
  return libc.setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, value, 4) === 0;
}

/**
 * Has the kernel give no more packets to a UDP socket: one that is connected receives from its peer only, and others that
 * share its address are chosen instead (Linux 5.9 and later; without others, clients learn that the port is closed). What
 * lies in its queue can be read, and answers sent, as before.
 */
export function stopReceiving(libc: Libc, fd: number, { address }: SocketAddress): void {
  const loopback = address.includes(':') ? '::1' : '127.0.0.1';
  const peer = composeSocketAddress({ address: isWildcard(address) ? loopback : address, port: NOBODYS_PORT });
  libc.connect(fd, peer, peer.length);
}

/** Returns a function that counts the packets the kernel dropped at a UDP socket since its last call. */
export function createKernelDrops(libc: Libc): (fd: number) => number {
  const meminfo = new Uint8Array(36);
  const length = Uint8Array.of(36, 0, 0, 0);
  let known = 0;
  return (fd) => {
    if (libc.getsockopt(fd, SOL_SOCKET, SO_MEMINFO, meminfo, length) !== 0) return 0;
    const drops = new Uint32Array(meminfo.buffer)[SK_MEMINFO_DROPS];
    const added = (drops - known) >>> 0;
    known = drops;
    return added;
  };
}
