// One task from its start to its end: its containers, their checks, and its state in DNS.
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import type { Clock } from '../../clock.ts';
import type { Scheduler } from '../../health/checks/scheduler.ts';
import { type CheckProgress, ecsTaskHealth } from '../../health/rules/ecs.ts';
import type { Status } from '../../registry/model.ts';
import type { ContainerDefinition } from '../../taskdef/task-definition.ts';
import type { Tags } from '../model/ecs-records.ts';
import type { RunningContainer, RunningTask, TaskRequest } from '../model/running-task.ts';
import { checkContainer } from './container-check.ts';
import {
  inheritedEnvironment,
  type Strays,
  SUPERVISOR_VARIABLE,
  signalGroup,
  startContainer,
  startTicks,
  TASK_VARIABLE,
} from './container-process.ts';
import { hasCheck } from './rollout.ts';
import { type Port, removeTaskFile, type TaskFile, writeTaskFile } from './task-file.ts';

const DEFAULT_STOP_SECONDS = 30;
/** How often the processes of an earlier supervisor are polled: they are not our children. */
const LOOK_MS = 500;

export interface LiveTaskSettings {
  /** Working folders and logs of tasks: FOLDER/tasks/ID/CONTAINER. */
  readonly folder: string;
  readonly clock: Clock;
  /** Seconds between a task's last answer and the end of its containers. */
  readonly drainSeconds: (request: TaskRequest) => number;
  /** Adds the task to DNS, or removes it. Takes effect before it returns. */
  readonly publish: (task: RunningTask, isAnswered: boolean) => void;
  readonly scheduler: Scheduler;
  readonly strays: Strays;
  readonly onChange: (task: RunningTask) => void;
}

export class LiveTask {
  task: RunningTask;
  readonly #settings: LiveTaskSettings;
  readonly #folder: string;
  readonly #endChecks: (() => void)[] = [];
  readonly #started = new Set<string>();
  #ports = new Map<string, readonly Port[]>();
  #isAnswered = false;
  /** Containers that an earlier supervisor started. */
  readonly #adopted = new Set<string>();
  #ending: Promise<void> | undefined;

  constructor(id: string, address: string, request: TaskRequest, settings: LiveTaskSettings) {
    this.#settings = settings;
    this.#folder = join(settings.folder, 'tasks', id);
    this.task = {
      ...{
        id,
        request,
        address,
        status: 'PENDING',
        desiredStatus: 'RUNNING',
        createdMs: settings.clock.now(),
        version: 1,
      },
      ...{ health: 'UNKNOWN', healthReason: 'starting' },
      containers: request.definition.containerDefinitions.map(({ name, image, essential }) => ({
        ...{ name, image, essential, status: 'PENDING', health: 'UNKNOWN', healthReason: 'starting', ports: [] },
      })),
    };
  }

  async launch(): Promise<void> {
    try {
      this.#ports = await assignPorts(this.task);
      await this.#startContainers();
    } catch (error) {
      this.stop('TaskFailedToStart', reasonOf(error as Error));
    }
  }

  /** Resumes the task of an earlier supervisor. Its health is determined anew. */
  resume({ createdMs, startedMs, ports, containers }: TaskFile): void {
    this.#ports = new Map(ports);
    for (const { name } of containers) this.#started.add(name);
    this.#change({
      ...{ status: 'RUNNING', createdMs, startedMs },
      containers: this.task.containers.map((one) => {
        const { name: _, ticks: __, ...known } = containers.find(({ name }) => name === one.name)!;
        return { ...one, ...known, ports: this.#ports.get(one.name) ?? [] };
      }),
    });
    for (const { name, pid, ticks, status } of containers) {
      if (status !== 'RUNNING') continue;
      this.#adopted.add(name);
      const definition = this.task.request.definition.containerDefinitions.find((one) => one.name === name)!;
      void this.#workingFolder(definition).then((folder) => this.#check(definition, folder));
      this.#awaitEnd(name, pid!, ticks!);
    }
  }

  #awaitEnd(name: string, pid: number, ticks: string): void {
    const { clock } = this.#settings;
    clock.setTimeout(() => {
      if (this.task.status === 'STOPPED') return;
      if (startTicks(pid) === ticks) this.#awaitEnd(name, pid, ticks);
      else this.#exited(name, undefined, 'it ended; it was started by an earlier run of healthdns');
    }, LOOK_MS);
  }

  logFiles(): string[] {
    return [...this.#started].map((name) => this.#logFile(name));
  }

  setTags(tags: Tags): void {
    this.#change({ request: { ...this.task.request, tags } });
    if (this.task.status === 'RUNNING') writeTaskFile(this.#folder, this.task, this.#ports);
  }

  /** Out of DNS first; containers end after the drain delay, if the task was answered at all. */
  stop(stopCode: NonNullable<RunningTask['stopCode']>, stoppedReason: string): void {
    if (this.task.desiredStatus === 'STOPPED') return;
    const { clock, drainSeconds } = this.#settings;
    const wasAnswered = this.#isAnswered;
    removeTaskFile(this.#folder);
    this.#change({
      status: 'DEACTIVATING',
      desiredStatus: 'STOPPED',
      stopCode,
      stoppedReason,
      stoppingMs: clock.now(),
    });
    const drains = wasAnswered && stopCode !== 'EssentialContainerExited';
    clock.setTimeout(() => void this.end(this.#stopMs()), drains ? drainSeconds(this.task.request) * 1000 : 0);
  }

  /** SIGTERM, and SIGKILL after `graceMs`; then also to processes that have left their groups. */
  end(graceMs: number): Promise<void> {
    this.#ending ??= this.#end(graceMs);
    return this.#ending;
  }

  async #end(graceMs: number): Promise<void> {
    const { clock } = this.#settings;
    for (const endCheck of this.#endChecks) endCheck();
    this.#change({ status: 'STOPPING', desiredStatus: 'STOPPED', stoppingMs: this.task.stoppingMs ?? clock.now() });
    const pids = this.task.containers.flatMap(({ pid, status }) =>
      pid === undefined || status === 'STOPPED' ? [] : [pid],
    );
    for (const pid of pids) signalGroup(pid, 'SIGTERM');
    const deadlineMs = clock.monotonicMs() + graceMs;
    // Nobody may wait for an adopted process: it stays a zombie, and its group with it.
    const isThere = (pid: number) => signalGroup(pid, 0) && (this.#adopted.size === 0 || startTicks(pid) !== undefined);
    while (pids.some(isThere) && clock.monotonicMs() < deadlineMs)
      await new Promise<void>((resolve) => void clock.setTimeoutKeepingAlive(resolve, 10));
    for (const pid of pids) signalGroup(pid, 'SIGKILL');
    await this.#settings.strays.end(this.task.id);
    const containers = this.task.containers.map((one) => ({ ...one, status: 'STOPPED' as const }));
    this.#change({ status: 'STOPPED', containers, stoppedMs: clock.now() });
  }

  #stopMs(): number {
    const seconds = this.task.request.definition.containerDefinitions.map(
      ({ stopTimeout = DEFAULT_STOP_SECONDS }) => stopTimeout,
    );
    return 1000 * Math.max(...seconds);
  }

  /** Starts the containers whose dependencies are met. */
  async #startContainers(): Promise<void> {
    for (const definition of this.task.request.definition.containerDefinitions) {
      if (this.#started.has(definition.name) || this.task.desiredStatus === 'STOPPED') continue;
      if (!definition.dependsOn.every((dependency) => this.#isMet(dependency))) continue;
      this.#started.add(definition.name);
      await this.#startContainer(definition);
    }
    const isUp = this.task.containers.every(({ status }) => status !== 'PENDING');
    if (!isUp || this.task.status !== 'PENDING') return;
    this.#change({ status: 'RUNNING', startedMs: this.#settings.clock.now() });
    writeTaskFile(this.#folder, this.task, this.#ports);
  }

  #isMet({ containerName, condition }: ContainerDefinition['dependsOn'][number]): boolean {
    const other = this.#container(containerName);
    if (condition === 'START') return other.status !== 'PENDING';
    if (condition === 'HEALTHY') return other.health === 'HEALTHY';
    return other.status === 'STOPPED' && (condition === 'COMPLETE' || other.exitCode === 0);
  }

  async #startContainer(definition: ContainerDefinition): Promise<void> {
    const { name } = definition;
    const folder = await this.#workingFolder(definition);
    const environment = this.#environment(definition);
    const override = this.task.request.overrides.find((one) => one.name === name);
    const argv = [...(definition.entryPoint ?? []), ...(override?.command ?? definition.command ?? [])];
    if (argv.length === 0) throw new Error(`container ${name} has no command: images are not pulled`);
    const { pid, exited } = await startContainer({ argv, folder, environment, logFile: this.#logFile(name) });
    void exited.then(({ code, reason }) => this.#exited(name, code, reason));
    if (this.task.status === 'STOPPED') signalGroup(pid, 'SIGKILL'); // it was stopped while it started
    this.#changeContainer(name, { status: 'RUNNING', pid, ports: this.#ports.get(name) ?? [] });
    this.#check(definition, folder);
  }

  #check(definition: ContainerDefinition, folder: string): void {
    const { name, healthCheck: check } = definition;
    if (check === undefined || check.command[0] === 'NONE') return;
    const { scheduler, clock } = this.#settings;
    const environment = this.#environment(definition);
    const onResult = (progress: CheckProgress) => this.#checked(name, progress);
    this.#endChecks.push(
      checkContainer({ ...{ check, taskId: this.task.id, folder, environment, scheduler, clock }, onResult }),
    );
  }

  /** The definition's, where this machine has it; else a folder of the container's own. */
  async #workingFolder({ name, workingDirectory }: ContainerDefinition): Promise<string> {
    const own = join(this.#folder, name);
    await mkdir(own, { recursive: true });
    return workingDirectory !== undefined && existsSync(workingDirectory) ? workingDirectory : own;
  }

  #environment({ name, environment }: ContainerDefinition): Record<string, string> {
    const { id, address, request } = this.task;
    const ports = [...this.#ports.values()].flat();
    const override = request.overrides.find((one) => one.name === name);
    const [first] = this.#ports.get(name) ?? ports;
    return {
      ...inheritedEnvironment(),
      HOST: address,
      ...(first && { PORT: String(first.hostPort) }),
      ...Object.fromEntries(ports.map(({ containerPort, hostPort }) => [`PORT_${containerPort}`, String(hostPort)])),
      ...Object.fromEntries([...environment, ...(override?.environment ?? [])].map((one) => [one.name, one.value])),
      [SUPERVISOR_VARIABLE]: this.#settings.folder,
      [TASK_VARIABLE]: id,
    };
  }

  #exited(name: string, exitCode: number | undefined, reason: string | undefined): void {
    const { essential } = this.#container(name);
    this.#changeContainer(name, {
      status: 'STOPPED',
      ...(exitCode !== undefined && { exitCode }),
      ...(reason && { reason }),
    });
    if (this.task.desiredStatus === 'STOPPED') return;
    if (essential) this.stop('EssentialContainerExited', 'Essential container in task exited');
    else if (this.task.status === 'RUNNING') writeTaskFile(this.#folder, this.task, this.#ports);
    else void this.launchWaiting();
  }

  #checked(name: string, { status, reason }: CheckProgress): void {
    this.#changeContainer(name, { health: status, healthReason: reason });
    void this.launchWaiting();
  }

  /** Containers that waited for another one. */
  async launchWaiting(): Promise<void> {
    try {
      await this.#startContainers();
    } catch (error) {
      this.stop('TaskFailedToStart', reasonOf(error as Error));
    }
  }

  #container(name: string): RunningContainer {
    return this.task.containers.find((one) => one.name === name)!;
  }

  #changeContainer(name: string, change: Partial<RunningContainer>): void {
    const containers = this.task.containers.map((one) => (one.name === name ? { ...one, ...change } : one));
    this.#change({ containers, ...healthOf(this.task.request, containers) });
  }

  #change(change: Partial<RunningTask>): void {
    if (this.task.status === 'STOPPED') return;
    this.task = { ...this.task, ...change, version: this.task.version + 1 };
    this.#publish();
    this.#settings.onChange(this.task);
  }

  /** A task with a health check is answered once it has passed; then its health decides. */
  #publish(): void {
    const { status, health, request } = this.task;
    const isAnswered = status === 'RUNNING' && (health !== 'UNKNOWN' || !hasCheck(request.definition));
    if (!isAnswered && !this.#isAnswered) return;
    this.#isAnswered = isAnswered;
    this.#settings.publish(this.task, isAnswered);
  }

  #logFile(name: string): string {
    return join(this.#folder, `${name}.log`);
  }
}

const isChecked = ({ essential, healthCheck }: ContainerDefinition): boolean =>
  essential && healthCheck !== undefined && healthCheck.command[0] !== 'NONE';

/** ECS's aggregate over the essential containers that have a health check. */
function healthOf(
  request: TaskRequest,
  containers: readonly RunningContainer[],
): { health: Status; healthReason: string } {
  const checked = request.definition.containerDefinitions.filter(isChecked).map(({ name }) => name);
  const judged = containers
    .filter(({ name }) => checked.includes(name))
    .map(({ name, essential, health, healthReason }) => ({ name, essential, status: health, reason: healthReason }));
  const { status, reason } = ecsTaskHealth(judged);
  return { health: status, healthReason: reason };
}

const reasonOf = ({ message }: Error): string => `CannotStartContainerError: ${message}`;

/**
 * The ports of each container. With awsvpc the task's own address has the container's port, as in ECS; otherwise `hostPort`
 * is used, or a free port for 0. Rejects if a fixed port is taken.
 */
async function assignPorts({ address, request }: RunningTask): Promise<Map<string, readonly Port[]>> {
  const isOwn = request.definition.networkMode === 'awsvpc';
  const ports = new Map<string, readonly Port[]>();
  for (const { name, portMappings } of request.definition.containerDefinitions) {
    const assigned: Port[] = [];
    for (const { containerPort, hostPort = 0, protocol } of portMappings) {
      if (containerPort === undefined) continue;
      const wanted = isOwn ? containerPort : hostPort;
      assigned.push({ containerPort, hostPort: await freePort(address, wanted), protocol });
    }
    ports.set(name, assigned);
  }
  return ports;
}

function freePort(address: string, wanted: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(error.code === 'EADDRINUSE' ? new Error(`port ${wanted} of ${address} is taken`) : error),
    );
    server.listen({ host: address, port: wanted, exclusive: true }, () => {
      const bound = server.address();
      server.close(() => resolve(typeof bound === 'object' && bound !== null ? bound.port : wanted));
    });
  });
}
