// ECS's task health, derived from a pod: the aggregate (health/rules/ecs.ts) over its essential containers, whose checks
// are the pod's probes. Results of probes are visible only in the container statuses.
import { type ContainerHealth, ecsTaskHealth } from '../health/rules/ecs.ts';
import type { Fact, Status } from '../registry/model.ts';
import {
  type Fields,
  fields,
  list,
  type Metadata,
  optionalFields,
  optionalText,
  timeMs,
} from '../sources/kubernetes/api/objects.ts';
import { ESSENTIAL_CONTAINERS } from '../taskdef/deployment.ts';

/** History of a pod's containers that its status does not contain. Keys are container ids. */
export type Seen = ReadonlyMap<string, { readonly wasReady: boolean; readonly startedMs: number }>;

export interface JudgedTask {
  readonly fact: Fact;
  /** Of the essential containers that count, by their names in the pod. */
  readonly containers: readonly ContainerHealth[];
  readonly seen: Seen;
  /** Wall-clock milliseconds at which the pod must be judged again even if it has not changed. */
  readonly reviewMs: number | undefined;
}

export const NOTHING_SEEN: Seen = new Map();

const MAX_REASON = 200;

/**
 * A task is UNHEALTHY if an essential container ended, cannot start, or fails its check; UNKNOWN if one has not passed its
 * check yet, or none has a check; else HEALTHY. Throws MalformedObject.
 */
export function judgeTask(metadata: Metadata, pod: Fields, before: Seen, nowMs: number): JudgedTask {
  const status = optionalFields(pod.status, 'status');
  const statuses = new Map(
    list(status.containerStatuses, 'status.containerStatuses').map((value) => {
      const container = fields(value, 'container status');
      return [optionalText(container.name, 'name') ?? '', container] as const;
    }),
  );
  const changedMs = notReadySinceMs(status);
  const seen = new Map<string, { wasReady: boolean; startedMs: number }>();
  const judged = essentialContainers(metadata, pod).map((spec) => {
    const name = optionalText(spec.name, 'container name') ?? '';
    return judgeContainer({ name, spec, status: statuses.get(name), before, seen, changedMs, nowMs });
  });
  const counted = judged.filter(({ counts }) => counts).map(({ health }) => health);
  const { status: aggregate, reason } = ecsTaskHealth(counted);
  const reviews = judged.flatMap(({ reviewMs }) => (reviewMs === undefined ? [] : [reviewMs]));
  const sinceMs = timeMs(condition(status, 'Ready')?.lastTransitionTime) ?? metadata.createdMs ?? 0;
  return {
    fact: { source: 'task', status: aggregate, reason: reason.slice(0, MAX_REASON), sinceMs },
    ...{ seen, containers: counted },
    reviewMs: reviews.length === 0 ? undefined : Math.min(...reviews),
  };
}

/** The containers in the annotation; all if it is missing or contains none of the pod's. */
function essentialContainers(metadata: Metadata, pod: Fields): Fields[] {
  const all = list(optionalFields(pod.spec, 'spec').containers, 'spec.containers').map((value) =>
    fields(value, 'container'),
  );
  const names = optionalText(metadata.annotations[ESSENTIAL_CONTAINERS], ESSENTIAL_CONTAINERS)?.split(',') ?? [];
  const essential = all.filter(({ name }) => names.includes(String(name)));
  return essential.length > 0 ? essential : all;
}

interface Container {
  readonly name: string;
  readonly spec: Fields;
  readonly status: Fields | undefined;
  readonly before: Seen;
  readonly seen: Map<string, { wasReady: boolean; startedMs: number }>;
  readonly changedMs: number | undefined;
  readonly nowMs: number;
}

interface JudgedContainer {
  readonly health: ContainerHealth;
  /** A running container without a check does not count. */
  readonly counts: boolean;
  readonly reviewMs?: number;
}

function judgeContainer(container: Container): JudgedContainer {
  const { spec, status } = container;
  const say = (to: Status, reason: string, counts = true): JudgedContainer => ({
    health: { name: container.name, essential: true, status: to, reason },
    counts,
  });
  const state = optionalFields(status?.state, 'state');
  const restarts = typeof status?.restartCount === 'number' ? status.restartCount : 0;
  if (state.terminated) {
    const { exitCode, reason } = fields(state.terminated, 'terminated');
    return say('UNHEALTHY', `ended with code ${String(exitCode)}${reason ? ` (${String(reason)})` : ''}`);
  }
  if (!state.running) {
    const why = optionalText(optionalFields(state.waiting, 'waiting').reason, 'reason');
    const isStarting = restarts === 0 && (why === undefined || STARTING.has(why));
    return say(isStarting ? 'UNKNOWN' : 'UNHEALTHY', isStarting ? 'starting' : `waiting: ${why ?? 'to be restarted'}`);
  }
  const hasCheck = Boolean(spec.readinessProbe ?? spec.livenessProbe ?? spec.startupProbe);
  if (!hasCheck) return say('HEALTHY', 'running, without a check', false);
  return judgeRunning(container, say, restarts, timeMs(fields(state.running, 'running').startedAt));
}

const STARTING = new Set(['ContainerCreating', 'PodInitializing']);

function judgeRunning(
  { spec, status, before, seen, changedMs, nowMs }: Container,
  say: (to: Status, reason: string) => JudgedContainer,
  restarts: number,
  startedAtMs = nowMs,
): JudgedContainer {
  const id = optionalText(status?.containerID, 'containerID') ?? '';
  const isStarted = status?.started !== false;
  const known = before.get(id);
  const isReady = status?.ready === true;
  const startedMs = known?.startedMs ?? (spec.startupProbe ? nowMs : startedAtMs);
  if (isStarted) seen.set(id, { wasReady: isReady || known?.wasReady === true, startedMs });
  if (isStarted && isReady) return say('HEALTHY', 'its check passes');
  // It was restarted because it failed, and counts as failed until its check passes.
  if (restarts > 0) return say('UNHEALTHY', `restarted ${restarts} times, its check has not passed since`);
  if (!isStarted) return say('UNKNOWN', 'its check has not passed yet (start period)');
  const wasReady = known?.wasReady === true || (changedMs !== undefined && changedMs > startedAtMs);
  // Probes start as not ready, which is a result only after failureThreshold attempts.
  const reviewMs = startedMs + firstResultMs(optionalFields(spec.readinessProbe, 'readinessProbe'));
  if (wasReady || nowMs >= reviewMs) return say('UNHEALTHY', 'its check fails');
  return { ...say('UNKNOWN', 'its check has not passed yet'), reviewMs };
}

/** Defaults as in https://kubernetes.io/docs/tasks/configure-pod-container/configure-liveness-readiness-startup-probes/ */
function firstResultMs({ initialDelaySeconds, periodSeconds, failureThreshold, timeoutSeconds }: Fields): number {
  const or = (value: unknown, otherwise: number) => (typeof value === 'number' && value > 0 ? value : otherwise);
  const tries = or(failureThreshold, 3);
  return 1000 * (or(initialDelaySeconds, 0) + or(periodSeconds, 10) * tries + or(timeoutSeconds, 1));
}

/** Since when the containers have not been ready; undefined: the pod does not report that. */
function notReadySinceMs(status: Fields): number | undefined {
  const ready = condition(status, 'ContainersReady') ?? condition(status, 'Ready');
  return ready?.status === 'False' ? timeMs(ready.lastTransitionTime) : undefined;
}

function condition(status: Fields, type: string): Fields | undefined {
  return list(status.conditions, 'status.conditions')
    .map((value) => fields(value, 'condition'))
    .find((entry) => entry.type === type);
}
