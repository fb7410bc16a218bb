// A container as processes of this machine: a process group whose members carry the task's id in their environment, by which
// they are found again even if they left the group or the supervisor died.
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readdirSync, readFileSync } from 'node:fs';
import type { Clock } from '../../clock.ts';

export const SUPERVISOR_VARIABLE = 'HEALTHDNS_SUPERVISOR';
export const TASK_VARIABLE = 'HEALTHDNS_TASK_ID';

/** The variables of the supervisor that containers inherit; others might hold secrets. */
const INHERITED = ['PATH', 'HOME', 'LANG', 'LC_ALL', 'TZ', 'TMPDIR', 'USER'];

export const inheritedEnvironment = (): Record<string, string> =>
  Object.fromEntries(INHERITED.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])));

export interface ContainerCommand {
  readonly argv: readonly string[];
  readonly folder: string;
  readonly environment: Readonly<Record<string, string>>;
  /** Standard output and error are appended, by the process itself. */
  readonly logFile: string;
}

export interface ContainerExit {
  readonly code: number;
  /** "killed by SIGSEGV" */
  readonly reason: string | undefined;
}

/** Starts the process group. Rejects with Node's error (ENOENT, EACCES, …) if it cannot start. */
export function startContainer(command: ContainerCommand): Promise<{ pid: number; exited: Promise<ContainerExit> }> {
  const [file = '', ...parameters] = command.argv;
  const log = openSync(command.logFile, 'a', 0o600);
  let child: ChildProcess;
  try {
    child = spawn(file, parameters, {
      detached: true,
      cwd: command.folder,
      env: command.environment,
      stdio: ['ignore', log, log],
    });
  } catch (error) {
    return Promise.reject(error); // arguments that no process can have, such as a NUL byte
  } finally {
    closeSync(log);
  }
  const exited = new Promise<ContainerExit>((resolve) => {
    child.once('exit', (code, signal) =>
      resolve({ code: code ?? 128 + 9, reason: signal === null ? undefined : `killed by ${signal}` }),
    );
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('spawn', () => resolve({ pid: child.pid!, exited }));
  });
}

/** Sends a signal to a process group. False: it has no process left. */
export function signalGroup(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(-pid, signal);
    return true;
  } catch {
    return false;
  }
}

/**
 * Kills every process whose environment has the variable with one of the values, whatever its group; returns the values that
 * were found. Linux only.
 */
export function killMarked(
  variable: string,
  values: ReadonlySet<string>,
  isSpared: (environment: readonly string[]) => boolean = () => false,
): string[] {
  const start = `${variable}=`;
  const found: string[] = [];
  for (const pid of processIds()) {
    if (pid === process.pid) continue;
    const environment = environmentOf(pid);
    const value = environment.find((entry) => entry.startsWith(start))?.slice(start.length);
    if (value === undefined || !values.has(value) || isSpared(environment)) continue;
    found.push(value);
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // it has ended by itself
    }
  }
  return found;
}

/** A killed process is there until the kernel has ended it; one may have forked meanwhile. */
const SWEEP_MS = 10;
const MAX_SWEEPS = 100;

/** Ends processes that have left the groups of their tasks. One look at all processes serves all tasks that end just now. */
export class Strays {
  readonly #clock: Clock;
  readonly #waiting = new Map<string, { sweeps: number; readonly done: () => void }>();
  #isPlanned = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Resolves when no process of the task is left. */
  end(taskId: string): Promise<void> {
    return new Promise((done) => {
      this.#waiting.set(taskId, { sweeps: 0, done });
      this.#plan();
    });
  }

  #plan(): void {
    if (this.#isPlanned) return;
    this.#isPlanned = true;
    this.#clock.setTimeoutKeepingAlive(() => this.#sweep(), SWEEP_MS);
  }

  #sweep(): void {
    this.#isPlanned = false;
    const found = new Set(killMarked(TASK_VARIABLE, new Set(this.#waiting.keys())));
    for (const [taskId, task] of this.#waiting) {
      task.sweeps++;
      if (found.has(taskId) && task.sweeps < MAX_SWEEPS) continue;
      this.#waiting.delete(taskId);
      task.done();
    }
    if (this.#waiting.size > 0) this.#plan();
  }
}

function processIds(): number[] {
  try {
    return readdirSync('/proc').map(Number).filter(Number.isInteger);
  } catch {
    return [];
  }
}

/** When a process started, in ticks since the boot; undefined: it is gone, or a zombie. Linux only. */
export function startTicks(pid: number): string | undefined {
  try {
    // After the command's name, which may contain anything: state, parent, … the 20th is the start.
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

export function environmentOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0');
  } catch {
    return []; // it has ended, or belongs to another user
  }
}
