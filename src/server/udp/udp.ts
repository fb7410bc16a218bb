// The interface of both UDP transports: udp-batched.ts and udp-plain.ts.

import type { SocketAddress } from '../../native/socket-address.ts';

export interface UdpSocket {
  /** The address bound, with the port that was chosen for port 0. */
  readonly bound: SocketAddress;
  readonly mode: 'batched' | 'plain';
  /** Lets others bind the same address, or no longer; false: they cannot. */
  share(on: boolean): boolean;
  /** Stops receiving, answers queries already received; late responses are still sent, if the transport can. */
  stop(): Promise<void>;
  close(): Promise<void>;
}
