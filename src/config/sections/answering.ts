// How queries are answered beside the zones: forwarding, and what stands in front of it. Keys of the file, and of each view.
import * as v from 'valibot';
import type { ForwardSettings, FrontSettings } from '../../plane/forward-settings.ts';
import type { Reporter } from '../../reading/problem.ts';
import type { LimitsConfig, ServerConfig, ZoneConfig } from '../config.ts';
import { buildRoutes, checkForward, forwardEntry } from './forward.ts';
import { buildCache, cacheEntry, checkCache } from './forward-cache.ts';
import { buildDns64, buildForwardLocal, checkForwardLocal, forwardLocalEntries } from './forward-local.ts';
import { buildFront, checkRewrites, frontEntries } from './front.ts';

export const answeringEntries = {
  forward: forwardEntry,
  cache: cacheEntry,
  ...forwardLocalEntries,
  ...frontEntries,
};

const inputSchema = v.object(answeringEntries);
export type AnsweringInput = v.InferOutput<typeof inputSchema>;

export interface Answering {
  /** undefined: external names are REFUSED. */
  readonly forward: ForwardSettings | undefined;
  /** undefined: no access lists, rewrites, autopath or query log. */
  readonly front: FrontSettings | undefined;
}

/** `isSound`: the section of that key has the shape that its schema requires. */
export function checkAnswering(
  input: AnsweringInput,
  folder: string,
  isSound: (key: keyof AnsweringInput) => boolean,
  reporter: Reporter,
): void {
  if (isSound('forward')) checkForward(input.forward, folder, reporter);
  if (isSound('cache')) checkCache(input.cache, reporter);
  if (isSound('templates')) checkForwardLocal(input, reporter);
  if (isSound('rewrite')) checkRewrites(input, reporter);
}

/** The keys of `limits` and `server` that apply to them. */
export type AnsweringLimits = LimitsConfig & Pick<ServerConfig, 'errorText'>;

export function buildAnswering(
  input: AnsweringInput,
  limits: AnsweringLimits,
  folder: string,
  zones: readonly ZoneConfig[],
  reporter: Reporter,
): Answering {
  return {
    forward: buildForward(input, limits, folder),
    front: buildFront(input, buildDns64(input), zones, reporter),
  };
}

function buildForward(input: AnsweringInput, limits: AnsweringLimits, folder: string): ForwardSettings | undefined {
  const settings = forwardSettings(input, limits, folder);
  const { routes, hosts, templates } = settings;
  return routes.length === 0 && hosts === undefined && templates.length === 0 ? undefined : settings;
}

export function forwardSettings(input: AnsweringInput, limits: AnsweringLimits, folder: string): ForwardSettings {
  const { forwardedQueries, forwardedQueriesPerClient, discardSeconds, errorsPerSecond, errorText } = limits;
  return {
    ...buildForwardLocal(input, folder),
    routes: buildRoutes(input.forward, folder),
    cache: buildCache(input.cache),
    maxConcurrent: forwardedQueries,
    errorText,
    clients: { maxWaiting: forwardedQueriesPerClient, discardMs: discardSeconds * 1000, errorsPerSecond },
  };
}
