// Settings that a reload does not change: data threads, sockets and the Cloud Map store are created once, at start-up.
import type { Config } from '../config/config.ts';
import type { Logger } from '../log.ts';

/** By the keys of the file. Everything else takes effect on reload. */
const FIXED: Readonly<Record<string, (config: Config) => unknown>> = {
  listen: ({ listen }) => listen,
  threads: ({ threads }) => threads,
  server: ({ server: { lameduckSeconds, ...others } }) => others,
  limits: ({ limits }) => limits,
  cloudMap: ({ cloudMap }) => cloudMap,
  ecs: ({ ecs }) => ecs,
  forward: ({ forward }) => forward?.routes ?? [],
  cache: ({ forward }) => forward?.cache,
  hosts: ({ forward }) => forward?.hosts,
  templates: ({ forward }) => forward?.templates ?? [],
  dns64: ({ forward, front }) => forward?.dns64 ?? front?.dns64,
  rebindingFilter: ({ forward }) => forward?.rebinding,
  loopDetection: ({ forward }) => forward?.loopDetection,
  loadbalance: ({ forward }) => forward?.loadbalance,
  acl: ({ front }) => front?.acl ?? [],
  rewrite: ({ front }) => front?.rewrites ?? [],
  autopath: ({ front }) => front?.autopath,
  queryLog: ({ front }) => front?.queryLog,
};

/** The keys of the file whose new values require a restart. */
export function changedFixedSettings(before: Config, after: Config): string[] {
  const forwards = before.forward !== undefined && after.forward !== undefined;
  return Object.entries(FIXED)
    .filter(([, of]) => JSON.stringify(of(before)) !== JSON.stringify(of(after)))
    .map(([key]) => key)
    .filter((key) => forwards || !OF_FORWARDING.includes(key));
}

/** Their defaults depend on whether forwarding is configured. */
const OF_FORWARDING = ['cache', 'rebindingFilter', 'loopDetection', 'loadbalance'];

export function warnOfFixedSettings(before: Config, after: Config, log: Logger): void {
  const settings = changedFixedSettings(before, after);
  if (settings.length > 0) log.warn(`${settings.join(', ')} changed: this requires a restart`, { settings });
}
