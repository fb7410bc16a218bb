// Runs tasks as processes of this machine. Images are not pulled: a container is its command, in a folder of its own. Each
// task has a loopback address, so that tasks of one service can be told apart in DNS.
import { randomBytes } from 'node:crypto';
import { mkdir, readdir, rm, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import type { Random, Timer } from '../../clock.ts';
import { createScheduler, type Scheduler } from '../../health/checks/scheduler.ts';
import type { Logger } from '../../log.ts';
import type { Tags } from '../model/ecs-records.ts';
import type { RunningTask, TaskEngine, TaskRequest } from '../model/running-task.ts';
import { killMarked, Strays, SUPERVISOR_VARIABLE, TASK_VARIABLE } from './container-process.ts';
import { LiveTask, type LiveTaskSettings } from './live-task.ts';
import { forgetStopped } from './stopped-tasks.ts';
import { isAlive, readTaskFile, type TaskFile } from './task-file.ts';

export interface ProcessEngineSettings extends Omit<LiveTaskSettings, 'scheduler' | 'strays' | 'onChange'> {
  readonly random: Random;
  readonly log: Logger;
  readonly concurrentChecks: number;
}

/** How long containers may take to end when the supervisor itself ends. */
const CLOSE_MS = 2_000;
const MAX_LOG_BYTES = 64 * 1024 * 1024;
const LOG_CHECK_MS = 5_000;
const MAX_TASKS = 2_000;

export class ProcessEngine implements TaskEngine {
  readonly tasks = new Map<string, RunningTask>();
  readonly #settings: ProcessEngineSettings;
  readonly #scheduler: Scheduler;
  readonly #strays: Strays;
  readonly #live = new Map<string, LiveTask>();
  readonly #addresses = new Set<string>();
  readonly #listeners: ((task: RunningTask) => void)[] = [];
  #nextAddress = 0;
  #logTimer: Timer | undefined;
  #isClosing = false;

  constructor(settings: ProcessEngineSettings) {
    this.#settings = settings;
    this.#scheduler = createScheduler(settings.clock, settings.random, settings.concurrentChecks);
    this.#strays = new Strays(settings.clock);
    this.#limitLogs();
  }

  /**
   * After a crash: takes over the tasks of an earlier supervisor of this folder that are still wanted and whole, and ends all
   * else that it left running. Before the first task.
   */
  async recover(isWanted: (request: TaskRequest) => boolean): Promise<void> {
    const { folder, log } = this.#settings;
    const tasks = join(folder, 'tasks');
    await mkdir(tasks, { recursive: true });
    const adopted = new Set<string>();
    for (const id of await readdir(tasks)) {
      const file = await readTaskFile(join(tasks, id));
      if (file === undefined || file.id !== id || !isAlive(file) || !isWanted(file.request)) continue;
      adopted.add(`${TASK_VARIABLE}=${id}`);
      this.#adopt(file);
    }
    const isAdopted = (environment: readonly string[]) => environment.some((variable) => adopted.has(variable));
    const killed = killMarked(SUPERVISOR_VARIABLE, new Set([folder]), isAdopted).length;
    if (killed + adopted.size > 0)
      log.warn('an earlier run left tasks behind', { adopted: adopted.size, endedProcesses: killed });
    for (const id of await readdir(tasks))
      if (!this.#live.has(id)) await rm(join(tasks, id), { recursive: true, force: true });
  }

  #adopt(file: TaskFile): void {
    this.#addresses.add(file.address);
    const live = this.#track(file.id, file.address, file.request);
    live.resume(file);
  }

  /** There is no other replica. */
  async refresh(): Promise<void> {}

  async run(request: TaskRequest): Promise<RunningTask> {
    return this.start(request);
  }

  /** @throws Error beyond the limit of tasks */
  start(request: TaskRequest): RunningTask {
    if (this.#live.size >= MAX_TASKS) throw new Error(`at most ${MAX_TASKS} tasks run at one time`);
    const id = randomBytes(16).toString('hex');
    const address = this.#takeAddress();
    const live = this.#track(id, address, request);
    this.#changed(live.task);
    void live.launch();
    return live.task;
  }

  #track(id: string, address: string, request: TaskRequest): LiveTask {
    const live = new LiveTask(id, address, request, {
      ...this.#settings,
      ...{ scheduler: this.#scheduler, strays: this.#strays },
      onChange: (task) => this.#changed(task),
    });
    this.#live.set(id, live);
    return live;
  }

  async stop(id: string, code: NonNullable<RunningTask['stopCode']>, reason: string): Promise<void> {
    this.#live.get(id)?.stop(code, reason);
  }

  async setTags(id: string, tags: Tags): Promise<void> {
    const task = this.tasks.get(id);
    const live = this.#live.get(id);
    if (live !== undefined) live.setTags(tags);
    else if (task !== undefined) this.#changed({ ...task, request: { ...task.request, tags } });
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
    killMarked(SUPERVISOR_VARIABLE, new Set([this.#settings.folder]));
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
