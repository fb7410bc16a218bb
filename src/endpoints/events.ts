// Events on the Pods that health leaves out, and on the Services that have nothing to answer any more: at most one a minute
// for each object. Replicas give the Event of a minute the same name, so only the first of them creates it.
import type { Clock } from '../clock.ts';
import type { ClusterAccess } from '../config/config.ts';
import { answerTextOf, type HistoryChange, type Transition } from '../history/history.ts';
import type { Logger } from '../log.ts';
import { KUBERNETES_SERVICE, POD } from '../registry/reference.ts';
import type { Registry } from '../registry/registry.ts';
import { ApiError, type ApiServer, connectApiServer } from '../sources/kubernetes/api/api-server.ts';
import { fields } from '../sources/kubernetes/api/objects.ts';

export interface EventsSettings {
  readonly registry: Pick<Registry, 'service'>;
  readonly clock: Clock;
  readonly log: Logger;
  /** Counts Events by result: created, repeated, failed, dropped. */
  readonly count: (result: string) => void;
}

export interface EventsWriter {
  /** The clusters that get Events; others do not. */
  setClusters(clusters: readonly ClusterAccess[]): void;
  note(change: HistoryChange): void;
  stop(): Promise<void>;
}

interface PlannedEvent {
  readonly cluster: string;
  readonly kind: 'Pod' | 'Service';
  readonly namespace: string;
  readonly name: string;
  readonly reason: string;
  readonly message: string;
  readonly atMs: number;
}

const HEADERS_MS = 5_000;
const MINUTE_MS = 60_000;
const MAX_WAITING = 200;
/** Objects whose last Event is remembered. */
const MAX_OBJECTS = 10_000;
const MAX_MESSAGE = 1_000;

export function createEvents({ registry, clock, log, count }: EventsSettings): EventsWriter {
  const servers = new Map<string, { readonly access: string; readonly server: ApiServer }>();
  const stopping = new AbortController();
  /** The minute of the last Event by object. */
  const minutes = new Map<string, number>();
  const waiting: PlannedEvent[] = [];
  let sending: Promise<void> | undefined;
  let isFailing = false;

  function plan(event: PlannedEvent): void {
    const key = `${event.cluster} ${event.kind} ${event.namespace} ${event.name}`;
    const minute = Math.floor(event.atMs / MINUTE_MS);
    if (minutes.get(key) === minute) return;
    if (waiting.length >= MAX_WAITING) {
      count('dropped');
      return;
    }
    minutes.delete(key);
    minutes.set(key, minute);
    if (minutes.size > MAX_OBJECTS) minutes.delete(minutes.keys().next().value!);
    waiting.push(event);
    sending ??= sendAll().finally(() => {
      sending = undefined;
    });
  }

  async function sendAll(): Promise<void> {
    for (let event = waiting.shift(); event !== undefined; event = waiting.shift()) {
      const server = servers.get(event.cluster)?.server;
      if (server === undefined || stopping.signal.aborted) continue;
      try {
        count(await send(server, event, stopping.signal));
        isFailing = false;
      } catch (error) {
        count('failed');
        if (!isFailing && !stopping.signal.aborted)
          log.warn('Events cannot be created', { cluster: event.cluster, error: (error as Error).message });
        isFailing = true;
      }
    }
  }

  return {
    setClusters(clusters) {
      for (const { label, kubeconfig, context } of clusters) {
        const access = JSON.stringify([kubeconfig, context]);
        if (servers.get(label)?.access === access) continue;
        servers.get(label)?.server.close();
        servers.set(label, { access, server: connectApiServer({ label, kubeconfig, context }, clock, HEADERS_MS) });
      }
      for (const [label, { server }] of servers) {
        if (clusters.some((one) => one.label === label)) continue;
        server.close();
        servers.delete(label);
      }
    },
    note(change) {
      for (const event of eventsOf(change, registry)) if (servers.has(event.cluster)) plan(event);
    },
    async stop() {
      stopping.abort();
      await sending;
      for (const { server } of servers.values()) server.close();
    },
  };
}

/** Removed instances are not reported. */
function eventsOf(change: HistoryChange, registry: Pick<Registry, 'service'>): PlannedEvent[] {
  const service = KUBERNETES_SERVICE.parse(change.service);
  if (service === undefined) return [];
  const { cluster, namespace, name } = service;
  const { atMs, after } = change;
  const left = change.transitions.filter(({ answered, rule }) => !answered && rule !== 'gone' && rule !== 'removed');
  const events = left.flatMap((transition): PlannedEvent[] => {
    const pod = podOf(transition, change.service, registry);
    if (pod === undefined) return [];
    const message = `${change.name} does not answer it: ${transition.reason} (rule ${transition.rule})`;
    return [{ ...pod, kind: 'Pod', reason: 'LeftOutOfDNS', message, atMs }];
  });
  if (left.length === 0 || after.answered > 0) return events;
  const message = `${change.name} answers ${answerTextOf(after)}: ${left[0].instance} ${left[0].reason}`;
  return [...events, { cluster, kind: 'Service', namespace, name, reason: 'NothingToAnswer', message, atMs }];
}

function podOf({ instance, addresses }: Transition, key: string, registry: Pick<Registry, 'service'>) {
  for (const state of registry.service(key)?.instances.values() ?? []) {
    const { id, subjects } = state.instance;
    if (id !== instance || state.addresses[0] !== addresses[0]) continue;
    for (const subject of subjects) {
      const pod = POD.parse(subject);
      if (pod !== undefined) return { cluster: pod.cluster, namespace: pod.namespace, name: pod.name };
    }
  }
  return undefined;
}

async function send(server: ApiServer, event: PlannedEvent, signal: AbortSignal): Promise<string> {
  const { kind, namespace, name, reason, atMs } = event;
  const core = `/api/v1/namespaces/${encodeURIComponent(namespace)}`;
  const path = `${core}/${kind === 'Pod' ? 'pods' : 'services'}/${encodeURIComponent(name)}`;
  try {
    // `kubectl describe` shows the Events of this uid.
    const { uid } = fields((await server.exchange('GET', path, undefined, signal)).metadata, 'metadata');
    const time = new Date(atMs).toISOString().replace(/\.\d+/, '');
    const object = {
      metadata: { name: `${name.slice(0, 200)}.healthdns-${Math.floor(atMs / MINUTE_MS).toString(16)}`, namespace },
      involvedObject: { apiVersion: 'v1', kind, namespace, name, uid },
      ...{ type: 'Warning', reason, message: event.message.slice(0, MAX_MESSAGE) },
      source: { component: 'healthdns' },
      ...{ firstTimestamp: time, lastTimestamp: time, count: 1 },
    };
    await server.exchange('POST', `${core}/events`, object, signal);
    return 'created';
  } catch (error) {
    // Another replica has created it; or the object is gone.
    if (error instanceof ApiError && error.status === 409) return 'repeated';
    if (error instanceof ApiError && error.status === 404) return 'repeated';
    throw error;
  }
}
