// Legacy Endpoints, used if the server has no EndpointSlices (before Kubernetes 1.21).
import type { Fact, Instance } from '../../../registry/model.ts';
import { type Fields, fields, list, type Metadata, optionalText, timeMs } from '../api/objects.ts';
import type { WatchedKind } from '../watch/watched-kind.ts';
import { type Cluster, groupKey, serviceKey } from './cluster.ts';
import { address, endpointInstance, targetReference } from './endpoint-instance.ts';
import { LAST_CHANGE } from './endpoint-slices.ts';
import { servicePorts } from './ports.ts';

export function endpointsKind(cluster: Cluster, namespace?: string): WatchedKind {
  const { registry } = cluster;
  return {
    resource: 'endpoints',
    apiGroup: '',
    groupVersionPath: '/api/v1',
    namespace,
    labelSelector: cluster.config.labels, // Endpoints carry the labels of their Service
    selectorKey: 'labels',
    essential: true,
    keyOf: (objectNamespace, name) => groupKey(cluster, 'endpoints', objectNamespace, name),
    replace(key, metadata, object) {
      const service = serviceKey(cluster, metadata.namespace, metadata.name);
      registry.replaceGroup(key, service, translateEndpoints(cluster, metadata, object));
      return undefined;
    },
    remove: (key) => registry.removeGroup(key),
  };
}

/** An Endpoints object has its Service's name. Throws MalformedObject. */
export function translateEndpoints(cluster: Cluster, metadata: Metadata, object: Fields): readonly Instance[] {
  const changed = timeMs(metadata.annotations[LAST_CHANGE]);
  const sinceMs = changed ?? metadata.createdMs ?? cluster.clock.now();
  // Only the endpoints controller writes that annotation; Endpoints written by hand do not repeat a pod.
  const repeats = changed === undefined ? {} : ({ repeats: 'pod' } as const);
  const ready: Fact = { source: 'endpoints', status: 'HEALTHY', reason: 'ready in its Endpoints', sinceMs };
  const notReady: Fact = { source: 'endpoints', status: 'UNHEALTHY', reason: 'not ready in its Endpoints', sinceMs };

  return list(object.subsets, 'subsets').flatMap((value, index) => {
    const subset = fields(value, `subsets[${index}]`);
    const ports = servicePorts(list(subset.ports, 'ports'), `subsets[${index}].ports`);
    const instances = (addresses: unknown, fact: Fact) =>
      list(addresses, 'addresses').map((raw) => {
        const entry = fields(raw, 'address');
        const target = targetReference(entry.targetRef, metadata.namespace);
        return endpointInstance(cluster, {
          address: address(entry.ip),
          ports,
          hostname: optionalText(entry.hostname, 'hostname')?.toLowerCase(),
          target,
          nodeName: optionalText(entry.nodeName, 'nodeName'),
          facts: [target?.kind === 'Pod' ? { ...fact, ...repeats } : fact],
        });
      });
    return [...instances(subset.addresses, ready), ...instances(subset.notReadyAddresses, notReady)];
  });
}
