// A container as processes of this machine: a process group whose members carry the task's id in their environment, by which
// they are found again even if they left the group or the supervisor died.
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readdirSync, readFileSync } from 'node:fs';

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

/** Kills every process whose environment has the variable with the value, whatever its group. Linux only. */
export function killMarked(
  variable: string,
  value: string,
  isSpared: (environment: readonly string[]) => boolean = () => false,
): number {
  const marker = `${variable}=${value}`;
  let killed = 0;
  for (const entry of processIds()) {
    const environment = environmentOf(entry);
    if (entry === process.pid || !environment.includes(marker) || isSpared(environment)) continue;
    try {
      process.kill(entry, 'SIGKILL');
      killed++;
    } catch {
      // it has ended by itself
    }
  }
  return killed;
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
