// The server of the soak: `healthdns serve` in a mount namespace, where the folder of its Cloud Map store is a small file
// system that can be filled, and with a log whose reader can be stopped.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { running } from './servers.ts';

const STORE_BYTES = 24 << 20;

export interface SoakServer {
  readonly pid: number;
  /** Lines of the log so far. */
  readonly logLines: () => number;
  reload(): void;
  readLog(on: boolean): void;
  /** Writes to the store's file system until nothing more fits; frees it again. */
  fillDisk(): void;
  freeDisk(): void;
  /** Ends the process and starts another one with the same store. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

export async function startSoakServer(
  folder: string,
  file: string,
  zone: string,
  port: number,
  http: string,
): Promise<SoakServer> {
  const mount = join(folder, 'state');
  const script = `mount -t tmpfs -o size=${STORE_BYTES} none '${mount}' && echo ready && exec sleep 2147483647`;
  const keeper = spawn('unshare', ['-rm', 'sh', '-c', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  await Promise.race([
    once(keeper.stdout, 'data'),
    once(keeper, 'exit').then(() => Promise.reject(new Error('no mount namespace could be made'))),
  ]);
  const filling = `/proc/${keeper.pid}/root${mount}/filling`;
  let logLines = 0;
  let child = await start();

  async function start(): Promise<ChildProcess> {
    const program = fileURLToPath(new URL('../../bin/healthdns', import.meta.url));
    const into = ['--preserve-credentials', '-t', String(keeper.pid), '-U', '-m'];
    const started = spawn('nsenter', [...into, process.execPath, program, 'serve', file], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    started.stderr!.on('data', (chunk: Buffer) => {
      logLines += chunk.toString('latin1').split('\n').length - 1;
    });
    await running('healthdns', started, zone, port);
    await ready(http);
    return started;
  }

  async function end(): Promise<void> {
    child.stderr!.resume();
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    await ended;
  }

  return {
    get pid() {
      return child.pid!;
    },
    logLines: () => logLines,
    reload: () => void child.kill('SIGHUP'),
    readLog: (on) => void (on ? child.stderr!.resume() : child.stderr!.pause()),
    fillDisk: () => fill(filling),
    freeDisk: () => rmSync(filling, { force: true }),
    restart: async () => {
      await end();
      child = await start();
    },
    stop: async () => {
      await end();
      keeper.kill('SIGKILL');
    },
  };
}

/** Sources have been read, and the HTTP address is open. */
async function ready(http: string): Promise<void> {
  const isReady = () =>
    fetch(`${http}/ready`).then(
      ({ status }) => status === 200,
      () => false,
    );
  while (!(await isReady())) await sleep(100);
}

function fill(path: string): void {
  const file = openSync(path, 'w');
  try {
    for (let size = 1 << 20; size >= 1; ) {
      try {
        writeSync(file, Buffer.alloc(size));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
        size >>= 1;
      }
    }
  } finally {
    closeSync(file);
  }
}
