// Pods: the first to report that an instance is unhealthy. The kubelet's status arrives here before any controller has
// written it to a slice, and even if no controller runs. https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/

import type { Timer } from '../../../clock.ts';
import { ORDER_ANNOTATION, operatorFact, parseOrder } from '../../../health/operator-order.ts';
import type { Fact, Instance, InstanceState } from '../../../registry/model.ts';
import { NODE as NODE_SUBJECT, POD as POD_SUBJECT } from '../../../registry/reference.ts';
import type { Fields, Metadata } from '../api/objects.ts';
import { MalformedObject, optionalFields, optionalText } from '../api/objects.ts';
import { POD } from '../protobuf/schemas.ts';
import type { WatchedKind } from '../watch/watched-kind.ts';
import type { Watch } from '../watch/watches.ts';
import { type Cluster, namespaceKey, nodeSubject, podSubject, podSubjects } from './cluster.ts';
import { podAddresses, podFacts, podStatus } from './pod-facts.ts';

/** Interval for cleaning up deleted pods. */
const SWEEP_MS = 10_000;
/** A slice with a deleted pod may arrive this much later than the deletion. */
const GONE_MS = 60_000;
/** A pod in a slice appears in its own watch within this time, or does not exist. */
const UNSEEN_MS = 10_000;
/** A watch of pods may lag this much behind that of slices before it must prove that it is alive. */
const BEHIND_MS = 1_000;
/** Minimum interval. */
const VERIFY_MS = 5_000;

const NOTHING: readonly Fact[] = Object.freeze([]);

/** A pod of no service, with one of its addresses. */
export interface StrayPod {
  readonly address: string;
  readonly namespace: string;
  readonly pod: string;
}

/** The watch of pods: whether pods that it does not show do not exist. */
type PodWatch = Pick<Watch, 'hasFollowedSince' | 'isBehind' | 'verify'>;

/** The state of a pod in the watch, and the version of the slice that contradicts it. */
interface Outdated {
  readonly facts: readonly Fact[];
  readonly version: string;
}

/** The addresses of a pod compared with the slices that contain it. */
interface Unnamed {
  readonly addresses: readonly string[];
  readonly node: string | undefined;
  /** Monotonic time since which a slice has contained the pod with another address. */
  doubtfulSinceMs: number | undefined;
}

/** Implements WatchedKind; slices report the pods that they contain. */
export class PodsKind implements WatchedKind {
  readonly resource = 'pods';
  readonly apiGroup = '';
  readonly groupVersionPath = '/api/v1';
  readonly protobuf = POD;
  readonly essential = false;
  readonly repeatedBy = ['endpointslices', 'endpoints'];
  readonly namespace: string | undefined;

  private readonly cluster: Cluster;
  private readonly watch: () => PodWatch;
  private readonly isVerified: boolean;
  /** Deleted pods with the monotonic time; they stay excluded while a slice contains them. */
  private readonly gone = new Map<string, number>();
  /** Pods in slices that the watch has not shown: too new, or deleted. */
  private readonly unseen = new Map<string, number>();
  /** Pods with an address at which no slice contains them. */
  private readonly unnamed = new Map<string, Unnamed>();
  /** Pods that a slice described differently when it was ahead of the watch of pods. */
  private readonly outdated = new Map<string, Outdated>();
  /** Pods with an operator's order. */
  private readonly ordered = new Set<string>();
  private suspicion: Timer | undefined;
  private verifiedMs = Number.NEGATIVE_INFINITY;
  private timer: Timer;

  constructor(cluster: Cluster, watch: () => PodWatch, namespace?: string) {
    this.cluster = cluster;
    this.watch = watch;
    this.namespace = namespace;
    this.isVerified = cluster.config.pods === 'verified';
    this.timer = cluster.clock.setTimeout(() => this.sweep(), SWEEP_MS);
  }

  keyOf(namespace: string, name: string): string {
    return this.cluster.registry.keptSubject(podSubject(this.cluster, namespace, name));
  }

  replace(subject: string, metadata: Metadata, pod: Fields): MalformedObject | undefined {
    const facts = podFacts(metadata, pod);
    const addresses = podAddresses(pod);
    const node = nodeOf(this.cluster, pod);
    this.gone.delete(subject);
    this.unseen.delete(subject);
    this.outdated.delete(subject);
    const { registry } = this.cluster;
    registry.replaceFacts(
      subject,
      'pod',
      addresses === undefined ? facts : this.heldAgainst(subject, facts, addresses, node),
    );
    const problem = this.takeOrder(subject, metadata.annotations[ORDER_ANNOTATION]);
    if (this.isVerified) {
      const names = hasName(metadata, pod) ? (addresses ?? []) : [];
      registry.replacePodAddresses(subject, namespaceKey(this.cluster, metadata.namespace), names);
    }
    return addresses === undefined ? new MalformedObject('status.podIPs contains an invalid IP address') : problem;
  }

  /** The operator's order for the pod. An invalid order is ignored. */
  private takeOrder(subject: string, annotation: unknown): MalformedObject | undefined {
    if (annotation === undefined && !this.ordered.delete(subject)) return undefined;
    const { registry, clock } = this.cluster;
    const order = annotation === undefined ? undefined : parseOrder(String(annotation));
    if (order === undefined || typeof order === 'string') registry.replaceFacts(subject, 'operator', NOTHING);
    else {
      // An order without its time has that of its arrival, also when the pod changes later.
      const before = registry.factsOf(subject).find(({ source }) => source === 'operator');
      const fact = operatorFact(order, before?.sinceMs ?? clock.now());
      const isNew = before?.reason !== fact.reason && order.sinceMs === undefined;
      registry.replaceFacts(subject, 'operator', [isNew ? { ...fact, sinceMs: clock.now() } : fact]);
      this.ordered.add(subject);
    }
    return typeof order === 'string' ? new MalformedObject(`annotation ${ORDER_ANNOTATION}: ${order}`) : undefined;
  }

  remove(subject: string): void {
    this.stateGone(subject, 'the pod is deleted');
    this.takeOrder(subject, undefined);
    this.unnamed.delete(subject);
    this.outdated.delete(subject);
    this.removeName(subject);
  }

  private removeName(subject: string): void {
    if (!this.isVerified) return;
    const { namespace } = POD_SUBJECT.parse(subject)!;
    this.cluster.registry.replacePodAddresses(subject, namespaceKey(this.cluster, namespace), []);
  }

  setStale(sinceMs: number | undefined): void {
    this.cluster.registry.setStale(podSubjects(this.cluster, this.namespace), sinceMs);
  }

  abandon(subjects: Iterable<string>): void {
    for (const subject of [...subjects, ...this.gone.keys()]) {
      for (const source of ['pod', 'operator'] as const) this.cluster.registry.replaceFacts(subject, source, NOTHING);
      this.removeName(subject);
    }
    this.gone.clear();
    this.ordered.clear();
    this.unseen.clear();
    this.unnamed.clear();
    this.outdated.clear();
  }

  /** A slice of this resource version, from the pods' own controller, contains this pod with this address and readiness. */
  noteNamed(subject: string, address: string, reported: Fact, resourceVersion: string): void {
    const nowMs = this.cluster.clock.monotonicMs();
    if (!this.isKnown(subject)) {
      if (!this.unseen.has(subject)) this.unseen.set(subject, nowMs);
      this.suspect();
      return;
    }
    this.compare(subject, reported, resourceVersion);
    const pod = this.unnamed.get(subject);
    if (pod === undefined) return;
    if (pod.addresses.includes(address)) this.unnamed.delete(subject);
    else pod.doubtfulSinceMs ??= nowMs;
  }

  /** The instance of a slice without nodeName, with its node if known. */
  placed(instance: Instance): Instance {
    const [subject, ...others] = instance.subjects;
    if (subject === undefined || others.length > 0) return instance;
    const node = this.nodeAt(subject, instance.addresses[0]);
    return node === undefined ? instance : { ...instance, subjects: [subject, node] };
  }

  /** The node of a pod at an address: a pod of the same name (StatefulSet) may have been on another. */
  private nodeAt(subject: string, address: string): string | undefined {
    const pod = this.unnamed.get(subject);
    if (pod?.addresses.includes(address)) return pod.node;
    for (const { addresses, instance } of this.cluster.registry.instancesOf(subject)) {
      const node = instance.subjects.find((one) => NODE_SUBJECT.parse(one) !== undefined);
      if (node !== undefined && addresses.includes(address)) return node;
    }
    return undefined;
  }

  /** Pods that no slice contains, with their addresses. */
  *strays(): Generator<StrayPod> {
    for (const [subject, { addresses }] of this.unnamed) {
      const { namespace, name: pod } = POD_SUBJECT.parse(subject)!;
      for (const address of addresses) yield { address, namespace, pod };
    }
  }

  stop(): void {
    this.timer.cancel();
    this.suspicion?.cancel();
  }

  /** A pod that a slice ahead of the watch of pods reports as not ready is not answered until the watch has caught up. */
  private compare(subject: string, reported: Fact, version: string): void {
    const { registry } = this.cluster;
    const known = registry.factsOf(subject).filter(({ source }) => source === 'pod');
    const held = this.outdated.get(subject);
    // A slice that agrees releases nothing: that of a service that publishes pods that are not ready reports each as ready.
    if (reported.status === known[0]?.status || !this.watch().isBehind(version)) return;
    const facts = held?.facts ?? known;
    this.outdated.set(subject, { facts, version });
    this.suspect();
    if (reported.status !== 'UNHEALTHY') return;
    const reason = `${reported.reason}, which is newer than the known state of the pod`;
    registry.replaceFacts(subject, 'pod', [
      ...facts,
      { source: 'pod', status: 'UNHEALTHY', reason, sinceMs: reported.sinceMs },
    ]);
  }

  private catchUp(subject: string): void {
    const outdated = this.outdated.get(subject);
    if (outdated === undefined) return;
    this.outdated.delete(subject);
    this.cluster.registry.replaceFacts(subject, 'pod', outdated.facts);
  }

  /** Slices are ahead of the watch of pods: either it is about to catch up, or it is dead without another sign. */
  private suspect(): void {
    this.suspicion ??= this.cluster.clock.setTimeout(() => this.review(), BEHIND_MS);
  }

  private review(): void {
    this.suspicion = undefined;
    for (const [subject, { version }] of this.outdated) if (!this.watch().isBehind(version)) this.catchUp(subject);
    if (this.outdated.size === 0 && this.unseen.size === 0) return;
    const nowMs = this.cluster.clock.monotonicMs();
    if (nowMs - this.verifiedMs >= VERIFY_MS) {
      this.verifiedMs = nowMs;
      this.watch().verify();
    }
    this.suspect();
  }

  /**
   * The pod's facts; for a healthy pod, also a fact against other addresses with which slices contain it: a pod of the same
   * name (StatefulSet) or a new sandbox of the same pod has another address, and until the controller has written it, a
   * slice contains the old address for a healthy pod.
   */
  private heldAgainst(
    subject: string,
    facts: readonly Fact[],
    addresses: readonly string[],
    node: string | undefined,
  ): readonly Fact[] {
    let stale: Set<string> | undefined;
    let isNamed = false;
    let placeless: InstanceState[] | undefined;
    for (const state of this.cluster.registry.instancesOf(subject)) {
      isNamed = true;
      const others = state.addresses.filter((one) => !addresses.includes(one));
      if (others.length > 0 && repeatsPod(state.instance)) stale = new Set([...(stale ?? []), ...others]);
      else if (others.length === 0 && state.subjectCount === 1) placeless = [...(placeless ?? []), state];
    }
    // Of slices that came before the pod and do not name its node.
    if (node !== undefined) for (const state of placeless ?? []) this.cluster.registry.addSubject(state, node);
    if (isNamed) this.unnamed.delete(subject);
    else this.unnamed.set(subject, { addresses, node, doubtfulSinceMs: undefined });
    const [healthy] = facts;
    if (stale === undefined || healthy?.status !== 'HEALTHY') return facts;
    const reason = `its pod has ${addresses.length === 0 ? 'no address' : addresses.join(' and ')} now`;
    return [...facts, { ...healthy, status: 'UNHEALTHY', reason, gone: true, addresses: [...stale] }];
  }

  /** A deleted pod stays excluded while a slice contains it: its controller may be slow or dead. */
  private sweep(): void {
    const { registry, clock } = this.cluster;
    const nowMs = clock.monotonicMs();
    for (const [subject, sinceMs] of this.gone) {
      if (nowMs - sinceMs < GONE_MS || this.isNamed(subject)) continue;
      this.gone.delete(subject);
      registry.replaceFacts(subject, 'pod', NOTHING);
    }
    this.sweepUnseen(nowMs);
    this.sweepDoubtful(nowMs);
    this.timer = clock.setTimeout(() => this.sweep(), SWEEP_MS);
  }

  private sweepUnseen(nowMs: number): void {
    for (const [subject, sinceMs] of this.unseen) {
      if (!this.hadTime(sinceMs, nowMs)) continue;
      this.unseen.delete(subject);
      if (!this.isKnown(subject) && this.isNamed(subject)) this.stateGone(subject, 'the pod does not exist');
    }
  }

  /** Slices have contained another address for too long for the watch of pods to be merely late. */
  private sweepDoubtful(nowMs: number): void {
    const { registry } = this.cluster;
    for (const [subject, { addresses, node, doubtfulSinceMs }] of this.unnamed) {
      if (doubtfulSinceMs === undefined || !this.hadTime(doubtfulSinceMs, nowMs)) continue;
      const facts = registry.factsOf(subject).filter((fact) => fact.source === 'pod' && fact.addresses === undefined);
      registry.replaceFacts(subject, 'pod', this.heldAgainst(subject, facts, addresses, node));
    }
  }

  /** Whether the watch of pods would have shown the state of the slice by now. */
  private hadTime(sinceMs: number, nowMs: number): boolean {
    return nowMs - sinceMs >= UNSEEN_MS && this.watch().hasFollowedSince(sinceMs + BEHIND_MS);
  }

  private stateGone(subject: string, reason: string): void {
    const { registry, clock } = this.cluster;
    this.gone.set(subject, clock.monotonicMs());
    const fact: Fact = { source: 'pod', status: 'UNHEALTHY', reason, sinceMs: clock.now(), gone: true };
    registry.replaceFacts(subject, 'pod', [fact]);
  }

  private isKnown(subject: string): boolean {
    return this.cluster.registry.factsOf(subject).length > 0;
  }

  private isNamed(subject: string): boolean {
    for (const _ of this.cluster.registry.instancesOf(subject)) return true;
    return false;
  }
}

/** Other controllers may write an address of a network that is not in the pod's status (Multus). */
const repeatsPod = ({ facts }: Pick<Instance, 'facts'>): boolean => facts[0]?.repeats === 'pod';

/** "Unknown" was the phase of pods of lost nodes before Kubernetes 1.5. */
const ENDED: ReadonlySet<unknown> = new Set(['Succeeded', 'Failed', 'Unknown']);

/**
 * For `pods: verified`: whether the pod has names, "<dashed address>.<namespace>.pod". As in CoreDNS it has them regardless of
 * readiness, until it ends or is being deleted, because another may get its address.
 */
export const hasName = ({ deletingSinceMs }: Pick<Metadata, 'deletingSinceMs'>, pod: Fields): boolean =>
  deletingSinceMs === undefined && !ENDED.has(podStatus(pod).phase);

function nodeOf(cluster: Cluster, pod: Fields): string | undefined {
  const name = optionalText(optionalFields(pod.spec, 'spec').nodeName, 'spec.nodeName');
  return name === undefined || name === '' ? undefined : nodeSubject(cluster, name);
}
