// State of a running task that the next supervisor needs to take it over after a crash: FOLDER/tasks/ID/task.json. A process is
// identified by its id, its start time and the task's id in its environment, so that it is not mistaken for another.
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readRegularFile } from '../../native/regular-file.ts';
import type { RunningTask, TaskRequest } from '../model/running-task.ts';
import { environmentOf, startTicks, TASK_VARIABLE } from './container-process.ts';

export interface Port {
  readonly containerPort: number;
  readonly hostPort: number;
  readonly protocol: string;
}

interface ContainerInFile {
  readonly name: string;
  readonly status: 'RUNNING' | 'STOPPED';
  readonly pid?: number;
  /** When the process started, in the kernel's ticks since the boot. */
  readonly ticks?: string;
  readonly exitCode?: number;
}

export interface TaskFile {
  readonly id: string;
  readonly request: TaskRequest;
  readonly address: string;
  readonly createdMs: number;
  readonly startedMs: number;
  readonly ports: readonly (readonly [string, readonly Port[]])[];
  readonly containers: readonly ContainerInFile[];
}

const FILE = 'task.json';

/** Without it, a crash ends the task: failing to write is no reason to end it now. */
export function writeTaskFile(folder: string, task: RunningTask, ports: ReadonlyMap<string, readonly Port[]>): void {
  const { id, request, address, createdMs, startedMs = createdMs } = task;
  const containers = task.containers.map(({ name, status, pid, exitCode }): ContainerInFile => {
    const ticks = pid === undefined ? undefined : startTicks(pid);
    const ended = { name, status: 'STOPPED' as const, ...(exitCode !== undefined && { exitCode }) };
    return status === 'RUNNING' && pid !== undefined && ticks !== undefined ? { name, status, pid, ticks } : ended;
  });
  const content: TaskFile = { id, request, address, createdMs, startedMs, ports: [...ports], containers };
  try {
    writeFileSync(join(folder, `${FILE}.tmp`), JSON.stringify(content), { mode: 0o600 });
    renameSync(join(folder, `${FILE}.tmp`), join(folder, FILE));
  } catch {
    // see above
  }
}

/** The task is being stopped: the next supervisor ends it. */
export function removeTaskFile(folder: string): void {
  rmSync(join(folder, FILE), { force: true });
}

/** undefined: there is none, or it is damaged. */
export async function readTaskFile(folder: string): Promise<TaskFile | undefined> {
  try {
    const file = JSON.parse(await readRegularFile(join(folder, FILE))) as TaskFile;
    const names = file.request.definition.containerDefinitions.map(({ name }) => name).sort();
    const isWhole = JSON.stringify(file.containers.map(({ name }) => name).sort()) === JSON.stringify(names);
    return isWhole ? file : undefined;
  } catch {
    return undefined;
  }
}

/** Whether every container that ran, and every essential one, is still the same process. */
export function isAlive({ id, request, containers }: TaskFile): boolean {
  return containers.every(({ name, status, pid, ticks }) => {
    const definition = request.definition.containerDefinitions.find((one) => one.name === name);
    if (status !== 'RUNNING') return definition?.essential === false;
    return pid !== undefined && startTicks(pid) === ticks && environmentOf(pid).includes(`${TASK_VARIABLE}=${id}`);
  });
}
