// Pods: the first to say that an instance is not fit. The kubelet's word arrives here before any controller has written
// it into a slice, and it arrives even where no controller runs. https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/
import type { Timer } from '../../../clock.ts';
import type { Fact, Instance } from '../../../registry/model.ts';
import { type Fields, MalformedObject, type Metadata } from '../api/objects.ts';
import { POD } from '../protobuf/schemas.ts';
import type { WatchedKind } from '../watch/watched-kind.ts';
import { type Cluster, groupKey, podSubject, serviceKey } from './cluster.ts';
import { endpointInstance } from './endpoint-instance.ts';
import { createPodAddresses, podAddresses, podStatus } from './pod-addresses.ts';
import { podFacts } from './pod-facts.ts';

export interface PodsKind extends WatchedKind {
  readonly named: NamedPods;
  stop(): void;
}

/** Pods that slices of the pods' own controller name: some no one has shown us, for they are too new, or gone. */
export interface NamedPods {
  note(subject: string, address: string): void;
}

/** How often pods that are gone are looked through. */
const SWEEP_MS = 10_000;
/** A slice that names a deleted pod may come this much later than the deletion. */
const GONE_MS = 60_000;
/** A pod that a slice names is seen in its own watch within this time, or does not exist. */
const UNSEEN_MS = 10_000;

/** `inContact`: whether the watch of pods is complete and alive, so that what it does not show does not exist. */
export function podsKind(cluster: Cluster, inContact: () => boolean, namespace?: string): PodsKind {
  const { registry, clock, config } = cluster;
  const verified = config.pods === 'verified';
  const gone = new Map<string, number>();
  const unseen = new Map<string, number>();
  const moved = createPodAddresses(registry, clock);

  function stateGone(subject: string, reason: string): void {
    gone.set(subject, clock.monotonicMs());
    registry.replaceFacts(subject, 'pod', [
      { source: 'pod', status: 'UNHEALTHY', reason, sinceMs: clock.now(), gone: true },
    ]);
  }

  /** A pod that is gone stays excluded while a slice still names it: its controller may be slow, or dead. */
  function sweep(): void {
    const nowMs = clock.monotonicMs();
    for (const [subject, sinceMs] of gone) {
      if (nowMs - sinceMs < GONE_MS || isNamed(subject)) continue;
      gone.delete(subject);
      registry.replaceFacts(subject, 'pod', []);
    }
    for (const [subject, sinceMs] of unseen) {
      if (nowMs - sinceMs < UNSEEN_MS || !inContact()) continue;
      unseen.delete(subject);
      if (!isKnown(subject) && isNamed(subject)) stateGone(subject, 'the pod does not exist');
    }
    if (inContact()) moved.sweep(UNSEEN_MS);
    timer = clock.setTimeout(sweep, SWEEP_MS);
  }

  const isKnown = (subject: string) => registry.factsOf(subject).length > 0;
  const isNamed = (subject: string) => {
    for (const _ of registry.instancesOf(subject)) return true;
    return false;
  };
  const groupOf = (objectNamespace: string, name: string) => groupKey(cluster, 'pods', objectNamespace, name);
  const groupOfKey = (subject: string) => {
    const [objectNamespace, name] = subject.slice(podSubject(cluster, '', '').length - 1).split('/');
    return groupOf(objectNamespace, name);
  };

  let timer: Timer = clock.setTimeout(sweep, SWEEP_MS);
  return {
    resource: 'pods',
    apiGroup: '',
    groupVersionPath: '/api/v1',
    protobuf: POD,
    namespace,
    essential: false,
    keyOf: (objectNamespace, name) => registry.keptSubject(podSubject(cluster, objectNamespace, name)),
    replace(key, metadata, object) {
      const facts = podFacts(metadata, object);
      const addresses = podAddresses(object);
      gone.delete(key);
      unseen.delete(key);
      registry.replaceFacts(key, 'pod', addresses === undefined ? facts : moved.heldAgainst(key, facts, addresses));
      if (verified) {
        const names = serviceKey(cluster, metadata.namespace, '');
        const instances = podNames(cluster, metadata, object, addresses ?? []);
        registry.replaceGroup(groupOf(metadata.namespace, metadata.name), names, instances);
      }
      return addresses === undefined ? new MalformedObject('status.podIPs has what is no IP address') : undefined;
    },
    remove(key) {
      stateGone(key, 'the pod is deleted');
      moved.forget(key);
      if (verified) registry.removeGroup(groupOfKey(key));
    },
    abandon(subjects) {
      for (const subject of [...subjects, ...gone.keys()]) registry.replaceFacts(subject, 'pod', NOTHING);
      gone.clear();
      unseen.clear();
      moved.clear();
    },
    named: {
      note(subject, address) {
        if (isKnown(subject)) moved.note(subject, address);
        else if (!unseen.has(subject)) unseen.set(subject, clock.monotonicMs());
      },
    },
    stop: () => timer.cancel(),
  };
}

/** "Unknown" was said of pods of lost nodes before Kubernetes 1.5. */
const ENDED: ReadonlySet<unknown> = new Set(['Succeeded', 'Failed', 'Unknown']);
const NOTHING: readonly Fact[] = Object.freeze([]);

/**
 * For `pods verified`: the pod's addresses, under the namespace that answers "<dashed address>.<namespace>.pod". As in
 * CoreDNS a pod has its name whatever its readiness, until it has ended or is being deleted: another may have its address.
 */
export function podNames(
  cluster: Cluster,
  { name, deletingSinceMs }: Metadata,
  pod: Fields,
  addresses: readonly string[],
): readonly Instance[] {
  if (deletingSinceMs !== undefined || ENDED.has(podStatus(pod).phase)) return [];
  return addresses.map((address) => ({
    ...endpointInstance(cluster, {
      address,
      ports: [],
      hostname: undefined,
      target: undefined,
      nodeName: undefined,
      facts: NOTHING,
    }),
    id: name,
  }));
}
