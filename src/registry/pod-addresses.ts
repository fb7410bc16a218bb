// The addresses with which pods have names below their namespaces. They are not instances: the names exist, whatever the pod's
// health, and 100,000 instances more would take 35 MB (bench/RESULTS.md, "Memory per instance").
import { RegistryLimitError, type RegistryLimits } from './limits.ts';
import type { ServiceEntry } from './service-entry.ts';
import type { AddressListener, Subjects } from './subjects.ts';

export interface PodAddress {
  readonly subject: string;
  readonly namespaceKey: string;
  readonly address: string;
}

export interface PodAddresses {
  /**
   * Replaces the addresses with which a pod has names below its namespace, the key of a service of that kind; [] removes them.
   * Throws RegistryLimitError.
   */
  replacePodAddresses(subject: string, namespaceKey: string, addresses: readonly string[]): void;
  podAddresses(): Iterable<PodAddress>;
  /** Called synchronously: only take a note. */
  onPodAddress(listener: AddressListener): void;
}

export function createPodAddresses(
  subjects: Pick<Subjects<object>, 'replaceAddresses' | 'withAddresses'>,
  services: ReadonlyMap<string, Pick<ServiceEntry, 'key'>>,
  limits: RegistryLimits,
): PodAddresses {
  const listeners: AddressListener[] = [];
  /** Of the last pod: those of a namespace are listed one after the other. */
  let lastKey = '';
  const tell: AddressListener = (namespaceKey, address, isGained) => {
    for (const listener of listeners) listener(namespaceKey, address, isGained);
  };
  return {
    replacePodAddresses(subject, namespaceKey, addresses) {
      if (addresses.length > limits.addressesPerPod) {
        throw new RegistryLimitError(
          `${addresses.length} addresses of ${subject} are dropped: the limit is ${limits.addressesPerPod}`,
        );
      }
      // One string for all pods of the namespace.
      if (lastKey !== namespaceKey) lastKey = services.get(namespaceKey)?.key ?? namespaceKey;
      subjects.replaceAddresses(subject, lastKey, addresses, tell);
    },
    *podAddresses() {
      for (const subject of subjects.withAddresses())
        for (const namespaceKey of subject.namespaceList())
          for (const address of subject.addressesIn(namespaceKey))
            yield { subject: subject.text, namespaceKey, address };
    },
    onPodAddress: (listener) => void listeners.push(listener),
  };
}
