// CoreDNS and healthdns side by side over one cluster, each as its users run it.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ServerAddress } from '../../../src/query/exchange.ts';
import type { PodMode } from '../../../src/shadow/cluster/world.ts';
import { serving } from '../../support/command.ts';
import type { ControlPlane } from '../../support/control-plane.ts';
import { freePorts } from '../../support/free-ports.ts';

export interface DnsServer extends ServerAddress {
  readonly name: 'CoreDNS' | 'healthdns';
  readonly pid: number;
  stop(): Promise<void>;
}

const LOOPBACK = { address: '127.0.0.1', family: 4 } as const;

export interface Serving {
  readonly pods: PodMode;
}

/** Both return at once: `settle` waits until they have the cluster. */
export async function startCoreDns(plane: ControlPlane, { pods }: Serving): Promise<DnsServer> {
  const [port] = await freePorts(1);
  const file = join(plane.folder, `Corefile-${port}`);
  await writeFile(
    file,
    `cluster.local:${port} in-addr.arpa:${port} ip6.arpa:${port} {
  bind 127.0.0.1
  kubernetes cluster.local in-addr.arpa ip6.arpa {
    kubeconfig ${plane.kubeconfig} admin
    pods ${pods}
  }
}
`,
  );
  const program = join(process.env.KUBEBUILDER_ASSETS!, 'coredns');
  const child = spawn(program, ['-conf', file, '-quiet'], { stdio: ['ignore', 'ignore', 'pipe'] });
  const said = collect(child);
  return { name: 'CoreDNS', ...LOOPBACK, port: port!, pid: pidOf(child, said), stop: () => stop(child) };
}

/** `command`: the launcher of another build. */
export async function startHealthdns(plane: ControlPlane, { pods }: Serving, command?: string): Promise<DnsServer> {
  const [port, httpPort] = await freePorts(2);
  const file = join(plane.folder, `zones-${port}.yaml`);
  await writeFile(
    file,
    `listen: ["127.0.0.1:${port}"]
http: 127.0.0.1:${httpPort}
logLevel: warn
zones:
  - name: cluster.local
    ttlSeconds: 5
    kubernetes: { kubeconfig: ./kubeconfig, context: admin, pods: ${pods} }
`,
  );
  const server = serving([file], command);
  const { pid } = server.process;
  if (pid === undefined) throw new Error('healthdns did not start');
  return { name: 'healthdns', ...LOOPBACK, port: port!, pid, stop: async () => void (await server.stop()) };
}

function collect(child: ChildProcess): () => string {
  let text = '';
  child.stderr?.setEncoding('utf8').on('data', (more: string) => {
    text = (text + more).slice(-4_000);
  });
  return () => text;
}

function pidOf(child: ChildProcess, said: () => string): number {
  child.on('exit', (code) => code && console.error(`CoreDNS ended with ${code}\n${said()}`));
  if (child.pid === undefined) throw new Error('CoreDNS did not start: is it in KUBEBUILDER_ASSETS?');
  return child.pid;
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), 10_000);
  await once(child, 'exit');
  clearTimeout(timer);
}
