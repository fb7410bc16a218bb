// What the two UDP transports have in common: udp-batched.ts and udp-plain.ts.
import { ListenError } from '../plane/plane.ts';
import type { SocketAddress } from '../plane/settings.ts';
import { formatSocketAddress } from './socket-address.ts';

export interface UdpSocket {
  /** The address bound, with the port that was chosen for port 0. */
  readonly bound: SocketAddress;
  readonly mode: 'batched' | 'plain';
  close(): Promise<void>;
}

const CAUSES: Readonly<Record<string, string>> = {
  EADDRINUSE: 'already in use',
  EACCES: 'permission denied (ports below 1024 need CAP_NET_BIND_SERVICE)',
  EPERM: 'permission denied',
  EADDRNOTAVAIL: 'not an address of this machine',
  EAFNOSUPPORT: 'this machine has no such address family',
};

/** "127.0.0.1:53/udp: already in use". */
export function listenError(address: SocketAddress, transport: 'udp' | 'tcp', code: string): ListenError {
  return new ListenError(`${formatSocketAddress(address)}/${transport}: ${CAUSES[code] ?? code}`, code);
}
