// Answers that need no other server: hosts, then templates. Only for names that are not in our zones.
import type { Clock } from '../clock.ts';
import type { WireName } from '../plane/records.ts';
import { createHosts } from './hosts.ts';
import type { Judged } from './judge.ts';
import type { ForwardQuestion } from './question.ts';
import type { ForwardSettings } from './settings.ts';
import { createTemplates } from './template.ts';

export interface Local {
  find(question: ForwardQuestion): Judged | undefined;
  stop(): void;
}

export interface LocalDeps {
  readonly clock: Clock;
  log(level: 'info' | 'warn', message: string): void;
  /** Answers for these names may be different from now on. */
  onChange(names: readonly WireName[]): void;
}

/** undefined: nothing is stated, so that nothing is spent on asking. */
export function createLocal(settings: ForwardSettings, deps: LocalDeps): Local | undefined {
  if (settings.hosts === undefined && settings.templates.length === 0) return undefined;
  const hosts = settings.hosts && createHosts(settings.hosts, deps.clock, deps.log, deps.onChange);
  const fromTemplate = createTemplates(settings.templates);
  return {
    find: (question) => hosts?.find(question) ?? fromTemplate(question),
    stop: () => hosts?.stop(),
  };
}
