// Namespaces: the existence of "<namespace>.svc.<zone>" without Services, and which Services are published.

import type { Service } from '../../../registry/model.ts';
import { KUBERNETES_SERVICE } from '../../../registry/reference.ts';
import { NAMESPACE } from '../protobuf/schemas.ts';
import type { WatchedKind } from '../watch/watched-kind.ts';
import { type Cluster, publishes, serviceKey, sourceName } from './cluster.ts';
import type { PublishedServices } from './published-services.ts';

export function namespacesKind(cluster: Cluster, published: PublishedServices): WatchedKind {
  const { registry } = cluster;
  const nameOf = (key: string) => KUBERNETES_SERVICE.parse(key)!.namespace;
  return {
    resource: 'namespaces',
    apiGroup: '',
    groupVersionPath: '/api/v1',
    protobuf: NAMESPACE,
    labelSelector: cluster.config.namespaceLabels,
    selectorKey: 'namespaceLabels',
    // Its Services have names without it, unless labels decide which are published.
    essential: cluster.config.namespaceLabels !== undefined,
    keyOf: (_namespace, name) => serviceKey(cluster, name, ''),
    replace(_key, metadata) {
      if (!publishes(cluster, metadata.name)) return undefined;
      registry.replaceService(namespaceService(cluster, metadata.name, metadata.createdMs));
      published.publishNamespace(metadata.name);
      return undefined;
    },
    remove(key) {
      registry.removeService(key);
      published.withholdNamespace(nameOf(key));
    },
    restored(keys) {
      for (const key of keys) published.publishNamespace(nameOf(key));
    },
  };
}

function namespaceService(cluster: Cluster, namespace: string, createdMs: number | undefined): Service {
  const { config, zone } = cluster;
  return {
    key: serviceKey(cluster, namespace, ''),
    source: sourceName(config),
    zone: zone.name,
    namespace,
    name: '',
    names: ['{namespace}.svc'],
    ttlSeconds: config.ttlSeconds,
    policy: zone.policy,
    kind: 'namespace',
    podNames: config.pods,
    ports: [],
    createdMs,
  };
}
