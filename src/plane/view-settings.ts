// Views: queries of some clients, to some addresses or for some names are answered by settings of their own, as in CoreDNS's
// server blocks. Sent to the data threads as they are, so plain data only.
import type { SocketAddress } from '../native/socket-address.ts';
import type { ForwardSettings, FrontSettings } from './forward-settings.ts';

export interface ViewSettings {
  readonly name: string;
  /** Queries that arrive at these addresses; empty, in the configuration only: those of the file. */
  readonly listen: readonly SocketAddress[];
  /** Of clients in these networks ("10.0.0.0/8"); empty: all. */
  readonly networks: readonly string[];
  /** For names at or below these, absolute; empty: all. */
  readonly names: readonly string[];
  /** Own zones that are answered, absolute; undefined: all. */
  readonly zones: readonly string[] | undefined;
  /** undefined: external names are REFUSED. */
  readonly forward: ForwardSettings | undefined;
  /** undefined: no access lists, rewrites, autopath or query log. */
  readonly front: FrontSettings | undefined;
}
