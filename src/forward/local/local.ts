// Answers that need no other server: hosts, then templates, then ipv4only.arpa. Only for names that are not in our zones.
import type { Clock } from '../../clock.ts';
import type { WireName } from '../../dns/name.ts';
import { TYPE } from '../../dns/types.ts';
import type { ForwardSettings } from '../../plane/forward-settings.ts';
import type { HostsCounts } from '../../plane/forward-statistics.ts';
import type { Answer } from '../upstream/answer.ts';
import type { ForwardQuestion } from '../upstream/question.ts';
import type { Dns64 } from './dns64.ts';
import { createHosts } from './hosts.ts';
import { createIpv4Only } from './ipv4only.ts';
import { createTemplates } from './template.ts';

export interface Local {
  answerTo(question: ForwardQuestion): Answer | undefined;
  /** The origin of the answer, for explanations: "hosts", "a template"; undefined: there is none. */
  sourceOf(question: ForwardQuestion): string | undefined;
  hosts(): HostsCounts | undefined;
  /** See Hosts. */
  readonly loaded: Promise<unknown>;
  stop(): void;
}

export interface LocalDeps {
  readonly clock: Clock;
  log(level: 'info' | 'warn', message: string): void;
  /** Answers for these names may be different from now on. */
  onChange(names: readonly WireName[]): void;
}

/** undefined: there are no local answers, so that lookups cost nothing. */
export function createLocal(settings: ForwardSettings, dns64: Dns64 | undefined, deps: LocalDeps): Local | undefined {
  if (settings.hosts === undefined && settings.templates.length === 0 && dns64 === undefined) return undefined;
  const hosts = settings.hosts && createHosts(settings.hosts, deps.clock, deps.log, deps.onChange);
  const fromTemplate = createTemplates(settings.templates);
  const ipv4Only = settings.dns64 && createIpv4Only(settings.dns64);
  const findStated = (question: ForwardQuestion) =>
    hosts?.answerTo(question) ?? fromTemplate(question) ?? ipv4Only?.(question);

  return {
    hosts: () => hosts?.counts(),
    loaded: hosts?.loaded ?? Promise.resolve(),
    answerTo(question) {
      const found = findStated(question);
      if (found === undefined || dns64 === undefined || !dns64.applies(question, found)) return found;
      const a = findStated({ ...question, type: TYPE.A });
      return (a && dns64.synthesize(found, a)) ?? found;
    },
    sourceOf(question) {
      if (hosts?.answerTo(question) !== undefined) return 'hosts';
      if (fromTemplate(question) !== undefined) return 'a template';
      return ipv4Only?.(question) === undefined ? undefined : 'dns64 (ipv4only.arpa)';
    },
    stop: () => hosts?.stop(),
  };
}
