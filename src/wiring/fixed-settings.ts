// What a reload does not change: the data threads, the sockets and the Cloud Map store are made once, at the start.
import type { Config } from '../config/config.ts';
import type { Logger } from '../log.ts';

/** By the keys that the file has them under. What is not here is in force as soon as a file has been read again. */
const FIXED: Readonly<Record<string, (config: Config) => unknown>> = {
  listen: ({ listen }) => listen,
  http: ({ http }) => http,
  admin: ({ admin }) => admin,
  adminToken: ({ adminToken }) => adminToken,
  threads: ({ threads }) => threads,
  server: ({ server: { lameduckSeconds, ...others } }) => others,
  limits: ({ limits }) => limits,
  cloudMap: ({ cloudMap }) => cloudMap,
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

/** The keys of the file whose new values wait for the next start. */
export function changedFixedSettings(before: Config, after: Config): string[] {
  const forwards = before.forward !== undefined && after.forward !== undefined;
  return Object.entries(FIXED)
    .filter(([, of]) => JSON.stringify(of(before)) !== JSON.stringify(of(after)))
    .map(([key]) => key)
    .filter((key) => forwards || !OF_FORWARDING.includes(key));
}

/** Their defaults come and go with forwarding as a whole. */
const OF_FORWARDING = ['cache', 'rebindingFilter', 'loopDetection', 'loadbalance'];

export function warnOfFixedSettings(before: Config, after: Config, log: Logger): void {
  const settings = changedFixedSettings(before, after);
  if (settings.length > 0) log.warn(`${settings.join(', ')} changed: this requires a restart`, { settings });
}
