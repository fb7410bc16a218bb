// Settings and references shared by all kinds of one cluster.

import type { Clock } from '../../../clock.ts';
import type { KubernetesConfig, ZoneConfig } from '../../../config/config.ts';
import type { Logger } from '../../../log.ts';
import type { Service } from '../../../registry/model.ts';
import { KUBERNETES_OBJECT, KUBERNETES_SERVICE, NODE, POD } from '../../../registry/reference.ts';
import type { Statements } from '../snapshot/recorder.ts';

export interface Cluster {
  readonly config: KubernetesConfig;
  readonly zone: ZoneConfig;
  readonly registry: Statements;
  readonly clock: Clock;
  readonly log: Logger;
  /** The endpoints of a service, by key, have changed at this time (wall-clock milliseconds), as their controller says. */
  readonly changed?: ((service: string, atMs: number) => void) | undefined;
}

/** "kubernetes/CONTEXT" */
export const sourceName = (config: Pick<KubernetesConfig, 'label'>): string => `kubernetes/${config.label}`;

/** Rank of the cluster's services among services of the same name. */
export const rankOf = ({ config }: Pick<Cluster, 'config'>): Pick<Service, 'rank' | 'merge'> => ({
  ...(config.rank > 0 && { rank: config.rank }),
  ...(config.merge && { merge: true }),
});

/** The key of a namespace. Objects are listed by namespace: mostly it is that of the one before. */
export function namespaceKey(cluster: Pick<Cluster, 'config' | 'zone'>, namespace: string): string {
  if (lastNamespace.cluster !== cluster || lastNamespace.namespace !== namespace)
    lastNamespace = { cluster, namespace, key: serviceKey(cluster, namespace, '') };
  return lastNamespace.key;
}

let lastNamespace: { readonly cluster: object; readonly namespace: string; readonly key: string } = {
  cluster: {},
  namespace: '',
  key: '',
};

/** Keys of services, and of namespaces (with an empty name). */
export const serviceKey = (
  { config, zone }: Pick<Cluster, 'config' | 'zone'>,
  namespace: string,
  name: string,
): string => KUBERNETES_SERVICE.format(config.label, zone.name, namespace, name);

/** Keys of the objects that list instances. */
export const groupKey = (
  { config, zone }: Pick<Cluster, 'config' | 'zone'>,
  resource: string,
  namespace: string,
  name: string,
): string => KUBERNETES_OBJECT.format(config.label, zone.name, resource, namespace, name);

export const podSubject = ({ config }: Pick<Cluster, 'config'>, namespace: string, name: string): string =>
  POD.format(config.label, namespace, name);

/** Prefix of the subjects of all pods, or of those in one namespace. */
export const podSubjects = ({ config }: Pick<Cluster, 'config'>, namespace: string | undefined): string =>
  namespace === undefined ? POD.prefix(config.label) : POD.prefix(config.label, namespace);

export const nodeSubjects = ({ config }: Pick<Cluster, 'config'>): string => NODE.prefix(config.label);

/** The subjects of few nodes are needed for many pods. */
export function nodeSubject({ config: { label } }: Pick<Cluster, 'config'>, name: string): string {
  if (label !== knownNodes.label || knownNodes.subjects.size >= MAX_KNOWN_NODES)
    knownNodes = { label, subjects: new Map() };
  const known = knownNodes.subjects.get(name);
  if (known !== undefined) return known;
  const subject = NODE.format(label, name);
  knownNodes.subjects.set(name, subject);
  return subject;
}

const MAX_KNOWN_NODES = 10_000;
let knownNodes = { label: '', subjects: new Map<string, string>() };

/** Whether the configuration publishes this namespace (by name; labels are namespaces.ts's). */
export const publishes = ({ config }: Pick<Cluster, 'config'>, namespace: string): boolean =>
  config.namespaces.length === 0 || config.namespaces.includes(namespace);
