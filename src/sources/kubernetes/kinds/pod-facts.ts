// The health of a Pod object, with the reason in words, and its addresses.
import type { Fact, Status } from '../../../registry/model.ts';
import {
  type Fields,
  fields,
  list,
  MalformedObject,
  type Metadata,
  optionalFields,
  optionalText,
  timeMs,
} from '../api/objects.ts';
import { address } from './endpoint-instance.ts';

const MAX_REASON = 200;

/** Exactly one fact. Throws MalformedObject. */
export function podFacts(metadata: Metadata, pod: Fields): readonly Fact[] {
  const status = podStatus(pod);
  const ready = condition(status, 'Ready');
  const sinceMs = timeMs(ready?.lastTransitionTime) ?? metadata.createdMs ?? 0;
  const phase = optionalText(status.phase, 'status.phase') ?? 'Pending';

  if (metadata.deletingSinceMs !== undefined)
    return fact('UNHEALTHY', 'the pod is being deleted', metadata.deletingSinceMs, true);
  if (phase === 'Failed' || phase === 'Succeeded') return fact('UNHEALTHY', ended(phase, status), sinceMs, true);
  if (ready?.status === 'True') return fact('HEALTHY', 'ready', sinceMs);
  return fact('UNHEALTHY', `not ready: ${whyNotReady(status, phase, ready)}`, sinceMs);
}

function fact(status: Status, reason: string, sinceMs: number, gone?: true): readonly Fact[] {
  return [{ source: 'pod', status, reason: reason.slice(0, MAX_REASON), sinceMs, ...(gone && { gone }) }];
}

function condition(status: Fields, type: string): Fields | undefined {
  return list(status.conditions, 'status.conditions')
    .map((value) => fields(value, 'condition'))
    .find((entry) => entry.type === type);
}

function ended(phase: string, status: Fields): string {
  const why = optionalText(status.reason, 'status.reason'); // "Evicted", "NodeShutdown"
  return why === undefined ? `the pod's phase is ${phase}` : `the pod's phase is ${phase}: ${why}`;
}

/** The first container that explains it; else the message of the condition. */
function whyNotReady(status: Fields, phase: string, ready: Fields | undefined): string {
  const containers = [
    ...list(status.initContainerStatuses, 'initContainerStatuses').map((value) => containerProblem(value, true)),
    ...list(status.containerStatuses, 'containerStatuses').map((value) => containerProblem(value, false)),
  ];
  const problem = containers.find((text) => text !== undefined);
  if (problem !== undefined) return problem;
  const why = ready && (optionalText(ready.reason, 'reason') ?? optionalText(ready.message, 'message'));
  return why ?? (ready === undefined ? `${phase}, not reported ready by its kubelet` : `Ready is ${ready.status}`);
}

function containerProblem(value: unknown, isInit: boolean): string | undefined {
  const container = fields(value, 'container status');
  const state = optionalFields(container.state, 'state');
  const name = `${isInit ? 'init container' : 'container'} ${optionalText(container.name, 'name') ?? '?'}`;
  if (state.waiting)
    return `${name} is waiting: ${optionalText(fields(state.waiting, 'waiting').reason, 'reason') ?? '?'}`;
  if (state.terminated) return terminated(name, fields(state.terminated, 'terminated'), isInit);
  // A running init container is either not done or a sidecar; only `started: false` identifies an unhealthy sidecar.
  if (isInit) return state.running && container.started !== true ? `${name} is still running` : undefined;
  if (state.running && container.ready === false) {
    return container.started === false
      ? `${name}: its startup probe has not passed`
      : `${name}: its readiness probe fails`;
  }
  return undefined;
}

function terminated(name: string, state: Fields, isInit: boolean): string | undefined {
  if (isInit && state.exitCode === 0) return undefined;
  const why = optionalText(state.reason, 'reason');
  return `${name} ended with code ${String(state.exitCode)}${why === undefined ? '' : ` (${why})`}`;
}

export const podStatus = (pod: Fields): Fields => optionalFields(pod.status, 'status');

/** Canonical addresses of a pod; [] if it has none, undefined if one is malformed. */
export function podAddresses(pod: Fields): readonly string[] | undefined {
  try {
    const { podIPs, podIP } = podStatus(pod);
    const ips = list(podIPs, 'status.podIPs').map((entry) => fields(entry, 'status.podIPs').ip);
    const all = ips.length > 0 ? ips : podIP === undefined || podIP === '' ? [] : [podIP];
    return all.map((ip) => address(ip));
  } catch (error) {
    if (error instanceof MalformedObject) return undefined;
    throw error;
  }
}
