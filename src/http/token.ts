// Endpoints that require a bearer token: those of an admin address that is not loopback.
import { createHash, timingSafeEqual } from 'node:crypto';
import type { Clock } from '../clock.ts';
import { type Endpoint, type HttpRequest, type HttpResponse, onceASecond, text } from './endpoint.ts';

/** Wrong tokens that are answered with 401 in one second; further ones are 429. The right one is always accepted. */
const WRONG_PER_SECOND = 10;

export type CheckToken = (request: Pick<HttpRequest, 'method' | 'headers'>) => HttpResponse | undefined;

/**
 * `read` returns the token in force; undefined: there is none, and all requests are rejected. It is called at most once a second,
 * so that a token that is replaced takes effect without a restart. The check returns the response to a request without it.
 */
export function createTokenCheck(read: () => string | undefined, clock: Pick<Clock, 'monotonicMs'>): CheckToken {
  const expected = onceASecond(clock, () => digest(read()));
  let second = 0;
  let wrong = 0;
  return ({ method, headers: { authorization } }) => {
    const token = expected();
    if (token === undefined) return text(503, 'the file of adminToken cannot be read, or is empty');
    const given = tokenIn(String(authorization ?? ''), method !== 'POST');
    // Of equal length, and compared in constant time.
    if (given !== undefined && timingSafeEqual(digest(given)!, token)) return undefined;
    const now = Math.floor(clock.monotonicMs() / 1000);
    wrong = now === second ? wrong + 1 : 1;
    second = now;
    if (wrong > WRONG_PER_SECOND) return text(429, 'too many requests without the token');
    return {
      ...text(401, 'a bearer token is required (adminToken)'),
      headers: { 'www-authenticate': challengeFor(method) },
    };
  };
}

/** One for each, because Chromium reads only the first challenge of a header. */
const challengeFor = (method: string): string =>
  method !== 'POST' ? 'Basic realm="healthdns: the admin token is the password"' : 'Bearer';

/**
 * Browsers ask people for a password, and then send it with every request, also with those that other sites make them send:
 * that is enough to read (other sites do not see the response), never to write.
 */
function tokenIn(authorization: string, mayBePassword: boolean): string | undefined {
  const [, scheme, given] = /^(Bearer|Basic) +(\S+)$/i.exec(authorization) ?? [];
  if (given === undefined || /^bearer$/i.test(scheme)) return given;
  return mayBePassword ? /:(\S+)$/.exec(Buffer.from(given, 'base64').toString())?.[1] : undefined;
}

const digest = (token: string | undefined): Buffer | undefined =>
  token === undefined || token === '' ? undefined : createHash('sha256').update(token).digest();

/** The endpoint for requests that pass the check. */
export const withToken = (endpoint: Endpoint, check: CheckToken): Endpoint => ({
  ...endpoint,
  handle: (request) => check(request) ?? endpoint.handle({ ...request, isAuthenticated: true }),
});
