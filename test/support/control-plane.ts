// A real control plane for tests: etcd, kube-apiserver and, where asked for, kube-controller-manager, on free loopback
// ports and in a temporary folder. Everything that was started is stopped by its process id, also when a test fails.
import { type ChildProcess, spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePorts } from './free-ports.ts';
import { createRestClient, type RestClient } from './rest-client.ts';

export interface ControlPlane {
  readonly folder: string;
  readonly url: string;
  /** As system:masters. */
  readonly client: RestClient;
  /** A kubeconfig with contexts "admin" and those made by `user`. */
  readonly kubeconfig: string;
  /** A token's owner with no rights but those that RBAC objects give; returns its context in `kubeconfig`. */
  readonly users: readonly { readonly name: string; readonly token: string }[];
  readonly etcd: Server;
  readonly apiServer: Server;
  readonly controllerManager: Server | undefined;
  stop(): Promise<void>;
}

/** One process; may be stopped and started again on the same port. */
export interface Server {
  readonly pid: number | undefined;
  start(): Promise<void>;
  /** SIGTERM, then SIGKILL after five seconds; resolves when it is gone. */
  stop(): Promise<void>;
  signal(signal: NodeJS.Signals): void;
}

export interface ControlPlaneOptions {
  readonly controllerManager?: boolean;
  /** Beside those of endpoints and namespaces. */
  readonly controllers?: readonly string[];
  readonly apiServerFlags?: readonly string[];
  /** Users beside "admin", without rights of their own. */
  readonly users?: readonly string[];
  /** The API server writes each request that it has answered to `audit.log` in the folder, a line of JSON each. */
  readonly audit?: boolean;
}

const READY_WITHIN_MS = 180_000;

/** Starts it and waits until it is ready. Requires KUBEBUILDER_ASSETS; see `requirement('control-plane')`. */
export async function startControlPlane(options: ControlPlaneOptions = {}): Promise<ControlPlane> {
  const folder = await mkdtemp(join(tmpdir(), 'healthdns-control-plane-'));
  const [etcdPort, etcdPeerPort, apiPort, managerPort] = await freePorts(4);
  const url = `https://127.0.0.1:${apiPort}`;
  const users = ['admin', ...(options.users ?? [])].map((name) => ({ name, token: `token-of-${name}` }));
  const kubeconfig = join(folder, 'kubeconfig');
  await writeCredentials(folder, kubeconfig, url, users);
  if (options.audit) await writeFile(join(folder, 'audit.yaml'), AUDIT_POLICY);
  const client = createRestClient(url, 'token-of-admin');

  const etcd = server(folder, 'etcd', etcdFlags(etcdPort, etcdPeerPort), () =>
    answers(`http://127.0.0.1:${etcdPort}/health`),
  );
  const apiServer = server(
    folder,
    'kube-apiserver',
    [...apiServerFlags(apiPort, etcdPort), ...(options.audit ? AUDIT_FLAGS : []), ...(options.apiServerFlags ?? [])],
    async () => (await client.get('/readyz')).status === 200,
  );
  const controllerManager = options.controllerManager
    ? server(
        folder,
        'kube-controller-manager',
        managerFlags(kubeconfig, managerPort, options.controllers ?? []),
        async () => true,
      )
    : undefined;
  const all = [etcd, apiServer, ...(controllerManager ? [controllerManager] : [])];

  const plane: ControlPlane = {
    folder,
    url,
    client,
    kubeconfig,
    users,
    etcd,
    apiServer,
    controllerManager,
    async stop() {
      client.close();
      for (const one of [...all].reverse()) await one.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
  try {
    for (const one of all) await one.start();
    return plane;
  } catch (error) {
    await plane.stop();
    throw error;
  }
}

function etcdFlags(port: number, peerPort: number): string[] {
  const url = `http://127.0.0.1:${port}`;
  return [
    '--data-dir=etcd',
    `--listen-client-urls=${url}`,
    `--advertise-client-urls=${url}`,
    `--listen-peer-urls=http://127.0.0.1:${peerPort}`,
    '--unsafe-no-fsync',
  ];
}

const apiServerFlags = (port: number, etcdPort: number): string[] => [
  `--etcd-servers=http://127.0.0.1:${etcdPort}`,
  '--cert-dir=certificates',
  `--secure-port=${port}`,
  '--bind-address=127.0.0.1',
  '--service-account-issuer=https://kubernetes.default.svc',
  '--service-account-key-file=service-account.key',
  '--service-account-signing-key-file=service-account.key',
  '--service-cluster-ip-range=10.96.0.0/12,fd00:10:96::/112',
  '--token-auth-file=tokens.csv',
  '--authorization-mode=RBAC',
  '--disable-admission-plugins=ServiceAccount',
];

const AUDIT_FLAGS = ['--audit-policy-file=audit.yaml', '--audit-log-path=audit.log'];
const AUDIT_POLICY = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules: [{ level: Metadata }]
`;

const CONTROLLERS = [
  'endpoints-controller',
  'endpointslice-controller',
  'endpointslice-mirroring-controller',
  'namespace-controller',
];

const managerFlags = (kubeconfig: string, port: number, controllers: readonly string[]): string[] => [
  `--kubeconfig=${kubeconfig}`,
  `--controllers=${[...CONTROLLERS, ...controllers].join(',')}`,
  '--service-account-private-key-file=service-account.key',
  '--use-service-account-credentials=false',
  `--secure-port=${port}`,
  '--bind-address=127.0.0.1',
  '--leader-elect=false',
];

async function writeCredentials(
  folder: string,
  kubeconfig: string,
  url: string,
  users: ControlPlane['users'],
): Promise<void> {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  await writeFile(join(folder, 'service-account.key'), privateKey.export({ type: 'pkcs1', format: 'pem' }));
  const groups = (name: string) => (name === 'admin' ? 'system:masters' : '');
  await writeFile(
    join(folder, 'tokens.csv'),
    users.map(({ name, token }) => `${token},${name},${name},${groups(name)}\n`).join(''),
  );
  // JSON is YAML.
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'test', cluster: { server: url, 'insecure-skip-tls-verify': true } }],
    users: users.map(({ name, token }) => ({ name, user: { token } })),
    contexts: users.map(({ name }) => ({ name, context: { cluster: 'test', user: name } })),
    'current-context': 'admin',
  };
  await writeFile(kubeconfig, JSON.stringify(config, undefined, 2));
}

function server(folder: string, program: string, flags: readonly string[], isReady: () => Promise<boolean>): Server {
  let child: ChildProcess | undefined;
  let exited: Promise<unknown> = Promise.resolve();

  return {
    get pid() {
      return child?.pid;
    },
    async start() {
      const output = createWriteStream(join(folder, `${program}.log`), { flags: 'a' });
      const started = spawn(join(process.env.KUBEBUILDER_ASSETS!, program), flags, {
        cwd: folder,
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      child = started;
      started.stdout.pipe(output, { end: false });
      started.stderr.pipe(output, { end: false });
      exited = new Promise((resolve) => started.once('exit', resolve));
      const deadlineMs = Date.now() + READY_WITHIN_MS;
      while (!(await isReady().catch(() => false))) {
        if (started.exitCode !== null) throw new Error(`${program} ended with ${started.exitCode}, see ${folder}`);
        if (Date.now() > deadlineMs) throw new Error(`${program} is not ready after three minutes`);
        await sleep(100);
      }
    },
    async stop() {
      if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGCONT'); // a stopped process does not hear SIGTERM
      child.kill('SIGTERM');
      const timer = setTimeout(() => child?.kill('SIGKILL'), 5_000);
      await exited;
      clearTimeout(timer);
    },
    signal: (signal) => void child?.kill(signal),
  };
}

async function answers(url: string): Promise<boolean> {
  return (await fetch(url)).ok;
}
