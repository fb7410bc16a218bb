// Suggestions for a name that does not exist: `healthdns query` requests them from the server's HTTP address.
import { ipFamily } from '../dns/ip.ts';
import type { Explanation } from '../http/explanation.ts';
import { requestServer } from './server-request.ts';

const TIMEOUT_MS = 1_000;
const LOCAL = 'http://127.0.0.1:8053';

/**
 * Lines for stderr; none if nothing resembles the name, or nobody answers there. Only a server on this host, or the one
 * that HEALTHDNS_HTTP names, is asked.
 */
export async function hintsFor(name: string, server: string, env: NodeJS.ProcessEnv): Promise<readonly string[]> {
  const { HEALTHDNS_HTTP: http = isLocal(server) ? LOCAL : undefined, HEALTHDNS_TOKEN_FILE: tokenFile } = env;
  if (http === undefined || ipFamily(name) !== 0) return [];
  try {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const absolute = name.endsWith('.') ? name : `${name}.`;
    const flags = { http, ...(tokenFile !== undefined && { tokenFile }) };
    const path = `explain/${encodeURIComponent(absolute)}?format=json`;
    const response = await requestServer(flags, path, { signal });
    if (!response.headers.has('x-healthdns-explanation')) return [];
    const { suggestions = [] } = (await response.json()) as Explanation;
    return suggestions.map((suggestion) => `did you mean ${suggestion}?`);
  } catch {
    return []; // a missing hint does not change the answer
  }
}

const isLocal = (server: string): boolean => server === '::1' || /^127\.|^localhost$/.test(server);
