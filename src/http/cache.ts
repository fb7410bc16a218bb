// The cache of external names: listing and flushing it.

import { NameError, parseName } from '../dns/name.ts';
import type { FlushScope } from '../plane/cache-orders.ts';
import type { RunningDataPlane } from '../plane/plane.ts';
import { type Endpoint, type HttpResponse, json, text } from './endpoint.ts';
import { refusalOfWrite } from './writes.ts';

const MAX_LISTED = 10_000;

/**
 * GET /cache lists cached answers, most recently used first (`?below=NAME`, `?limit=N` per data thread). POST /cache/flush
 * removes everything, `?name=NAME` or `?below=NAME`, and returns the number of answers.
 */
export function cacheEndpoints(plane: Pick<RunningDataPlane, 'listCache' | 'flushCache'>): Endpoint[] {
  const list: Endpoint = {
    path: '/cache',
    methods: ['GET'],
    handle: ({ query }) =>
      named(async () => {
        refuseUnknown(query, ['limit', 'below']);
        const limit = limitOf(query.get('limit') ?? '1000');
        const below = query.get('below');
        return json(200, await plane.listCache(limit, below === null ? undefined : parseName(below)));
      }),
  };
  const flush: Endpoint = {
    path: '/cache/flush',
    methods: ['POST'],
    handle: (request) =>
      named(async () => {
        const { query, headers } = request;
        const refusal = refusalOfWrite(request, 'anyone');
        if (refusal !== undefined) return text(403, refusal);
        // A web page cannot send this type to another origin without asking first.
        if (!String(headers['content-type'] ?? '').startsWith('application/json')) {
          return text(415, 'expected Content-Type: application/json');
        }
        refuseUnknown(query, ['name', 'below']);
        return json(200, { flushed: await plane.flushCache(scopeOf(query)) });
      }),
  };
  return [list, flush];
}

class ParameterError extends Error {}

/** A misspelled parameter must not extend the request: a flush without parameters removes everything. */
function refuseUnknown(query: URLSearchParams, known: readonly string[]): void {
  for (const key of query.keys()) {
    if (!known.includes(key)) throw new ParameterError(`unknown parameter: expected ${known.join(' or ')}`);
    if (query.getAll(key).length > 1) throw new ParameterError(`${key} is given twice`);
  }
}

function limitOf(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new ParameterError(`limit: expected a whole number, ${MAX_LISTED} at most`);
  return Math.min(MAX_LISTED, Number(text));
}

function scopeOf(query: URLSearchParams): FlushScope {
  if (query.has('name') && query.has('below')) throw new ParameterError('name or below, not both');
  const name = query.get('name');
  if (name !== null) return { kind: 'name', name: parseName(name) };
  const below = query.get('below');
  return below === null ? { kind: 'all' } : { kind: 'below', name: parseName(below) };
}

async function named(handle: () => Promise<HttpResponse>): Promise<HttpResponse> {
  try {
    return await handle();
  } catch (error) {
    if (error instanceof NameError || error instanceof ParameterError) return text(400, error.message);
    throw error;
  }
}
