// What the data plane is told, after validation. Crosses to the data threads as it is, so plain data only.
import type { SocketAddress } from '../native/socket-address.ts';
import type { ForwardSettings, FrontSettings } from './forward-settings.ts';

export interface DataPlaneSettings {
  /** UDP and TCP. Port 0: any free port, the same for both and in every thread. */
  readonly listen: readonly SocketAddress[];
  /** How many data threads, at least 1. */
  readonly threads: number;
  /** batched: recvmmsg/sendmmsg, fails to start where it cannot; plain: dgram; auto: batched where it works. */
  readonly udp: 'auto' | 'batched' | 'plain';
  readonly responder: ResponderSettings;
  readonly tcp: TcpSettings;
  /** undefined: names outside our zones are REFUSED. */
  readonly forward: ForwardSettings | undefined;
  /** undefined: no access lists, rewriting, search path or query log. */
  readonly front?: FrontSettings | undefined;
  /** How many bytes the kernel may keep of unread queries, per socket. */
  readonly receiveBufferBytes: number;
}

/** What the answers themselves depend on, beside the table. */
export interface ResponderSettings {
  /** Largest UDP answer, and what our OPT offers. */
  readonly udpPayloadBytes: number;
  /** CH TXT version.bind and id.server; undefined: REFUSED. */
  readonly versionBind: string | undefined;
  readonly idServer: string | undefined;
  /** Names outside our zones are forwarded: RA is set. */
  readonly forwarding: boolean;
  /** What clients over TCP are told who ask for it (RFC 7828); as in TcpSettings. */
  readonly tcpIdleMs: number;
}

/** All limits are for one data thread. */
export interface TcpSettings {
  readonly connections: number;
  /** Since the client last asked and had read all answers, or last read some, or since the connection was opened. */
  readonly idleMs: number;
  /** A connection is closed after this, however busy. */
  readonly totalMs: number;
  /** A client that leaves so many bytes of answers unread is not read from until it has read them. */
  readonly unreadBytes: number;
  /** Of all clients, unfinished queries included: beyond it, those are closed that have not moved for longest. */
  readonly unreadTotalBytes: number;
}
