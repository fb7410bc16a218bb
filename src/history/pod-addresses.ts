// The pods by their addresses, to identify clients. Built at the first lookup, and from then on kept
// up to date with the services that changed.
import type { Clock } from '../clock.ts';
import { POD } from '../registry/reference.ts';
import type { Registry } from '../registry/registry.ts';

export interface Owner {
  readonly namespace: string;
  readonly pod: string;
}

export interface PodAddresses {
  /** `address` in canonical form. undefined: unknown, or several pods have it (that of their node). */
  find(address: string): Owner | undefined;
}

export interface StrayPod extends Owner {
  readonly address: string;
}

interface Known {
  /** undefined: several pods have the address. */
  subject: string | undefined;
  /** Instances that have it. */
  uses: number;
}

/** Pods of no service are read again after this time. */
const STRAY_MS = 2_000;

/** `strayPods`: those that no service contains. */
export function createPodAddresses(
  registry: Pick<Registry, 'services' | 'service' | 'onChange'>,
  strayPods: () => Iterable<StrayPod>,
  clock: Pick<Clock, 'monotonicMs'>,
): PodAddresses {
  const known = new Map<string, Known>();
  /** Addresses by service, to be replaced with it. */
  const ofService = new Map<string, readonly string[]>();
  const dirty = new Set<string>();
  let stray = new Map<string, Owner>();
  let strayMs = Number.NEGATIVE_INFINITY;
  let isBuilt = false;
  registry.onChange((key, what) => {
    if (isBuilt && what === 'structure') dirty.add(key);
  });

  function update(key: string): void {
    for (const address of ofService.get(key) ?? []) {
      const left = known.get(address)!;
      if (--left.uses === 0) known.delete(address);
    }
    ofService.delete(key);
    const addresses: string[] = [];
    for (const state of registry.service(key)?.instances.values() ?? []) {
      const subject = state.instance.subjects.find((one) => POD.parse(one) !== undefined);
      if (subject === undefined) continue;
      for (const address of state.addresses) {
        const before = known.get(address);
        if (before === undefined) known.set(address, { subject, uses: 1 });
        else {
          before.uses++;
          if (before.subject !== subject) before.subject = undefined;
        }
        addresses.push(address);
      }
    }
    if (addresses.length > 0) ofService.set(key, addresses);
  }

  function settle(): void {
    if (!isBuilt) for (const { key } of registry.services()) dirty.add(key);
    isBuilt = true;
    for (const key of dirty) update(key);
    dirty.clear();
    if (clock.monotonicMs() - strayMs < STRAY_MS) return;
    strayMs = clock.monotonicMs();
    stray = new Map([...strayPods()].map(({ address, ...owner }) => [address, owner]));
  }

  return {
    find(address) {
      settle();
      const found = known.get(address);
      if (found === undefined) return stray.get(address);
      const pod = found.subject === undefined ? undefined : POD.parse(found.subject);
      return pod && { namespace: pod.namespace, pod: pod.name };
    },
  };
}
