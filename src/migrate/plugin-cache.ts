// `cache` (https://coredns.io/plugins/cache/) → `cache`, of the file or of a view.
import { seconds, zoneNames } from './draft.ts';
import { applyOptions, duration, keylessOption, type Option, type Plugin } from './plugin.ts';

/** CoreDNS's default lifetimes of cached answers. */
const COREDNS_DEFAULTS = { maxTtlSeconds: 3600, maxNegativeTtlSeconds: 1800 };

const OPTIONS: readonly Option[] = [
  {
    name: 'success',
    syntax: '`success CAPACITY [TTL] [MINTTL]`',
    healthdns: '`maxEntries`, `maxTtlSeconds`, `minTtlSeconds`',
    note: 'one capacity for positive and negative answers together',
    outcome: 'same',
    apply: ([capacity, ttl, minTtl], target) =>
      capacities(target, capacity, ttl, minTtl, ['maxTtlSeconds', 'minTtlSeconds']),
  },
  {
    name: 'denial',
    syntax: '`denial CAPACITY [TTL] [MINTTL]`',
    healthdns: '`maxNegativeTtlSeconds`, `minNegativeTtlSeconds`',
    outcome: 'same',
    apply: ([capacity, ttl, minTtl], target) =>
      capacities(target, capacity, ttl, minTtl, ['maxNegativeTtlSeconds', 'minNegativeTtlSeconds']),
  },
  {
    name: 'prefetch',
    syntax: '`prefetch AMOUNT [DURATION] [PERCENT]`',
    healthdns: '`prefetch: { hits, windowSeconds, percent }`',
    outcome: 'same',
    apply([amount, duration, percent], target) {
      const hits = Number(amount);
      if (!Number.isInteger(hits) || hits < 0) return `\`prefetch\` begins with a number, not "${amount ?? ''}"`;
      if (hits === 0) return undefined;
      target.prefetch = {
        hits,
        windowSeconds: Math.max(1, seconds(duration) ?? 60),
        percent: Math.min(90, Number(percent?.replace('%', '') ?? 10)),
      };
      return undefined;
    },
  },
  {
    name: 'serve_stale',
    syntax: '`serve_stale [DURATION] [immediate\\|verify [TIMEOUT]]`',
    healthdns: '`serveStale: { maxStaleSeconds, clientTimeoutSeconds }`',
    note: 'stale answers carry EDE 3',
    outcome: 'same',
    apply([duration, mode, timeout], target) {
      target.serveStale = {
        maxStaleSeconds: Math.max(1, seconds(duration) ?? 3600),
        // CoreDNS's default is "immediate": the stale answer first, the server behind it.
        clientTimeoutSeconds: mode === 'verify' ? (seconds(timeout) ?? 1.8) : 0,
      };
      return undefined;
    },
  },
  duration('servfail', 'servfailSeconds', { least: 1, most: 300, whole: true, note: 'at least 1 (RFC 9520)' }),
  {
    name: 'disable',
    syntax: '`disable success\\|denial [ZONE…]`',
    healthdns: '`disabledZones`, `disabledNegativeZones`',
    note: 'names of `zones` are never cached, so a zone that is answered here needs no line',
    outcome: 'same',
    apply([kind, ...zones], target) {
      if (kind !== 'success' && kind !== 'denial')
        return `\`disable\` is followed by success or denial, not "${kind ?? ''}"`;
      const key = kind === 'success' ? 'disabledZones' : 'disabledNegativeZones';
      const names = zones.length > 0 ? zones.flatMap(zoneNames).map(withoutDot) : ['.'];
      target[key] = [...((target[key] as string[] | undefined) ?? []), ...names];
      return undefined;
    },
  },
  keylessOption('keepttl', 'changed', 'none', 'TTLs of cached answers count down (RFC 1035 section 3.2.1)'),
];

export const cache: Plugin = {
  name: 'cache',
  syntax: '`cache [TTL] [ZONE…]`',
  healthdns: '`cache`',
  note: 'names of `zones` are never cached: health decides with every answer',
  options: OPTIONS,
  migrate(directive, block) {
    const [first, ...rest] = directive.args;
    const ttl = seconds(first);
    const zones = (ttl === undefined ? directive.args : rest).flatMap(zoneNames);
    const settings: Record<string, unknown> = {};
    if (ttl !== undefined) {
      settings.maxTtlSeconds = ttl;
      settings.maxNegativeTtlSeconds = Math.min(ttl, COREDNS_DEFAULTS.maxNegativeTtlSeconds);
    }
    applyOptions(cache, directive, settings, block);
    block.draft.cache = settings;
    block.comment('cache', directive);
    block.note(directive, 'same', 'forwarded names are cached; names of `zones` never are', 'short-ttl');
    if (zones.length > 0)
      block.note(
        directive,
        'changed',
        `cached for all forwarded names, not only for ${zones.join(', ')}; \`disabledZones\` names exceptions`,
      );
  },
};

function capacities(
  target: Record<string, unknown>,
  capacity: string | undefined,
  ttl: string | undefined,
  minTtl: string | undefined,
  [maxKey, minKey]: readonly [string, string],
): string | undefined {
  const entries = Number(capacity);
  if (!Number.isInteger(entries) || entries < 0) return `a capacity is a number, not "${capacity ?? ''}"`;
  if (entries > 0) target.maxEntries = ((target.maxEntries as number | undefined) ?? 0) + entries;
  const max = seconds(ttl);
  if (max !== undefined) target[maxKey] = Math.round(max);
  const min = seconds(minTtl);
  if (min !== undefined && min > 0) target[minKey] = Math.round(min);
  return undefined;
}

function withoutDot(name: string): string {
  return name === '.' ? name : name.replace(/\.$/, '');
}
