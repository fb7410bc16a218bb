// `cache`: which answers of upstream servers are cached, and how long. Names of our own zones are never cached.
import * as v from 'valibot';
import {
  CACHE_DEFAULTS,
  type CacheSettings,
  PREFETCH_DEFAULTS,
  SERVE_STALE_DEFAULTS,
} from '../../plane/forward-settings.ts';
import type { Reporter } from '../../reading/problem.ts';
import { expecting, flag, integer, list, mapping, seconds, whichever } from '../../reading/shape.ts';
import { absoluteName, domainName } from './names.ts';

const MAX_TTL = 2_147_483_647;
const ttl = (description: string) => integer(0, MAX_TTL, description);
const zones = (description: string) => v.optional(list(domainName('a zone', 'A zone.'), description), []);

const serveStaleSchema = mapping(
  {
    maxStaleSeconds: v.optional(
      integer(1, MAX_TTL, 'How long after its TTL an answer may be served.'),
      SERVE_STALE_DEFAULTS.maxStaleSeconds,
    ),
    ttlSeconds: v.optional(integer(1, MAX_TTL, 'TTL of stale answers.'), SERVE_STALE_DEFAULTS.ttlSeconds),
    clientTimeoutSeconds: v.optional(
      seconds(
        0,
        60,
        'How long to wait for upstream servers before serving a stale answer; 0: serve stale at once and refresh in the background.',
      ),
      SERVE_STALE_DEFAULTS.clientTimeoutMs / 1000,
    ),
    failureRecheckSeconds: v.optional(
      seconds(0, 3600, 'How long after a failure stale answers are served at once.'),
      SERVE_STALE_DEFAULTS.failureRecheckSeconds,
    ),
  },
  'Serve-stale (RFC 8767).',
);

const prefetchSchema = mapping(
  {
    hits: v.optional(
      integer(1, 1_000_000, 'An answer is popular if it is requested this often…'),
      PREFETCH_DEFAULTS.hits,
    ),
    windowSeconds: v.optional(seconds(1, 86_400, '…within this many seconds.'), PREFETCH_DEFAULTS.windowSeconds),
    percent: v.optional(
      integer(1, 90, 'It is refreshed when less than this percentage of its TTL remains.'),
      PREFETCH_DEFAULTS.percent,
    ),
  },
  'Refreshes popular answers before they expire.',
);

const onOr = <const Section extends v.GenericSchema>(section: Section, description: string) =>
  v.optional(
    v.pipe(
      whichever((input) => typeof input === 'boolean', v.boolean(expecting('true, false or a mapping')), section),
      v.description(description),
    ),
    false,
  );

const cacheSchema = mapping(
  {
    enabled: v.optional(flag('false: every query goes upstream.'), true),
    maxEntries: v.optional(integer(1, 10_000_000, 'Maximum number of answers, per thread.'), CACHE_DEFAULTS.maxEntries),
    maxBytes: v.optional(
      integer(65_536, 17_179_869_184, 'Maximum memory for answers, per thread.'),
      CACHE_DEFAULTS.maxBytes,
    ),
    minTtlSeconds: v.optional(
      ttl('Lower bound for TTLs; answers with TTL 0 are never cached.'),
      CACHE_DEFAULTS.minTtlSeconds,
    ),
    maxTtlSeconds: v.optional(ttl('Upper bound for TTLs.'), CACHE_DEFAULTS.maxTtlSeconds),
    minNegativeTtlSeconds: v.optional(
      ttl('The same for NXDOMAIN and empty answers.'),
      CACHE_DEFAULTS.minNegativeTtlSeconds,
    ),
    maxNegativeTtlSeconds: v.optional(
      ttl('The same for NXDOMAIN and empty answers.'),
      CACHE_DEFAULTS.maxNegativeTtlSeconds,
    ),
    servfailSeconds: v.optional(
      integer(1, 300, 'How long failures are cached (RFC 9520 requires at least one second).'),
      CACHE_DEFAULTS.servfailTtlSeconds,
    ),
    serveStale: onOr(serveStaleSchema, 'Serve expired answers if upstream servers fail (RFC 8767): true, or settings.'),
    prefetch: onOr(prefetchSchema, 'Refresh popular answers before they expire: true, or settings.'),
    disabledZones: zones('Names at or below these are not cached.'),
    disabledNegativeZones: zones('Negative answers for names at or below these are not cached.'),
  },
  'Cache of upstream answers.',
);

export const cacheEntry = v.optional(cacheSchema, {});

export type CacheInput = v.InferOutput<typeof cacheSchema>;

export function checkCache(input: CacheInput, reporter: Reporter): void {
  if (input.minTtlSeconds > input.maxTtlSeconds)
    reporter.problem(['cache', 'minTtlSeconds'], '`minTtlSeconds` is more than `maxTtlSeconds`');
  if (input.minNegativeTtlSeconds > input.maxNegativeTtlSeconds)
    reporter.problem(
      ['cache', 'minNegativeTtlSeconds'],
      '`minNegativeTtlSeconds` is more than `maxNegativeTtlSeconds`',
    );
}

export function buildCache(input: CacheInput): CacheSettings {
  const { serveStale, prefetch, servfailSeconds, disabledZones, disabledNegativeZones, ...rest } = input;
  const stale = serveStale === true ? v.parse(serveStaleSchema, {}) : serveStale;
  return {
    ...rest,
    servfailTtlSeconds: servfailSeconds,
    serveStale:
      stale === false
        ? undefined
        : {
            maxStaleSeconds: stale.maxStaleSeconds,
            ttlSeconds: stale.ttlSeconds,
            clientTimeoutMs: stale.clientTimeoutSeconds * 1000,
            failureRecheckSeconds: stale.failureRecheckSeconds,
          },
    prefetch: prefetch === true ? PREFETCH_DEFAULTS : prefetch === false ? undefined : prefetch,
    disabledZones: disabledZones.map((zone) => absoluteName(zone)),
    disabledNegativeZones: disabledNegativeZones.map((zone) => absoluteName(zone)),
  };
}
