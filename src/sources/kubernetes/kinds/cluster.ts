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

export const nodeSubject = ({ config }: Pick<Cluster, 'config'>, name: string): string =>
  NODE.format(config.label, name);

/** Whether the configuration publishes this namespace (by name; labels are namespaces.ts's). */
export const publishes = ({ config }: Pick<Cluster, 'config'>, namespace: string): boolean =>
  config.namespaces.length === 0 || config.namespaces.includes(namespace);
