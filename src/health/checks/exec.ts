// Commands as health checks. Each runs in a separate process group, so that none of its processes outlives the check.
import type { ChildProcess } from 'node:child_process';
import type { CheckResult } from '../rules/ecs.ts';
import { type CheckTarget, failed, failedBy, passed } from './probe.ts';

/** Size of the end of the output that is kept. */
const OUTPUT_BYTES = 4 * 1024;
const REASON_LENGTH = 200;

/** The variables of healthdns's own environment that a command sees; others might contain secrets. */
const INHERITED = ['PATH', 'HOME', 'LANG', 'LC_ALL', 'TZ', 'TMPDIR', 'USER'];

export function probeExec(target: CheckTarget, signal: AbortSignal): Promise<CheckResult> {
  return runCheckCommand(target.check.command ?? [], { env: environmentOf(target) }, signal);
}

/** Passes when the command exits with 0. Its last line of output is the reason. */
export function runCheckCommand(
  command: readonly string[],
  options: { readonly env: NodeJS.ProcessEnv; readonly cwd?: string },
  signal: AbortSignal,
): Promise<CheckResult> {
  const [file, ...parameters] = argumentsOf(command);
  if (file === undefined) return Promise.resolve(failed('no command: add one to the health check'));
  return new Promise((resolve) => {
    let child: ChildProcess;
    try {
      child = process.getBuiltinModule('node:child_process').spawn(file, parameters, {
        ...options,
        detached: true,
        stdio: ['ignore', 'pipe', 'pipe'],
      });
    } catch (error) {
      resolve(failedBy(error as Error)); // invalid arguments: a NUL byte, too long
      return;
    }
    const lastLine = keepLastLine(child);
    let result: CheckResult | undefined;
    const abort = () => {
      killGroup(child);
      // It has exited, and a process outside its group still holds its output open.
      if (result !== undefined) finish(result);
    };
    const finish = (outcome: CheckResult) => {
      signal.removeEventListener('abort', abort);
      child.stdout?.destroy();
      child.stderr?.destroy();
      resolve(outcome);
    };
    child.once('error', (error) => {
      if (child.pid === undefined) finish(failedBy(error));
    });
    child.once('exit', (code, killedBy) => {
      result = resultOf(code, killedBy, '');
      killGroup(child); // background processes of the command
      // A process that left the group (setsid) may hold the output open forever; it is not waited for after the abort.
      if (signal.aborted) finish(result);
      else child.once('close', () => finish(resultOf(code, killedBy, lastLine())));
    });
    signal.addEventListener('abort', abort, { once: true });
    if (signal.aborted) abort();
  });
}

/** The forms of ECS, and a plain argv. */
function argumentsOf(command: readonly string[]): readonly string[] {
  if (command[0] === 'CMD-SHELL') return ['/bin/sh', '-c', command.slice(1).join(' ')];
  return command[0] === 'CMD' ? command.slice(1) : command;
}

function environmentOf({ service, instance, address, port }: CheckTarget): Record<string, string> {
  const environment: Record<string, string> = {};
  for (const name of INHERITED) if (process.env[name] !== undefined) environment[name] = process.env[name];
  for (const [name, value] of Object.entries(instance.attributes)) {
    environment[`HEALTHDNS_INSTANCE_ATTRIBUTE_${name.toUpperCase().replace(/[^A-Z0-9]/g, '_')}`] = value;
  }
  return {
    ...environment,
    HEALTHDNS_SERVICE: service.name,
    HEALTHDNS_NAMESPACE: service.namespace,
    HEALTHDNS_ZONE: service.zone,
    HEALTHDNS_INSTANCE_ID: instance.id,
    HEALTHDNS_INSTANCE_ADDRESS: address,
    HEALTHDNS_INSTANCE_PORT: String(port),
    HEALTHDNS_INSTANCE_IPV4: instance.addresses.find((one) => !one.includes(':')) ?? '',
    HEALTHDNS_INSTANCE_IPV6: instance.addresses.find((one) => one.includes(':')) ?? '',
  };
}

/** SIGKILL to every process of the command's group. */
function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch (error) {
    // ESRCH: all processes have ended. EPERM: reported by macOS for a group of zombies.
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ESRCH' && code !== 'EPERM') throw error;
  }
}

function resultOf(code: number | null, killedBy: NodeJS.Signals | null, lastLine: string): CheckResult {
  if (code === 0) return passed(lastLine === '' ? 'exit status 0' : lastLine);
  const what = killedBy === null ? `exit status ${code}` : `killed by ${killedBy}`;
  return failed(lastLine === '' ? what : `${what}: ${lastLine}`);
}

/** Reads the output to its end, keeps the last bytes, and returns the last line of text in them. */
function keepLastLine(child: ChildProcess): () => string {
  let kept = Buffer.alloc(0);
  const keep = (chunk: Buffer) => {
    kept = Buffer.concat([kept, chunk.subarray(-OUTPUT_BYTES)]).subarray(-OUTPUT_BYTES);
  };
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', keep);
    stream?.on('error', () => {}); // the exit status decides; a broken pipe adds nothing
  }
  return () => {
    const lines = kept.toString('utf8').split(/[\r\n]+/);
    const last = lines.map((line) => line.replace(/[\u0000-\u001f\u007f]/g, ' ').trim()).filter((line) => line !== '');
    return (last.at(-1) ?? '').slice(0, REASON_LENGTH);
  };
}
