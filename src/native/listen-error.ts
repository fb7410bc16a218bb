// Errors of addresses that cannot be listened on.
import { formatSocketAddress, type SocketAddress } from './socket-address.ts';

/** An address cannot be listened on; the message names address, transport and cause: "127.0.0.1:53/udp: permission denied". */
export class ListenError extends Error {
  override readonly name = 'ListenError';
  readonly code: string;

  constructor(message: string, code: string) {
    super(message);
    this.code = code;
  }
}

const CAUSES: Readonly<Record<string, string>> = {
  EADDRINUSE: 'already in use',
  EACCES: 'permission denied (ports below 1024 need CAP_NET_BIND_SERVICE)',
  EPERM: 'permission denied',
  EADDRNOTAVAIL: 'the machine does not have this address',
  EAFNOSUPPORT: 'the machine does not support this address family',
};

/** "127.0.0.1:53/udp: already in use". */
export function listenError(address: SocketAddress, transport: 'udp' | 'tcp', code: string): ListenError {
  return new ListenError(`${formatSocketAddress(address)}/${transport}: ${CAUSES[code] ?? code}`, code);
}
