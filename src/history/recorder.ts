// Records changes of answers in the history: verdicts that exclude or include an instance, instances that come and go.
// Simultaneous effects are one change.
import type { Clock, Timer } from '../clock.ts';
import type { VerdictListener } from '../health/sync.ts';
import type { InstanceState, Service, ServiceState, Verdict } from '../registry/model.ts';
import { publishedName } from '../registry/published-name.ts';
import type { Registry } from '../registry/registry.ts';
import {
  type Answered,
  type History,
  type HistoryChange,
  MAX_ADDRESSES,
  MAX_REASON,
  MAX_TRANSITIONS,
  type Transition,
} from './history.ts';

export interface RecorderSettings {
  readonly registry: Pick<Registry, 'service' | 'onRemove'>;
  readonly health: { onVerdict(listener: VerdictListener): void };
  readonly history: History;
  readonly clock: Pick<Clock, 'now' | 'setTimeout'>;
  /** Whether new instances of the zone are changes; false while its sources are read for the first time. */
  readonly isKnown: (zone: string) => boolean;
}

export interface Recorder {
  /** Called with each change, after it was recorded. */
  onChange(listener: (change: HistoryChange) => void): void;
  /** Records pending changes. */
  settle(): void;
  stop(): void;
}

/** Changes within this time are one. */
const TOGETHER_MS = 20;
/** Instances looked at in one turn, so that a storm of changes in large services takes no more than a part of the time. */
const INSTANCES_PER_TURN = 2_000;

interface Pending {
  readonly atMs: number;
  readonly transitions: Transition[];
  more: number;
  /** As last seen: the service may be gone by the time it is recorded. */
  readonly service: Service;
}

export function createRecorder({ registry, health, history, clock, isKnown }: RecorderSettings): Recorder {
  const listeners: ((change: HistoryChange) => void)[] = [];
  const pending = new Map<string, Pending>();
  let timer: Timer | undefined;

  function note(state: InstanceState, transition: () => Transition): void {
    if (!history.isOn()) return;
    const { service } = state.service;
    // The pods of a namespace are instances of their services, too.
    if (service === undefined || service.kind === 'namespace') return;
    const { key } = state.service;
    let own = pending.get(key);
    if (own === undefined) {
      own = { atMs: clock.now(), transitions: [], more: 0, service };
      pending.set(key, own);
    }
    if (own.transitions.length < MAX_TRANSITIONS) own.transitions.push(transition());
    else own.more++;
    timer ??= clock.setTimeout(turn, TOGETHER_MS);
  }

  health.onVerdict((state, previous, verdict) => {
    if (previous.answered === verdict.answered) return;
    const isNew = previous.rule === 'not-judged';
    if (isNew && !isKnown(state.service.service?.zone ?? '')) return;
    note(state, () => transitionOf(state, isNew ? 'new' : previous.status, verdict.status, verdict));
  });
  registry.onRemove((state) => {
    const { verdict } = state;
    if (!verdict.answered) return;
    const removal = { answered: false, rule: 'removed', reason: 'its source no longer lists it' };
    note(state, () => transitionOf(state, verdict.status, 'removed', removal));
  });

  function turn(): void {
    timer = undefined;
    let left = INSTANCES_PER_TURN;
    for (const [key, own] of pending) {
      if (left <= 0) break;
      left -= 1 + (registry.service(key)?.instances.size ?? 0);
      pending.delete(key);
      record(key, own);
    }
    if (pending.size > 0) timer = clock.setTimeout(turn, TOGETHER_MS);
  }

  function record(key: string, { atMs, transitions, more, service }: Pending): void {
    const after = answeredNow(registry.service(key)) ?? GONE;
    const change = { atMs, service: key, name: publishedName(service), transitions, more, after };
    history.record(change);
    for (const listener of listeners) listener(change);
  }

  return {
    onChange: (listener) => void listeners.push(listener),
    settle() {
      for (const [key, own] of pending) record(key, own);
      pending.clear();
    },
    stop: () => timer?.cancel(),
  };
}

function transitionOf(
  state: InstanceState,
  from: string,
  to: string,
  { answered, rule, reason }: Pick<Verdict, 'answered' | 'rule' | 'reason'>,
): Transition {
  const { id } = state.instance;
  return { instance: id, addresses: state.addresses, from, to, answered, rule, reason: reason.slice(0, MAX_REASON) };
}

const GONE: Answered = { outcome: 'nothing: the service no longer exists', answered: 0, of: 0, addresses: [] };

/** The current answer of a service's name; undefined: the service does not exist. */
export function answeredNow(state: ServiceState | undefined): Answered | undefined {
  const service = state?.service;
  if (state === undefined || service === undefined) return undefined;
  const { whenAllUnhealthy } = service.policy;
  const addresses: string[] = [];
  const add = (more: readonly string[]) => {
    for (const address of more) if (addresses.length < MAX_ADDRESSES) addresses.push(address);
  };
  let answered = 0;
  for (const instance of state.instances.values()) {
    if (!instance.verdict.answered) continue;
    answered++;
    if (service.kind === 'instances') add(instance.addresses);
  }
  const of = state.instances.size;
  if (service.kind === 'clusterIp') {
    const isLeftOut = service.ignoreEmpty === true && answered === 0;
    return {
      outcome: isLeftOut ? 'NXDOMAIN' : 'answered',
      answered,
      of,
      addresses: isLeftOut ? [] : (service.clusterIps ?? []),
    };
  }
  if (answered > 0) return { outcome: 'answered', answered, of, addresses };
  if (whenAllUnhealthy !== 'all' || of === 0) return { outcome: OUTCOMES[whenAllUnhealthy], answered, of, addresses };
  for (const instance of state.instances.values()) add(instance.addresses);
  return { outcome: 'answered', answered, of, addresses };
}

const OUTCOMES = { nodata: 'NODATA', nxdomain: 'NXDOMAIN', servfail: 'SERVFAIL', all: 'NODATA' } as const;
