// What all kinds of one cluster share when they state things.
import type { Clock } from '../../clock.ts';
import type { KubernetesConfig, ZoneConfig } from '../../config/config.ts';
import type { Logger } from '../../log.ts';
import type { Registry } from '../../registry/registry.ts';

export type Statements = Pick<
  Registry,
  'replaceService' | 'removeService' | 'replaceGroup' | 'removeGroup' | 'replaceFacts' | 'factsOf' | 'instancesOf'
>;

export interface Cluster {
  readonly config: KubernetesConfig;
  readonly zone: ZoneConfig;
  readonly registry: Statements;
  readonly clock: Clock;
  readonly log: Logger;
}

/** "kubernetes/CONTEXT" */
export const sourceName = (config: Pick<KubernetesConfig, 'label'>): string => `kubernetes/${config.label}`;

/** Keys of services, and with the empty name of namespaces. */
export const serviceKey = (
  { config, zone }: Pick<Cluster, 'config' | 'zone'>,
  namespace: string,
  name: string,
): string => `${sourceName(config)}/${zone.name}/${namespace}/${name}`;

/** Keys of the objects that state instances: "kubernetes/CONTEXT/ZONE/endpointslices/NAMESPACE/NAME". */
export const groupKey = (
  { config, zone }: Pick<Cluster, 'config' | 'zone'>,
  resource: string,
  namespace: string,
  name: string,
): string => `${sourceName(config)}/${zone.name}/${resource}/${namespace}/${name}`;

export const podSubject = ({ config }: Pick<Cluster, 'config'>, namespace: string, name: string): string =>
  `pod/${config.label}/${namespace}/${name}`;

export const nodeSubject = ({ config }: Pick<Cluster, 'config'>, name: string): string =>
  `node/${config.label}/${name}`;

/** Whether the configuration publishes this namespace (by name; labels are namespaces.ts's). */
export const publishes = ({ config }: Pick<Cluster, 'config'>, namespace: string): boolean =>
  config.namespaces.length === 0 || config.namespaces.includes(namespace);
