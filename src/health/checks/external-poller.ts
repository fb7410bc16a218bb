// Polls external health sources that have a URL for every instance of the services that use them.
import type { Clock, Random } from '../../clock.ts';
import { RegistryLimitError } from '../../registry/limits.ts';
import type { InstanceState, Service, ServiceState } from '../../registry/model.ts';
import type { Registry } from '../../registry/registry.ts';
import type { ExternalSource } from '../policies/external-health.ts';
import { type AskSource, askSource } from './external-answer.ts';
import type { ExternalReports } from './external-reports.ts';
import { onStructure } from './on-structure.ts';
import { createScheduler } from './scheduler.ts';

export interface ExternalPollerSettings {
  readonly registry: Registry;
  readonly reports: ExternalReports;
  readonly clock: Clock;
  readonly random: Random;
  readonly schedule: (callback: () => void) => void;
  /** Maximum number of concurrent polls. */
  readonly concurrentChecks: number;
  readonly ask?: AskSource;
}

export interface ExternalPoller {
  counts(): { readonly polls: number; readonly answered: number; readonly silent: number; readonly refused: number };
  /** How many may run at a time. */
  limit(concurrentChecks: number): void;
  stop(): Promise<void>;
}

interface Poll {
  readonly url: string;
  readonly source: ExternalSource;
  readonly remove: () => void;
}

export function createExternalPoller(settings: ExternalPollerSettings): ExternalPoller {
  const { registry, reports, clock, random, schedule, concurrentChecks, ask = askSource } = settings;
  const scheduler = createScheduler(clock, random, concurrentChecks);
  const byService = new Map<string, Map<string, Poll>>();
  const totals = { answered: 0, silent: 0, refused: 0 };

  function reconcile(serviceKey: string, state: ServiceState | undefined): void {
    const known = byService.get(serviceKey) ?? new Map<string, Poll>();
    const wanted = questionsOf(state);
    for (const [key, poll] of known) {
      const question = wanted.get(key);
      if (question?.url === poll.url && sameTimes(question.source, poll.source)) continue;
      poll.remove();
      known.delete(key);
    }
    for (const [key, question] of wanted) if (!known.has(key)) known.set(key, begin(serviceKey, question));
    if (known.size === 0) byService.delete(serviceKey);
    else byService.set(serviceKey, known);
  }

  function begin(serviceKey: string, { id, url, source }: Question): Poll {
    const remove = scheduler.add({
      owner: serviceKey,
      intervalSeconds: source.interval,
      timeoutSeconds: source.timeout,
      run: (signal) => poll(serviceKey, id, source.name, url, signal),
    });
    return { url, source, remove };
  }

  async function poll(serviceKey: string, id: string, name: string, url: string, signal: AbortSignal): Promise<void> {
    const report = await ask(url, signal).catch(() => undefined);
    if (report === undefined) {
      totals.silent++;
      return;
    }
    totals.answered++;
    try {
      reports.report(serviceKey, id, name, report);
    } catch (error) {
      if (!(error instanceof RegistryLimitError)) throw error;
      totals.refused++;
    }
  }

  const stopListening = onStructure(registry, schedule, reconcile);
  return {
    limit: scheduler.limit,
    counts: () => ({ polls: scheduler.counts().jobs, ...totals }),
    stop() {
      stopListening();
      byService.clear();
      return scheduler.stop();
    },
  };
}

interface Question {
  readonly id: string;
  readonly url: string;
  readonly source: ExternalSource;
}

function questionsOf(state: ServiceState | undefined): ReadonlyMap<string, Question> {
  const questions = new Map<string, Question>();
  const { service } = state ?? {};
  for (const source of service?.policy.externalHealth?.sources ?? []) {
    if (source.url === undefined) continue;
    for (const instanceState of state!.instances.values()) {
      const { id } = instanceState.instance;
      questions.set(`${id}\n${source.name}`, { id, source, url: fillIn(source.url, service!, instanceState) });
    }
  }
  return questions;
}

function fillIn(url: string, { name, namespace }: Service, { instance }: InstanceState): string {
  const values = { service: name, namespace, instance: instance.id, address: instance.addresses[0] ?? '' };
  return url.replace(/\{(service|namespace|instance|address)\}/g, (_, key: keyof typeof values) =>
    encodeURIComponent(values[key]),
  );
}

const sameTimes = (one: ExternalSource, other: ExternalSource): boolean =>
  one.interval === other.interval && one.timeout === other.timeout;
