// The command's words, in any order as with dig: NAME [TYPE] [@server[:port]].
import { isIP } from 'node:net';
import { reverseName } from '../dns/name.ts';
import { parseType, TYPE } from '../dns/types.ts';
import type { ServerAddress } from './exchange.ts';

export const QUERY_DEFAULTS = {
  class: 1,
  tcp: false,
  timeoutMs: 3000,
  tries: 2,
  edns: true,
  recursionDesired: true,
} as const;

/** The arguments are invalid. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** Where `healthdns serve` listens by default. */
export const DEFAULT_SERVER = { server: '127.0.0.1', port: 1053 } as const;

export interface QueryWords {
  readonly name: string;
  readonly type: number;
  readonly server: string;
  readonly port: number;
}

/**
 * The first word that is not a server is the name, the second the type (A by default). An IP address without a type, or with
 * PTR, queries its reverse name, like `dig -x`. Without @server it is 127.0.0.1:1053; the default port of @server is 53.
 * Throws UsageError.
 */
export function parseQueryWords(words: readonly string[]): QueryWords {
  const servers = words.filter((word) => word.startsWith('@'));
  const [name, typeText, ...rest] = words.filter((word) => !word.startsWith('@'));
  if (name === undefined)
    throw new UsageError('missing argument: name. Try: healthdns query api.production.local A @127.0.0.1:1053');
  if (servers.length > 1) throw new UsageError(`one server is asked at a time, got ${servers.join(' and ')}`);
  if (rest.length > 0) throw new UsageError(`unexpected argument "${rest[0]}"; expected NAME [TYPE] [@server[:port]]`);
  const type = typeText === undefined ? undefined : parseType(typeText);
  if (typeText !== undefined && type === undefined) {
    throw new UsageError(`"${typeText}" is not a record type; expected one such as A, AAAA, SRV or TYPE65`);
  }
  const server = servers.length === 0 ? DEFAULT_SERVER : parseServer(servers[0].slice(1));
  if (isIP(name) && (type === undefined || type === TYPE.PTR))
    return { name: reverseName(name), type: TYPE.PTR, ...server };
  return { name, type: type ?? TYPE.A, ...server };
}

/** `host`, `host:port`, `ipv6`, `[ipv6]:port`. Throws UsageError. */
export function parseServer(text: string): { server: string; port: number } {
  if (isIP(text)) return { server: text, port: 53 };
  const [, bracketed, host, portText] = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d{1,5}))?$/.exec(text) ?? [];
  const server = bracketed ?? host;
  const port = portText === undefined ? 53 : Number(portText);
  if (server === undefined || port < 1 || port > 65_535 || (bracketed !== undefined && isIP(bracketed) !== 6)) {
    throw new UsageError(`"@${text}" is not a server; expected @ADDRESS, @ADDRESS:PORT or @[IPV6]:PORT`);
  }
  return { server, port };
}

/** The server's address; a host name is looked up with the system's resolver. Throws UsageError. */
export async function resolveServer(server: string, port: number): Promise<ServerAddress> {
  const family = isIP(server);
  if (family !== 0) return { address: server, port, family: family === 4 ? 4 : 6 };
  try {
    const found = await process.getBuiltinModule('node:dns/promises').lookup(server);
    return { address: found.address, port, family: found.family === 4 ? 4 : 6 };
  } catch (error) {
    throw new UsageError(`the server's name "${server}" has no address: ${(error as Error).message}`);
  }
}
