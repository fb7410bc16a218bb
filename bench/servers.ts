// The servers that are compared: each is started on loopback with the same names, and stopped by its process id.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface BenchServer {
  readonly name: string;
  readonly pid: number;
  readonly port: number;
  /** healthdns only: the control plane makes 1,000 health flips and 100 structural updates a second. */
  churn?(on: boolean): void;
  stop(): Promise<void>;
}

export interface ServerKind {
  readonly name: string;
  /** What has to be done to have it; undefined: it is here. */
  missing(): string | undefined;
  start(files: ServerFiles, port: number): Promise<BenchServer>;
}

export interface ServerFiles {
  readonly folder: string;
  readonly zoneFile: string;
  readonly zone: string;
}

export const healthdns: ServerKind = {
  name: 'healthdns',
  missing: () => undefined,
  start: (files, port) => serve('healthdns', fileURLToPath(new URL('./serve.js', import.meta.url)), files, port),
};

export const FORMER = 'former';

/** An earlier version of healthdns, from a checkout that has been built and compiled. */
export const former = (checkout: string): ServerKind => {
  const program = join(checkout, 'build/bench/serve.js');
  return {
    name: FORMER,
    missing: () =>
      existsSync(program) ? undefined : `${program} does not exist: run npm ci && npm run compile in ${checkout}`,
    start: (files, port) => serve(FORMER, program, files, port),
  };
};

async function serve(name: string, program: string, { zoneFile, zone }: ServerFiles, port: number) {
  const child = spawn(process.execPath, [program, zoneFile, zone, String(port), '1'], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const server = await running(name, child, zone, port);
  return { ...server, churn: (on: boolean) => void child.send({ churn: on }) };
}

export const echo: ServerKind = {
  name: 'echo',
  missing: () => (onPath('cc') ? undefined : 'a C compiler: apt-get install gcc'),
  start({ folder, zone }, port) {
    const program = join(folder, 'echo');
    execFileSync('cc', ['-O2', '-o', program, 'bench/echo.c']);
    return running(this.name, spawn(program, [String(port)], { stdio: 'ignore' }), zone, port);
  },
};

export const knot: ServerKind = {
  name: 'Knot',
  missing: () => (onPath('knotd') ? undefined : 'Knot DNS: apt-get install knot'),
  start({ folder, zoneFile, zone }, port) {
    const home = join(folder, `knot-${port}`);
    mkdirSync(home, { recursive: true });
    const configuration = join(home, 'knot.conf');
    writeFileSync(
      configuration,
      `server:\n  listen: 127.0.0.1@${port}\n  rundir: ${home}\n  tcp-max-clients: 1000\n` +
        `database:\n  storage: ${home}\nlog:\n  - target: ${home}/knot.log\n    any: warning\n` +
        `zone:\n  - domain: ${zone}\n    file: ${zoneFile}\n    storage: ${home}\n    zonefile-sync: -1\n    journal-content: none\n`,
    );
    return running(this.name, spawn('knotd', ['-c', configuration], { stdio: 'ignore', env: withSbin() }), zone, port);
  },
};

export const coredns: ServerKind = {
  name: 'CoreDNS',
  missing: () =>
    existsSync(assets('coredns')) ? undefined : 'CoreDNS: set KUBEBUILDER_ASSETS to a folder with coredns',
  start({ folder, zoneFile, zone }, port) {
    const corefile = join(folder, `Corefile-${port}`);
    writeFileSync(corefile, `${zone}:${port} {\n  bind 127.0.0.1\n  file ${zoneFile}\n}\n`);
    return running(this.name, spawn(assets('coredns'), ['-conf', corefile, '-quiet'], { stdio: 'ignore' }), zone, port);
  },
};

export const assets = (name: string) => join(process.env.KUBEBUILDER_ASSETS ?? '/nowhere', name);
export const withSbin = () => ({ ...process.env, PATH: `${process.env.PATH}:/usr/sbin` });

export function onPath(command: string): boolean {
  return (withSbin().PATH ?? '').split(':').some((folder) => existsSync(join(folder, command)));
}

const START_TIMEOUT_MS = 120_000;

/** Waits until the server answers on the port. */
export async function running(name: string, child: ChildProcess, zone: string, port: number): Promise<BenchServer> {
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const deadline = performance.now() + START_TIMEOUT_MS;
  while (!(await answers(port, zone))) {
    if (child.exitCode !== null) throw new Error(`${name} ended with ${child.exitCode} before it answered`);
    if (performance.now() > deadline) {
      child.kill('SIGKILL');
      throw new Error(`${name} did not answer within ${START_TIMEOUT_MS / 1000} s`);
    }
  }
  const stop = async () => {
    child.kill('SIGTERM');
    const forced = setTimeout(() => child.kill('SIGKILL'), 5_000);
    await ended;
    clearTimeout(forced);
  };
  return { name, pid: child.pid!, port, stop };
}

/** Asks for the zone's SOA; an answer that is not SERVFAIL or REFUSED counts (the echo says NOERROR). */
function answers(port: number, zone: string): Promise<boolean> {
  const labels = zone.split('.').filter((label) => label !== '');
  const qname = Buffer.concat([
    ...labels.map((label) => Buffer.from([label.length, ...Buffer.from(label)])),
    Buffer.of(0),
  ]);
  const query = Buffer.concat([
    Buffer.from('00010000000100000000000000', 'hex').subarray(0, 12),
    qname,
    Buffer.of(0, 6, 0, 1),
  ]);
  return new Promise((resolve) => {
    const socket = createSocket('udp4');
    const done = (answered: boolean) => {
      clearTimeout(timer);
      socket.close();
      resolve(answered);
    };
    const timer = setTimeout(() => done(false), 200);
    socket.on('error', () => {}); // Nobody listens yet.
    socket.on('message', (reply) => done((reply[3]! & 15) === 0));
    socket.connect(port, '127.0.0.1', () => socket.send(query));
  });
}
