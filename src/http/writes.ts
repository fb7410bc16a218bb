// Whether a request may write. Browsers run third-party code beside an operator's port-forward, and DNS rebinding lets that
// code reach a loopback address under a foreign name.
import { isIP } from 'node:net';
import { isLoopback } from '../config/sections/listen.ts';
import type { HttpRequest } from './endpoint.ts';

/**
 * Why a request must not write; undefined: it may. `access` tells who may: anyone who reaches the address; anyone, where it is
 * loopback; or those who sign. A signed request or one with the admin token proves its origin, whatever its Host.
 */
export function refusalOfWrite(
  { headers, boundTo, isAuthenticated }: Pick<HttpRequest, 'headers' | 'boundTo' | 'isAuthenticated'>,
  access: 'anyone' | 'loopback' | 'signed',
): string | undefined {
  if (headers.origin !== undefined || headers['sec-fetch-site'] !== undefined)
    return 'web pages may not write: the request has an Origin or Sec-Fetch-Site header';
  if (access === 'signed' || isAuthenticated) return undefined;
  if (access === 'loopback' && !isLoopback(boundTo))
    return `unsigned writes require a loopback address, but HTTP listens on ${boundTo}`;
  if (!isOwnHost(String(headers.host ?? '')))
    return 'the Host header must be an IP address or localhost: use that in the URL';
  return undefined;
}

/** A name could belong to anyone. */
function isOwnHost(host: string): boolean {
  const name = host.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1');
  return name.toLowerCase() === 'localhost' || isIP(name) !== 0;
}
