// Whether a request may write, or read what is for operators. Browsers run third-party code beside an operator's port-forward,
// and DNS rebinding lets that code reach a loopback address under a foreign name.
import { isIP } from 'node:net';
import { isLoopback } from '../config/sections/listen.ts';
import { type Endpoint, type HttpRequest, text } from './endpoint.ts';

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
  return isOwnHost(String(headers.host ?? '')) ? undefined : FOREIGN_HOST;
}

const FOREIGN_HOST = 'the Host header must be an IP address or localhost: use that in the URL';

/** The endpoint of a loopback address without a token: reads need a Host of their own as well. */
export const withOwnHost = (endpoint: Endpoint): Endpoint => ({
  ...endpoint,
  handle: (request) =>
    isLoopback(request.boundTo) && !isOwnHost(String(request.headers.host ?? ''))
      ? text(403, FOREIGN_HOST)
      : endpoint.handle(request),
});

/** A name could belong to anyone. */
function isOwnHost(host: string): boolean {
  const name = host.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1');
  return name.toLowerCase() === 'localhost' || isIP(name) !== 0;
}
