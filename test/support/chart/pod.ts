// A pod of the chart as its node would run it: its arguments, its configuration, a token of its service account where client
// libraries look for it, and the address of the API server. Only its own addresses are others.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { repository } from '../command.ts';
import type { ControlPlane } from '../control-plane.ts';
import { freePorts } from '../free-ports.ts';
import type { Manifest } from '../manifests.ts';
import { until } from '../until.ts';

export interface ChartPod {
  readonly dns: number;
  readonly http: string;
  readonly admin: string;
  /** Lines of its log. */
  log(): string[];
  stop(): Promise<void>;
}

/** Resolves when the pod is ready. `workload`: its Deployment or DaemonSet, whose service account exists. */
export async function startPod(plane: ControlPlane, workload: Manifest, zonesYaml: string): Promise<ChartPod> {
  const folder = await mkdtemp(join(plane.folder, 'pod-'));
  const { namespace } = workload.metadata;
  const { serviceAccountName, containers } = workload.spec.template.spec;
  const account = await serviceAccountFolder(plane, folder, namespace, serviceAccountName);
  await mkdir(join(folder, 'state'));
  const configuration = join(folder, 'zones.yaml');
  await writeFile(configuration, zonesYaml.replaceAll('/var/lib/healthdns', join(folder, 'state')));

  const [dns, http, admin] = (await freePorts(3)) as [number, number, number];
  const elsewhere = ['--listen', `127.0.0.1:${dns}`, '--http', `127.0.0.1:${http}`, '--admin', `127.0.0.1:${admin}`];
  const mount = '/run/secrets/kubernetes.io/serviceaccount'; // /var/run is /run
  const script = `mount -t tmpfs none /run && mkdir -p ${mount} && mount --bind ${account} ${mount} && exec "$@"`;
  const words = containers[0].args.map((arg: string) => (arg.startsWith('/etc/healthdns/') ? configuration : arg));
  const args = [process.execPath, join(repository, 'bin/healthdns'), ...words, ...elsewhere];
  const { hostname, port } = new URL(plane.url);
  const child = spawn('unshare', ['-rm', 'sh', '-c', script, 'sh', ...args], {
    env: { PATH: process.env.PATH, KUBERNETES_SERVICE_HOST: hostname, KUBERNETES_SERVICE_PORT: port },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let text = '';
  child.stderr.setEncoding('utf8').on('data', (chunk) => {
    text += chunk;
  });
  const stop = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  };
  try {
    await until(async () => (await fetch(`http://127.0.0.1:${http}/ready`)).status, 200);
  } catch (error) {
    await stop();
    throw new Error(`${error}\n${text}`);
  }
  const urls = { http: `http://127.0.0.1:${http}`, admin: `http://127.0.0.1:${admin}` };
  return { dns, ...urls, log: () => text.split('\n').filter((line) => line !== ''), stop };
}

/** What the kubelet mounts: a token of the service account, and who signs for the API server. */
async function serviceAccountFolder(plane: ControlPlane, folder: string, namespace: string, name: string) {
  const account = join(folder, 'serviceaccount');
  await mkdir(account);
  const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${name}/token`;
  const { body } = await plane.client.create(path, { spec: { expirationSeconds: 3600 } });
  await writeFile(join(account, 'token'), body.status.token);
  await writeFile(join(account, 'namespace'), namespace);
  const certificates = join(plane.folder, 'certificates');
  const certificate = (await readdir(certificates)).find((file) => file.endsWith('.crt'))!;
  await writeFile(join(account, 'ca.crt'), await readFile(join(certificates, certificate)));
  return account;
}
