// Validated settings of the data plane. Sent to the data threads as they are, so plain data only.
import type { SocketAddress } from '../native/socket-address.ts';
import type { ForwardSettings, FrontSettings } from './forward-settings.ts';
import type { ViewSettings } from './view-settings.ts';

export interface DataPlaneSettings {
  /** For UDP and TCP. Port 0: any free port, the same for both and in every thread. */
  readonly listen: readonly SocketAddress[];
  /** Number of data threads, at least 1. */
  readonly threads: number;
  /** batched: recvmmsg/sendmmsg, an error if not available; plain: dgram; auto: batched if available. */
  readonly udp: 'auto' | 'batched' | 'plain';
  /** SO_REUSEPORT with one thread, too: a second process may listen on the same addresses. */
  readonly reusePort?: boolean;
  readonly responder: ResponderSettings;
  readonly tcp: TcpSettings;
  /** undefined: external names are REFUSED. */
  readonly forward: ForwardSettings | undefined;
  /** undefined: no access lists, rewrites, autopath or query log. */
  readonly front?: FrontSettings | undefined;
  /** For some of the queries, instead of `forward` and `front`. */
  readonly views?: readonly ViewSettings[];
  /** Counts the most frequent names and clients. */
  readonly topQueries?: boolean;
  readonly dnstap?: DnstapSettings | undefined;
  /** DNS Push, by a thread of its own; undefined: none. */
  readonly push?: PushSettings | undefined;
  /** Receive buffer per UDP socket. */
  readonly receiveBufferBytes: number;
}

/** Where queries and responses are copied to. */
export interface DnstapSettings {
  /** An absolute path of a unix socket, or "tcp://ADDRESS:PORT". */
  readonly to: string;
  readonly identity: string;
  readonly version: string;
}

/** Sessions of DNS Push (RFC 8765). */
export interface PushSettings {
  readonly listen: readonly SocketAddress[];
  /** Paths; undefined: plain TCP. */
  readonly tls: { readonly cert: string; readonly key: string; readonly clientCa?: string | undefined } | undefined;
  /** At most 65,535. */
  readonly sessions: number;
  readonly sessionsPerClient: number;
  readonly subscriptionsPerSession: number;
  /** Of all sessions. */
  readonly subscriptions: number;
}

/** Settings that affect the answers. */
export interface ResponderSettings {
  /** Maximum UDP response, and the size offered in OPT. */
  readonly udpPayloadBytes: number;
  /** CH TXT version.bind and id.server; undefined: REFUSED. */
  readonly versionBind: string | undefined;
  readonly idServer: string | undefined;
  /** External names are forwarded: RA is set. */
  readonly forwarding: boolean;
  /** The timeout in the keepalive option for TCP clients (RFC 7828); as in TcpSettings. */
  readonly tcpIdleMs: number;
}

/** All limits apply per data thread. */
export interface TcpSettings {
  readonly connections: number;
  /** Idle time since the last query with all answers read, since the client last read, or since the connection was opened. */
  readonly idleMs: number;
  /** Maximum lifetime of a connection. */
  readonly totalMs: number;
  /** Bytes of unread answers beyond which no more queries are read from a client. */
  readonly unreadBytes: number;
  /** Of all clients, including unfinished queries; beyond it, the connections idle longest are closed. */
  readonly unreadTotalBytes: number;
}
