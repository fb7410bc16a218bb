// A TCP socket that every data thread binds, so that the kernel spreads connections over them: Node 20 cannot ask for
// SO_REUSEPORT itself.
import type { SocketAddress } from '../plane/settings.ts';
import {
  AF_INET,
  AF_INET6,
  errorCode,
  IPPROTO_IPV6,
  IPV6_V6ONLY,
  type Libc,
  SO_REUSEADDR,
  SO_REUSEPORT,
  SOCK_CLOEXEC,
  SOCK_STREAM,
  SOL_SOCKET,
} from './libc.ts';
import { composeSocketAddress } from './socket-address.ts';
import { listenError } from './udp.ts';

/** A bound descriptor for `server.listen({ fd })`, which then owns it. Throws ListenError. */
export function openSharedTcpSocket(libc: Libc, address: SocketAddress): number {
  const sockaddr = composeSocketAddress(address);
  const ipv6 = sockaddr[0] === AF_INET6;
  const fd = libc.socket(ipv6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) throw listenError(address, 'tcp', errorCode(libc.errno()));
  const one = new Uint8Array(Int32Array.of(1).buffer);
  libc.setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, one, 4);
  libc.setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, one, 4);
  if (ipv6) libc.setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, one, 4);
  if (libc.bind(fd, sockaddr, sockaddr.length) === 0) return fd;
  const code = errorCode(libc.errno());
  libc.close(fd);
  throw listenError(address, 'tcp', code);
}
