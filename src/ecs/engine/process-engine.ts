// Runs tasks as processes of this machine. Images are not pulled: a container is its command, in a folder of its own. Each
// task has a loopback address, so that tasks of one service can be told apart in DNS.
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, rm, stat, truncate } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import type { Clock, Random, Timer } from '../../clock.ts';
import { createScheduler, type Scheduler } from '../../health/checks/scheduler.ts';
import { type CheckProgress, ecsTaskHealth } from '../../health/rules/ecs.ts';
import type { Logger } from '../../log.ts';
import type { Status } from '../../registry/model.ts';
import type { ContainerDefinition } from '../../taskdef/task-definition.ts';
import type { RunningContainer, RunningTask, TaskEngine, TaskRequest } from '../model/running-task.ts';
import { checkContainer } from './container-check.ts';
import {
  inheritedEnvironment,
  killMarked,
  SUPERVISOR_VARIABLE,
  signalGroup,
  startContainer,
  TASK_VARIABLE,
} from './container-process.ts';
import { hasCheck } from './rollout.ts';
import { forgetStopped } from './stopped-tasks.ts';

export interface ProcessEngineSettings {
  /** Working folders and logs of tasks: FOLDER/tasks/ID/CONTAINER. */
  readonly folder: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly concurrentChecks: number;
  /** Seconds between a task's last answer and the end of its containers. */
  readonly drainSeconds: (request: TaskRequest) => number;
  /** The task is to be answered, or not any more. Takes effect before it returns. */
  readonly publish: (task: RunningTask, isAnswered: boolean) => void;
}

const DEFAULT_STOP_SECONDS = 30;
/** How long containers may take to end when the supervisor itself ends. */
const CLOSE_MS = 2_000;
const MAX_LOG_BYTES = 64 * 1024 * 1024;
const LOG_CHECK_MS = 5_000;
const MAX_TASKS = 2_000;

export class ProcessEngine implements TaskEngine {
  readonly tasks = new Map<string, RunningTask>();
  readonly #settings: ProcessEngineSettings;
  readonly #scheduler: Scheduler;
  readonly #live = new Map<string, LiveTask>();
  readonly #addresses = new Set<string>();
  readonly #listeners: ((task: RunningTask) => void)[] = [];
  #nextAddress = 0;
  #logTimer: Timer | undefined;
  #isClosing = false;

  constructor(settings: ProcessEngineSettings) {
    this.#settings = settings;
    this.#scheduler = createScheduler(settings.clock, settings.random, settings.concurrentChecks);
    this.#limitLogs();
  }

  /** Ends what an earlier supervisor of this folder left running. Before the first task. */
  async recover(): Promise<void> {
    const { folder, log } = this.#settings;
    const killed = killMarked(SUPERVISOR_VARIABLE, folder);
    if (killed > 0) log.warn('ended processes of tasks that an earlier run left behind', { processes: killed });
    await rm(join(folder, 'tasks'), { recursive: true, force: true });
    await mkdir(join(folder, 'tasks'), { recursive: true });
  }

  async run(request: TaskRequest): Promise<RunningTask> {
    return this.start(request);
  }

  /** @throws Error beyond the limit of tasks */
  start(request: TaskRequest): RunningTask {
    if (this.#live.size >= MAX_TASKS) throw new Error(`at most ${MAX_TASKS} tasks run at one time`);
    const id = randomBytes(16).toString('hex');
    const address = this.#takeAddress();
    const live = new LiveTask(id, address, request, {
      ...this.#settings,
      scheduler: this.#scheduler,
      onChange: (task) => this.#changed(task),
    });
    this.#live.set(id, live);
    this.#changed(live.task);
    void live.launch();
    return live.task;
  }

  async stop(id: string, code: NonNullable<RunningTask['stopCode']>, reason: string): Promise<void> {
    this.#live.get(id)?.stop(code, reason);
  }

  /** Ends all tasks at once, and forgets them. */
  async clear(): Promise<void> {
    const ended = [...this.#live.values()].map((live) => live.end(0));
    this.tasks.clear();
    await Promise.all(ended);
    this.tasks.clear();
  }

  onChange(listener: (task: RunningTask) => void): void {
    this.#listeners.push(listener);
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    this.#logTimer?.cancel();
    await Promise.all([...this.#live.values()].map((live) => live.end(CLOSE_MS)));
    await this.#scheduler.stop();
    killMarked(SUPERVISOR_VARIABLE, this.#settings.folder);
  }

  #changed(task: RunningTask): void {
    this.tasks.set(task.id, task);
    if (task.status === 'STOPPED') {
      this.#live.delete(task.id);
      this.#addresses.delete(task.address);
      this.#forgetStopped();
    }
    if (!this.#isClosing) for (const listener of this.#listeners) listener(task);
  }

  #forgetStopped(): void {
    for (const id of forgetStopped(this.tasks, this.#live.size, this.#settings.clock.now()))
      void rm(join(this.#settings.folder, 'tasks', id), { recursive: true, force: true });
  }

  /** 127.77.0.1 to 127.77.255.254, each reused as late as possible. Elsewhere than on Linux only 127.0.0.1 exists. */
  #takeAddress(): string {
    if (process.platform !== 'linux') return '127.0.0.1';
    for (;;) {
      this.#nextAddress = (this.#nextAddress % 65_000) + 1;
      const address = `127.77.${this.#nextAddress >> 8}.${this.#nextAddress & 255}`;
      if (this.#addresses.has(address) || (this.#nextAddress & 255) % 255 === 0) continue;
      this.#addresses.add(address);
      return address;
    }
  }

  #limitLogs(): void {
    this.#logTimer = this.#settings.clock.setTimeout(async () => {
      for (const live of this.#live.values()) for (const file of live.logFiles()) await limitLog(file);
      this.#limitLogs();
    }, LOG_CHECK_MS);
  }
}

/** The process appends, so it goes on at the new end. */
async function limitLog(file: string): Promise<void> {
  try {
    if ((await stat(file)).size > MAX_LOG_BYTES) await truncate(file);
  } catch {
    // the container has not started yet
  }
}

interface LiveTaskSettings extends ProcessEngineSettings {
  readonly scheduler: Scheduler;
  readonly onChange: (task: RunningTask) => void;
}

interface Port {
  readonly containerPort: number;
  readonly hostPort: number;
  readonly protocol: string;
}

class LiveTask {
  task: RunningTask;
  readonly #settings: LiveTaskSettings;
  readonly #folder: string;
  readonly #endChecks: (() => void)[] = [];
  readonly #started = new Set<string>();
  #ports = new Map<string, readonly Port[]>();
  #isAnswered = false;
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

  logFiles(): string[] {
    return [...this.#started].map((name) => this.#logFile(name));
  }

  /** Out of DNS first; containers end after the drain delay, if the task was answered at all. */
  stop(stopCode: NonNullable<RunningTask['stopCode']>, stoppedReason: string): void {
    if (this.task.desiredStatus === 'STOPPED') return;
    const { clock, drainSeconds } = this.#settings;
    const wasAnswered = this.#isAnswered;
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
    while (pids.some((pid) => signalGroup(pid, 0)) && clock.monotonicMs() < deadlineMs)
      await new Promise<void>((resolve) => void clock.setTimeoutKeepingAlive(resolve, 10));
    for (const pid of pids) signalGroup(pid, 'SIGKILL');
    killMarked(TASK_VARIABLE, this.task.id);
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
    if (isUp && this.task.status === 'PENDING')
      this.#change({ status: 'RUNNING', startedMs: this.#settings.clock.now() });
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
    const check = definition.healthCheck;
    if (check === undefined || check.command[0] === 'NONE') return;
    const { scheduler, clock } = this.#settings;
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

  #exited(name: string, exitCode: number, reason: string | undefined): void {
    const { essential } = this.#container(name);
    this.#changeContainer(name, { status: 'STOPPED', exitCode, ...(reason && { reason }) });
    if (this.task.desiredStatus === 'STOPPED') return;
    if (essential) this.stop('EssentialContainerExited', 'Essential container in task exited');
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
