// The objects of the ECS API, as stored. Times are wall-clock milliseconds; on the wire, seconds.
import type { TaskDefinition } from '../../taskdef/task-definition.ts';

export type Tags = Readonly<Record<string, string>>;

export interface ClusterRecord {
  readonly name: string;
  readonly createdMs: number;
  readonly tags: Tags;
  readonly settings?: readonly { readonly name: string; readonly value: string }[];
  /** Since when it has been INACTIVE (deleted); such clusters are described for an hour. */
  readonly inactiveMs?: number;
}

export interface TaskDefinitionRecord {
  readonly family: string;
  readonly revision: number;
  readonly status: 'ACTIVE' | 'INACTIVE';
  readonly registeredMs: number;
  readonly deregisteredMs?: number;
  /** The checked definition, by which tasks run. */
  readonly definition: TaskDefinition;
  readonly tags: Tags;
}

export interface Registry {
  readonly registryArn: string;
  readonly containerName?: string;
  readonly containerPort?: number;
  readonly port?: number;
}

export interface DeploymentRules {
  readonly minimumHealthyPercent: number;
  readonly maximumPercent: number;
  readonly circuitBreaker: { readonly enable: boolean; readonly rollback: boolean };
}

export interface DeploymentRecord {
  readonly id: string;
  /** "web:3" */
  readonly taskDefinition: string;
  readonly createdMs: number;
  readonly updatedMs: number;
  readonly rolloutState: 'IN_PROGRESS' | 'COMPLETED' | 'FAILED';
  readonly rolloutReason: string;
  readonly failedTasks: number;
}

export interface ServiceEvent {
  readonly id: string;
  readonly createdMs: number;
  readonly message: string;
}

export interface EcsServiceRecord {
  readonly cluster: string;
  readonly name: string;
  readonly status: 'ACTIVE' | 'DRAINING' | 'INACTIVE';
  readonly desiredCount: number;
  readonly registries: readonly Registry[];
  readonly rules: DeploymentRules;
  readonly gracePeriodSeconds: number;
  readonly createdMs: number;
  readonly clientToken?: string;
  /** Of the request with that token. */
  readonly fingerprint?: string;
  readonly launchType: 'EC2' | 'FARGATE' | 'EXTERNAL';
  /** The primary one first, then those that are being replaced. */
  readonly deployments: readonly DeploymentRecord[];
  /** The newest first. */
  readonly events: readonly ServiceEvent[];
  readonly tags: Tags;
  /** Since when it has been INACTIVE; such services are shown for an hour. */
  readonly inactiveMs?: number;
}

export const serviceKey = ({ cluster, name }: Pick<EcsServiceRecord, 'cluster' | 'name'>): string =>
  `${cluster}/${name}`;

export const definitionKey = ({ family, revision }: Pick<TaskDefinitionRecord, 'family' | 'revision'>): string =>
  `${family}:${revision}`;
