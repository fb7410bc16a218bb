// A pod's word counts for the addresses that it has. A pod of the same name (StatefulSet) or a new sandbox of the same pod has
// another address, and until its controller has written that, a slice gives the old one for a pod that is well.
import type { Clock } from '../../../clock.ts';
import type { Fact, Instance } from '../../../registry/model.ts';
import { type Fields, fields, list, MalformedObject, optionalFields } from '../api/objects.ts';
import type { Cluster } from './cluster.ts';
import { address } from './endpoint-instance.ts';

/** Keeps what is needed to see it in whatever order pods and slices come; of a pod that a slice names right, nothing. */
export interface PodAddresses {
  /** The pod's facts, and beside one that it is well another about the addresses that it does not have, for slices name them. */
  heldAgainst(subject: string, facts: readonly Fact[], addresses: readonly string[]): readonly Fact[];
  /** A slice of the pods' own controller gives this address for the pod, which is known. */
  note(subject: string, address: string): void;
  /** Holds it against pods of which slices have said another address for so long: our watch of pods is not just late. */
  sweep(patienceMs: number): void;
  forget(subject: string): void;
  clear(): void;
}

export function createPodAddresses(
  registry: Pick<Cluster['registry'], 'instancesOf' | 'factsOf' | 'replaceFacts'>,
  clock: Clock,
): PodAddresses {
  /** Addresses of pods that no slice has named. */
  const unnamed = new Map<string, readonly string[]>();
  /** Of those, the ones that a slice has named with another address, and since when. */
  const doubtful = new Map<string, number>();

  function heldAgainst(subject: string, facts: readonly Fact[], addresses: readonly string[]): readonly Fact[] {
    const stale = new Set<string>();
    let isNamed = false;
    for (const state of registry.instancesOf(subject)) {
      isNamed = true;
      for (const one of state.addresses) if (!addresses.includes(one) && repeatsPod(state.instance)) stale.add(one);
    }
    forget(subject);
    if (!isNamed) unnamed.set(subject, addresses);
    const [well] = facts;
    if (stale.size === 0 || well?.status !== 'HEALTHY') return facts;
    const reason = `its pod has ${addresses.length === 0 ? 'no address' : addresses.join(' and ')} now`;
    return [...facts, { ...well, status: 'UNHEALTHY', reason, gone: true, addresses: [...stale] }];
  }

  function forget(subject: string): void {
    unnamed.delete(subject);
    doubtful.delete(subject);
  }

  return {
    heldAgainst,
    note(subject, named) {
      const addresses = unnamed.get(subject);
      if (addresses === undefined) return;
      if (addresses.includes(named)) forget(subject);
      else if (!doubtful.has(subject)) doubtful.set(subject, clock.monotonicMs());
    },
    sweep(patienceMs) {
      for (const [subject, sinceMs] of doubtful) {
        if (clock.monotonicMs() - sinceMs < patienceMs) continue;
        const facts = registry.factsOf(subject).filter(({ source, addresses }) => source === 'pod' && !addresses);
        registry.replaceFacts(subject, 'pod', heldAgainst(subject, facts, unnamed.get(subject) ?? []));
      }
    },
    forget,
    clear() {
      unnamed.clear();
      doubtful.clear();
    },
  };
}

/** What other controllers say may be of a network that the pod's status does not know (Multus). */
const repeatsPod = ({ facts }: Pick<Instance, 'facts'>): boolean => facts[0]?.repeats === 'pod';

export const podStatus = (pod: Fields): Fields => optionalFields(pod.status, 'status');

/** Canonical addresses of a pod; [] while it has none, undefined where one cannot be read. */
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
