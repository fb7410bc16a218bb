// A machine of its own for the stub resolver: an unprivileged network and mount namespace with loopback, an
// /etc/resolv.conf and an /etc/nsswitch.conf of the test, in which processes are started. Nothing outside is touched.
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface ResolverNamespace {
  /** Runs a command inside; resolves to stdout, rejects where it fails. */
  run(environment: Readonly<Record<string, string>>, command: string, ...args: string[]): Promise<string>;
  /** Starts a command inside that goes on. */
  start(command: string, ...args: string[]): ChildProcess;
  stop(): Promise<void>;
}

/** `resolvConf` is the text of its /etc/resolv.conf; files are made in `folder`. */
export async function resolverNamespace(folder: string, resolvConf: string): Promise<ResolverNamespace> {
  await writeFile(join(folder, 'resolv.conf'), resolvConf);
  await writeFile(join(folder, 'nsswitch.conf'), 'hosts: files dns\n');
  await writeFile(join(folder, 'hosts'), '127.0.0.1 localhost\n');
  const mounts = ['resolv.conf', 'nsswitch.conf', 'hosts'].map(
    (file) => `mount --bind '${folder}/${file}' /etc/${file}`,
  );
  // Addresses that are not loopback's, for AI_ADDRCONFIG: who has none of a family does not ask for it.
  const network = ['ip link set lo up', 'ip addr add 192.0.2.1/32 dev lo', 'ip addr add 2001:db8::1/128 dev lo nodad'];
  const script = [...network, ...mounts, 'echo ready', 'exec sleep 2147483647'].join(' && ');
  const keeper = spawn('unshare', ['-rnm', 'sh', '-c', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  await Promise.race([
    once(keeper.stdout, 'data'),
    once(keeper, 'exit').then(() => {
      throw new Error('the namespace could not be set up');
    }),
  ]);
  const into = ['--preserve-credentials', '-t', String(keeper.pid), '-U', '-n', '-m'];
  const started = new Set<ChildProcess>();
  return {
    async run(environment, command, ...args) {
      // A busy machine is not taken for a server that does not answer.
      const resolverOptions = `timeout:30 ${environment.RES_OPTIONS ?? ''}`;
      const env = { PATH: process.env.PATH, ...environment, RES_OPTIONS: resolverOptions };
      const { stdout } = await run('nsenter', [...into, command, ...args], { env });
      return stdout;
    },
    start(command, ...args) {
      const child = spawn('nsenter', [...into, command, ...args], { stdio: ['ignore', 'ignore', 'inherit'] });
      started.add(child);
      return child;
    },
    async stop() {
      for (const child of [...started, keeper]) {
        if (child.exitCode !== null || child.signalCode !== null) continue;
        child.kill('SIGKILL');
        await once(child, 'exit');
      }
    },
  };
}
