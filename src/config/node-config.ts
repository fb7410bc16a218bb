// The content of the file of `healthdns node` after validation.
import type { ForwardSettings, FrontSettings, UpstreamSettings } from '../plane/forward-settings.ts';
import type { Config, LimitsConfig, ListenAddress, ServerConfig } from './config.ts';

export interface NodeConfig {
  /** Absolute path of the file. */
  readonly file: string;
  readonly listen: readonly ListenAddress[];
  /** Empty: no HTTP. Loopback: it explains. */
  readonly http: readonly ListenAddress[];
  readonly logLevel: Config['logLevel'];
  /** The zones of the replicas, absolute: records outside them are ignored. */
  readonly zones: readonly string[];
  readonly replicas: ReplicasConfig;
  readonly hold: HoldConfig;
  readonly server: ServerConfig;
  readonly limits: LimitsConfig;
  /** Of names outside the zones; it has no routes if nothing is forwarded. */
  readonly forward: ForwardSettings;
  readonly front: FrontSettings | undefined;
}

export interface ReplicasConfig {
  /** DNS Push servers (RFC 8765): one has the session, the others stand by. */
  readonly push: readonly ListenAddress[];
  /** Ordinary DNS servers of the same zones, asked while there is no session. */
  readonly dns: readonly UpstreamSettings[];
  /** undefined: plain TCP, for tests. The file is read again for each session. */
  readonly tls: { readonly ca: string | undefined; readonly serverName: string | undefined } | undefined;
}

/** Limits of the records held. */
export interface HoldConfig {
  readonly rrsets: number;
  readonly bytes: number;
  /** An RRset that is not queried for this time is dropped. */
  readonly unusedSeconds: number;
  /** Negative answers of the replicas are not subscribed to, but cached for this long. */
  readonly negativeSeconds: number;
}
