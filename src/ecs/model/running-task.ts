// A task while it runs, and for a while after it has stopped.
import type { Status } from '../../registry/model.ts';
import type { TaskDefinition } from '../../taskdef/task-definition.ts';
import type { Tags } from './ecs-records.ts';

export type TaskStatus = 'PROVISIONING' | 'PENDING' | 'RUNNING' | 'DEACTIVATING' | 'STOPPING' | 'STOPPED';

/** What to run. */
export interface TaskRequest {
  readonly cluster: string;
  /** "service:web" or "family:web", as in ECS. */
  readonly group: string;
  readonly startedBy?: string;
  readonly definitionKey: string;
  readonly definition: TaskDefinition;
  /** The deployment that started it. */
  readonly deployment?: string;
  readonly service?: string;
  readonly registries: readonly {
    readonly registryArn: string;
    readonly containerName?: string;
    readonly containerPort?: number;
  }[];
  readonly overrides: readonly ContainerOverride[];
  readonly launchType: 'EC2' | 'FARGATE' | 'EXTERNAL';
  readonly tags: Tags;
}

export interface ContainerOverride {
  readonly name: string;
  readonly command?: readonly string[];
  readonly environment?: readonly { readonly name: string; readonly value: string }[];
}

export interface RunningContainer {
  readonly name: string;
  readonly image: string;
  readonly essential: boolean;
  readonly status: 'PENDING' | 'RUNNING' | 'STOPPED';
  readonly health: Status;
  readonly healthReason: string;
  readonly exitCode?: number;
  readonly reason?: string;
  readonly pid?: number;
  /** The container runtime's id. */
  readonly runtimeId?: string;
  readonly ports: readonly { readonly containerPort: number; readonly hostPort: number; readonly protocol: string }[];
}

export interface RunningTask {
  readonly id: string;
  readonly request: TaskRequest;
  readonly address: string;
  readonly status: TaskStatus;
  readonly desiredStatus: 'RUNNING' | 'STOPPED';
  readonly health: Status;
  readonly healthReason: string;
  readonly containers: readonly RunningContainer[];
  readonly createdMs: number;
  readonly startedMs?: number;
  readonly stoppingMs?: number;
  readonly stoppedMs?: number;
  readonly stopCode?: 'TaskFailedToStart' | 'EssentialContainerExited' | 'UserInitiated' | 'ServiceSchedulerInitiated';
  readonly stoppedReason?: string;
  /** Grows with each change. */
  readonly version: number;
}

/** Runs tasks. The only interface between the API and an engine. */
export interface TaskEngine {
  /** Every task that runs, and those that stopped lately. */
  readonly tasks: ReadonlyMap<string, RunningTask>;
  /** Why the engine could not run the definition; undefined: it can. */
  problemOf?(definition: TaskDefinition): string | undefined;
  /** Looks up a task that another replica may have started. Rejects with ServiceUnavailable if that is impossible. */
  refresh(id: string): Promise<void>;
  /** Rejects with AwsError or the engine's own error. */
  run(request: TaskRequest): Promise<RunningTask>;
  /** Takes the task out of DNS, waits for the drain delay, and ends its containers. Resolves once that has begun. */
  stop(id: string, code: NonNullable<RunningTask['stopCode']>, reason: string): Promise<void>;
  /** Rejects like `run`. */
  setTags(id: string, tags: Tags): Promise<void>;
  /** Calls the listener after a task has changed. */
  onChange(listener: (task: RunningTask) => void): void;
  /** Ends all tasks at once. */
  close(): Promise<void>;
}
