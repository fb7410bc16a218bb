// The command line as its users have it: bin/healthdns in a process of its own.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The repository's top folder; tests run from build/test/…. */
export const repository = fileURLToPath(new URL('../../../', import.meta.url));
export const launcher = join(repository, 'bin/healthdns');

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command to its end. */
export async function healthdns(...args: string[]): Promise<Finished> {
  const child = start(launcher, args);
  await once(child.process, 'close');
  return { code: child.process.exitCode, stdout: child.stdout(), stderr: child.stderr() };
}

export interface Serving {
  readonly process: ChildProcess;
  readonly stdout: () => string;
  readonly stderr: () => string;
  /** Resolves with the match once stdout or stderr has it; rejects where the process ends before. */
  shows(pattern: RegExp): Promise<RegExpExecArray>;
  /** Sends the signal and resolves to the exit code. */
  stop(signal?: NodeJS.Signals): Promise<number | null>;
}

/**
 * Starts `healthdns serve …`; the test must stop it. `command` is another launcher than the repository's; `environment` is added to
 * that of the test.
 */
export function serving(
  args: readonly string[],
  command = launcher,
  environment: Readonly<NodeJS.ProcessEnv> = {},
): Serving {
  return start(command, ['serve', ...args], environment);
}

function start(command: string, args: readonly string[], environment: Readonly<NodeJS.ProcessEnv> = {}): Serving {
  const env = { ...process.env, ...environment };
  const child = spawn(process.execPath, [command, ...args], { stdio: ['ignore', 'pipe', 'pipe'], env });
  let stdout = '';
  let stderr = '';
  const lookers = new Set<() => void>();
  const look = () => {
    for (const looker of lookers) looker();
  };
  child.stdout.setEncoding('utf8').on('data', (text) => {
    stdout += text;
    look();
  });
  child.stderr.setEncoding('utf8').on('data', (text) => {
    stderr += text;
    look();
  });
  child.on('close', look);
  return {
    process: child,
    stdout: () => stdout,
    stderr: () => stderr,
    shows: (pattern) =>
      new Promise((resolve, reject) => {
        const looker = () => {
          const found = pattern.exec(stdout) ?? pattern.exec(stderr);
          const ended = child.exitCode !== null || child.signalCode !== null;
          if (found === null && !ended) return;
          lookers.delete(looker);
          if (found !== null) resolve(found);
          else reject(new Error(`ended with ${child.exitCode} before it showed ${pattern}\n${stdout}\n${stderr}`));
        };
        lookers.add(looker);
        looker();
      }),
    async stop(signal = 'SIGTERM') {
      if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
      child.kill(signal);
      await once(child, 'close');
      return child.exitCode;
    },
  };
}

/** A folder that is removed after the test. */
export async function temporaryFolder(test: { after(cleanUp: () => Promise<void>): void }): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'healthdns-'));
  test.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}
