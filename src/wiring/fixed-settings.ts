// Settings that a reload does not change: data threads, sockets and the Cloud Map store are created once, at start-up.
import type { Config } from '../config/config.ts';
import type { Logger } from '../log.ts';

/** By the keys of the file. Everything else takes effect on reload. */
const FIXED: Readonly<Record<string, (config: Config) => unknown>> = {
  cloudMap: ({ cloudMap }) => cloudMap,
  ecs: ({ ecs }) => ecs,
};

/** The keys of the file whose new values require a restart. */
export function changedFixedSettings(before: Config, after: Config): string[] {
  return Object.entries(FIXED)
    .filter(([, of]) => JSON.stringify(of(before)) !== JSON.stringify(of(after)))
    .map(([key]) => key);
}

export function warnOfFixedSettings(before: Config, after: Config, log: Logger): void {
  const settings = changedFixedSettings(before, after);
  if (settings.length > 0) log.warn(`${settings.join(', ')} changed: this requires a restart`, { settings });
}
