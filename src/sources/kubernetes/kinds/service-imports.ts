// ServiceImports: services of a whole set of clusters, for a zone such as clusterset.local. The kind comes with the
// Multi-Cluster Services API (KEP-1645); a cluster without it has no such services, which is not an error.
import type { Service } from '../../../registry/model.ts';
import { type Fields, fields, list, MalformedObject, type Metadata } from '../api/objects.ts';
import type { WatchedKind } from '../watch/watched-kind.ts';
import { type Cluster, rankOf, serviceKey, sourceName } from './cluster.ts';
import { address } from './endpoint-instance.ts';
import { servicePorts } from './ports.ts';
import type { PublishedServices } from './published-services.ts';

export function serviceImportsKind(cluster: Cluster, published: PublishedServices, namespace?: string): WatchedKind {
  return {
    resource: 'serviceimports',
    apiGroup: 'multicluster.x-k8s.io',
    groupVersionPath: '/apis/multicluster.x-k8s.io/v1alpha1',
    namespace,
    labelSelector: cluster.config.labels,
    selectorKey: 'labels',
    essential: true,
    keyOf: (objectNamespace, name) => serviceKey(cluster, objectNamespace, name),
    replace(_key, metadata, object) {
      published.replace(translateServiceImport(cluster, metadata, object));
      return undefined;
    },
    remove: (key) => published.remove(key),
  };
}

/** A ServiceImport object as the registry's service. Throws MalformedObject. */
function translateServiceImport(cluster: Cluster, metadata: Metadata, object: Fields): Service {
  const { config, zone } = cluster;
  const spec = fields(object.spec, 'spec');
  if (spec.type !== 'ClusterSetIP' && spec.type !== 'Headless') {
    throw new MalformedObject(`spec.type is ${JSON.stringify(spec.type)}, not ClusterSetIP or Headless`);
  }
  return {
    key: serviceKey(cluster, metadata.namespace, metadata.name),
    source: sourceName(config),
    zone: zone.name,
    namespace: metadata.namespace,
    name: metadata.name,
    names: zone.names,
    ttlSeconds: config.ttlSeconds,
    policy: { ...zone.policy, publishNotReady: false },
    ports: servicePorts(list(spec.ports, 'spec.ports'), 'spec.ports'),
    createdMs: metadata.createdMs,
    ...rankOf(cluster),
    ...(spec.type === 'Headless'
      ? { kind: 'instances' }
      : {
          kind: 'clusterIp',
          clusterIps: list(spec.ips, 'spec.ips').map((ip) => address(ip)),
          hidesInstances: true,
        }),
  };
}
