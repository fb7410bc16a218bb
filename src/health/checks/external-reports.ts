// Reports of external sources, polled or pushed, kept as facts while the instance exists and the service uses the source.
import type { Clock } from '../../clock.ts';
import type { Fact, ServiceState, Status } from '../../registry/model.ts';
import { INSTANCE } from '../../registry/reference.ts';
import type { Registry } from '../../registry/registry.ts';
import { onStructure } from './on-structure.ts';

export interface Report {
  readonly status: Status;
  readonly reason: string;
}

/** Why a report was rejected. */
export type ReportProblem = 'unknown-service' | 'unknown-source' | 'unknown-instance';

export interface ExternalReports {
  /** Records the current report of one source about one instance; undefined: accepted. Throws RegistryLimitError. */
  report(serviceKey: string, instanceId: string, sourceName: string, report: Report): ReportProblem | undefined;
  stop(): void;
}

const REASON_LENGTH = 200;

/** `schedule` runs a callback in a later turn of the event loop: setImmediate. */
export function createExternalReports(
  registry: Registry,
  clock: Pick<Clock, 'now'>,
  schedule: (callback: () => void) => void,
): ExternalReports {
  /** Ids of instances with reports, by service. */
  const reported = new Map<string, Set<string>>();

  const stop = onStructure(registry, schedule, (serviceKey, state) => {
    const ids = reported.get(serviceKey);
    if (ids === undefined) return;
    for (const id of ids) if (!keepWanted(serviceKey, id, state)) ids.delete(id);
    if (ids.size === 0) reported.delete(serviceKey);
  });

  /** Drops the reports about removed instances, and from sources that the service no longer uses. */
  function keepWanted(serviceKey: string, id: string, state: ServiceState | undefined): boolean {
    const subject = INSTANCE.format(serviceKey, id);
    const said = externalFacts(subject);
    const names = isEmpty(registry.instancesOf(subject)) ? new Set() : sourceNames(state);
    const wanted = said.filter((fact) => names.has(fact.name));
    if (wanted.length < said.length) registry.replaceFacts(subject, 'external', wanted);
    return wanted.length > 0;
  }

  const externalFacts = (subject: string) => registry.factsOf(subject).filter((fact) => fact.source === 'external');

  return {
    report(serviceKey, instanceId, sourceName, { status, reason }) {
      const state = registry.service(serviceKey);
      if (state?.service === undefined) return 'unknown-service';
      if (!sourceNames(state).has(sourceName)) return 'unknown-source';
      const subject = INSTANCE.format(serviceKey, instanceId);
      if (isEmpty(registry.instancesOf(subject))) return 'unknown-instance';
      const known = externalFacts(subject);
      const before = known.find((fact) => fact.name === sourceName);
      const nowMs = clock.now();
      const said: Fact = {
        source: 'external',
        name: sourceName,
        status,
        reason: reason.slice(0, REASON_LENGTH),
        sinceMs: before?.status === status ? before.sinceMs : nowMs,
        reportedMs: nowMs,
      };
      registry.replaceFacts(subject, 'external', [...known.filter((fact) => fact !== before), said]);
      reported.set(serviceKey, (reported.get(serviceKey) ?? new Set()).add(instanceId));
      return undefined;
    },
    stop,
  };
}

const sourceNames = (state: ServiceState | undefined): ReadonlySet<string | undefined> =>
  new Set(state?.service?.policy.externalHealth?.sources.map((source) => source.name));

function isEmpty(items: Iterable<unknown>): boolean {
  for (const _ of items) return false;
  return true;
}
