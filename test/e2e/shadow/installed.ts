// CoreDNS as kubeadm installs it and healthdns with what `healthdns migrate` makes of its Corefile, over one cluster, both
// forwarding to the same upstream server.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { healthdns, type Serving, serving } from '../../support/command.ts';
import type { ControlPlane } from '../../support/control-plane.ts';
import { freePorts } from '../../support/free-ports.ts';

export interface Installed {
  readonly coreDnsPort: number;
  readonly healthdnsPort: number;
  readonly healthdns: Serving;
  /** Ends CoreDNS alone. */
  stopCoreDns(): Promise<void>;
  stop(): Promise<void>;
}

/** An upstream server that knows one name. */
export const UPSTREAM = (port: number) => `.:${port} {
  bind 127.0.0.1
  hosts {
    192.0.2.80 www.example.org
    192.0.2.81 www.example.org
    2001:db8::80 www.example.org
    ttl 300
    fallthrough
  }
  template ANY ANY . {
    rcode NXDOMAIN
    authority "{{ .Zone }} 300 IN SOA ns.example. hostmaster.example. 1 2 3 4 300"
  }
}
`;

/**
 * `corefile`: as a cluster has it; its addresses are replaced by free ones of this machine. `planted`: lines that only CoreDNS gets,
 * after the migration.
 */
export async function startInstalled(plane: ControlPlane, corefile: string, planted = ''): Promise<Installed> {
  const [coreDnsPort, healthdnsPort, httpPort, upstreamPort, ...others] = await freePorts(7);
  const file = join(plane.folder, `Corefile-${coreDnsPort}`);
  await writeFile(file, onLoopback(corefile, plane, coreDnsPort!, upstreamPort!, others));
  const upstreamFile = join(plane.folder, `Corefile-${upstreamPort}`);
  await writeFile(upstreamFile, UPSTREAM(upstreamPort!));
  const zonesFile = join(plane.folder, `zones-${healthdnsPort}.yaml`);
  const { code, stderr } = await healthdns('migrate', file, '-o', zonesFile);
  if (code === 1 || code === 2) throw new Error(stderr);
  const migrated = await readFile(file, 'utf8');
  await writeFile(file, migrated.replace(/\}\s*$/, `${planted}}\n`));
  const upstream = startCoreDns(upstreamFile);
  const coreDns = startCoreDns(file);
  const listen = [
    '--listen',
    `127.0.0.1:${healthdnsPort}`,
    '--http',
    `127.0.0.1:${httpPort}`,
    '--admin',
    '127.0.0.1:0',
  ];
  const server = serving([zonesFile, ...listen]);
  return {
    coreDnsPort: coreDnsPort!,
    healthdnsPort: healthdnsPort!,
    healthdns: server,
    stopCoreDns: coreDns.stop,
    async stop() {
      await Promise.all([server.stop(), coreDns.stop(), upstream.stop()]);
    },
  };
}

/** With addresses of this machine, and the kubeconfig. */
export function onLoopback(
  corefile: string,
  { kubeconfig }: ControlPlane,
  port: number,
  upstreamPort: number,
  [health, ready, prometheus]: readonly number[],
): string {
  return corefile
    .replace(/^\.:53 \{/m, `.:${port} {\n    bind 127.0.0.1`)
    .replace('health {', `health 127.0.0.1:${health} {`)
    .replace(/\bready$/m, `ready 127.0.0.1:${ready}`)
    .replace('prometheus :9153', `prometheus 127.0.0.1:${prometheus}`)
    .replace(/(kubernetes .*\{)/, `$1\n       kubeconfig ${kubeconfig} admin`)
    .replace('/etc/resolv.conf', `127.0.0.1:${upstreamPort}`);
}

export interface CoreDns {
  stop(): Promise<void>;
}

export function startCoreDns(file: string): CoreDns {
  const program = join(process.env.KUBEBUILDER_ASSETS!, 'coredns');
  const child = spawn(program, ['-conf', file, '-quiet'], { stdio: ['ignore', 'ignore', 'inherit'] });
  return { stop: () => end(child) };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL'); // Its lameduck time is of no interest.
  await once(child, 'exit');
}
