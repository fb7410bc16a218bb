// Nodes: a node that is not ready makes its pods unhealthy. A ready node has no effect on them.
import type { Fact } from '../../../registry/model.ts';
import { type Fields, fields, list, optionalFields, optionalText, timeMs } from '../api/objects.ts';
import { NODE } from '../protobuf/schemas.ts';
import type { WatchedKind } from '../watch/watched-kind.ts';
import { type Cluster, nodeSubject, nodeSubjects } from './cluster.ts';

export function nodesKind(cluster: Cluster): WatchedKind {
  const { registry } = cluster;
  return {
    resource: 'nodes',
    apiGroup: '',
    groupVersionPath: '/api/v1',
    protobuf: NODE,
    essential: false,
    repeatedBy: ['pods', 'endpointslices', 'endpoints'], // a node's controller marks its pods as well
    keyOf: (_namespace, name) => nodeSubject(cluster, name),
    replace(key, metadata, object) {
      registry.replaceFacts(key, 'node', nodeFacts(metadata.name, object));
      return undefined;
    },
    remove: (key) => registry.replaceFacts(key, 'node', []),
    setStale: (sinceMs) => registry.setStale(nodeSubjects(cluster), sinceMs),
    abandon(keys) {
      for (const key of keys) registry.replaceFacts(key, 'node', []);
    },
  };
}

/** Empty if the node is ready, or no kubelet has reported. Throws MalformedObject. */
export function nodeFacts(name: string, object: Fields): readonly Fact[] {
  const conditions = list(optionalFields(object.status, 'status').conditions, 'status.conditions');
  const ready = conditions.map((value) => fields(value, 'condition')).find((condition) => condition.type === 'Ready');
  if (ready === undefined || ready.status === 'True') return [];
  const why = optionalText(ready.reason, 'reason');
  return [
    {
      source: 'node',
      status: 'UNHEALTHY',
      reason: `node ${name} is not ready${why === undefined ? '' : `: ${why}`}`,
      sinceMs: timeMs(ready.lastTransitionTime) ?? 0,
    },
  ];
}
