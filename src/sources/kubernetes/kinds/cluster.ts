// What all kinds of one cluster share when they state things.
import type { Clock } from '../../../clock.ts';
import type { KubernetesConfig, ZoneConfig } from '../../../config/config.ts';
import type { Logger } from '../../../log.ts';
import type { Statements } from '../snapshot/recorder.ts';

export interface Cluster {
  readonly config: KubernetesConfig;
  readonly zone: ZoneConfig;
  readonly registry: Statements;
  readonly clock: Clock;
  readonly log: Logger;
}

/** "kubernetes/CONTEXT" */
export const sourceName = (config: Pick<KubernetesConfig, 'label'>): string => `kubernetes/${config.label}`;

// Keys are kept by the hundred thousand. V8 keeps what `+` and templates make as a tree of its parts; `join` makes one
// flat string, which is a hundred bytes less for each.

/** Keys of services, and with the empty name of namespaces. */
export const serviceKey = (
  { config, zone }: Pick<Cluster, 'config' | 'zone'>,
  namespace: string,
  name: string,
): string => [sourceName(config), zone.name, namespace, name].join('/');

/** Keys of the objects that state instances: "kubernetes/CONTEXT/ZONE/endpointslices/NAMESPACE/NAME". */
export const groupKey = (
  { config, zone }: Pick<Cluster, 'config' | 'zone'>,
  resource: string,
  namespace: string,
  name: string,
): string => [sourceName(config), zone.name, resource, namespace, name].join('/');

export const podSubject = ({ config }: Pick<Cluster, 'config'>, namespace: string, name: string): string =>
  ['pod', config.label, namespace, name].join('/');

/** What the subjects of all pods begin with, or of those of one namespace. */
export const podSubjects = (cluster: Pick<Cluster, 'config'>, namespace: string | undefined): string =>
  namespace === undefined ? podSubject(cluster, '', '').slice(0, -1) : podSubject(cluster, namespace, '');

export const nodeSubjects = ({ config }: Pick<Cluster, 'config'>): string => ['node', config.label, ''].join('/');

/** Shared: a node has many pods. */
export function nodeSubject({ config }: Pick<Cluster, 'config'>, name: string): string {
  const subject = ['node', config.label, name].join('/');
  const known = sharedNodeSubjects.get(subject);
  if (known !== undefined) return known;
  if (sharedNodeSubjects.size >= MAX_NODE_SUBJECTS) sharedNodeSubjects.clear();
  sharedNodeSubjects.set(subject, subject);
  return subject;
}

const sharedNodeSubjects = new Map<string, string>();
const MAX_NODE_SUBJECTS = 50_000;

/** Whether the configuration publishes this namespace (by name; labels are namespaces.ts's). */
export const publishes = ({ config }: Pick<Cluster, 'config'>, namespace: string): boolean =>
  config.namespaces.length === 0 || config.namespaces.includes(namespace);
