// Selects the Services in published namespaces. Without a namespace label selector these are all (the watch is already limited
// by name); with one, they change as namespaces are added, removed and relabeled.
import type { Service } from '../../../registry/model.ts';
import type { Cluster } from './cluster.ts';

export interface PublishedServices {
  replace(service: Service): void;
  remove(key: string): void;
  publishNamespace(namespace: string): void;
  withholdNamespace(namespace: string): void;
}

export function createPublishedServices({ registry, config }: Pick<Cluster, 'registry' | 'config'>): PublishedServices {
  if (config.namespaceLabels === undefined) {
    return {
      replace: (service) => registry.replaceService(service),
      remove: (key) => registry.removeService(key),
      publishNamespace() {},
      withholdNamespace() {},
    };
  }

  const services = new Map<string, Service>();
  const published = new Set<string>();
  const inNamespace = (namespace: string) =>
    [...services.values()].filter((service) => service.namespace === namespace);

  return {
    replace(service) {
      services.set(service.key, service);
      if (published.has(service.namespace)) registry.replaceService(service);
      else registry.removeService(service.key); // it may be from a snapshot
    },
    remove(key) {
      services.delete(key);
      registry.removeService(key);
    },
    publishNamespace(namespace) {
      if (published.has(namespace)) return;
      published.add(namespace);
      for (const service of inNamespace(namespace)) registry.replaceService(service);
    },
    withholdNamespace(namespace) {
      if (!published.delete(namespace)) return;
      for (const service of inNamespace(namespace)) registry.removeService(service.key);
    },
  };
}
