// docs/moving-in.md played from its beginning to its end: every command as it stands there, against a real API server with real
// controllers, with CoreDNS and healthdns as processes. What is played is the kubelet (no images) and kube-proxy.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { chmod, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { after, before, test } from 'node:test';
import { RCODE, rcodeName } from '../../../src/dns/types.ts';
import { composeQuery, type Question } from '../../../src/shadow/answers/question.ts';
import { frame, IPV4, ip, pcap, udp } from '../../support/captures.ts';
import { PODS, pod, SERVICES, service } from '../../support/cluster-objects.ts';
import { launcher, repository, type Serving, serving } from '../../support/command.ts';
import { type ControlPlane, startControlPlane } from '../../support/control-plane.ts';
import { documented } from '../../support/documented.ts';
import { freePorts } from '../../support/free-ports.ts';
import { type Kubelet, startKubelet } from '../../support/kubelet.ts';
import { requirement } from '../../support/requirement.ts';
import { until } from '../../support/until.ts';
import { rcodeOf } from '../compare/settle.ts';
import { type CoreDns, onLoopback, startCoreDns, UPSTREAM } from './installed.ts';
import { relayService, type ServiceRelay } from './service-relay.ts';

const options = requirement('controller-manager', 'kubectl', 'coredns');
const assets = process.env.KUBEBUILDER_ASSETS ?? '';
let plane: ControlPlane;
let kubelet: Kubelet;
let folder: string;
const stops: (() => Promise<unknown>)[] = [];

before(async () => {
  if (options.skip !== false) return;
  plane = await startControlPlane({
    controllerManager: true,
    controllers: ['deployment-controller', 'replicaset-controller', 'garbage-collector-controller'],
  });
  kubelet = await startKubelet({
    client: plane.client,
    folder: join(plane.folder, 'pods'),
    addressOf: (index) => `10.1.0.${index}`,
    runsContainers: false,
  });
  await makeKubeadmCluster();
  await makeReadersFolder();
});
after(async () => {
  for (const stop of stops.reverse()) await stop();
  await kubelet?.stop();
  await plane?.stop();
});

const KUBE_DNS_PORTS = [
  { name: 'dns', port: 53, protocol: 'UDP', targetPort: 53 },
  { name: 'dns-tcp', port: 53, protocol: 'TCP', targetPort: 53 },
  { name: 'metrics', port: 9153, protocol: 'TCP', targetPort: 9153 },
];

/** What kubeadm makes of CoreDNS, and something to ask for. */
async function makeKubeadmCluster(): Promise<void> {
  const [corefile] = await documented('migrating-from-coredns.md', 'corefile');
  const system = '/api/v1/namespaces/kube-system';
  await plane.client.create(`${system}/configmaps`, { metadata: { name: 'coredns' }, data: { Corefile: corefile } });
  const labels = { 'k8s-app': 'kube-dns' };
  await plane.client.create(`${system}/services`, {
    metadata: { name: 'kube-dns', labels },
    spec: { clusterIP: '10.96.0.10', selector: labels, ports: KUBE_DNS_PORTS },
  });
  await plane.client.create(`${system}/pods`, {
    metadata: { name: 'coredns-1', labels },
    spec: { containers: [{ name: 'coredns', image: 'coredns' }] },
  });
  await plane.client.create(SERVICES, service('web', { clusterIP: '10.96.7.7', ports: [{ name: 'http', port: 80 }] }));
  await plane.client.create(SERVICES, service('db', { clusterIP: 'None' }));
  await plane.client.create(PODS, pod('db-0', 'db', { hostname: 'db-0', subdomain: 'db' }));
}

/** A clone with `healthdns` and `kubectl` on the PATH and a kubeconfig. */
async function makeReadersFolder(): Promise<void> {
  folder = join(plane.folder, 'reader');
  await mkdir(join(folder, 'bin'), { recursive: true });
  await mkdir(join(folder, '.kube'));
  await symlink(join(repository, 'deploy'), join(folder, 'deploy'));
  await symlink(join(assets, 'kubectl'), join(folder, 'bin', 'kubectl'));
  const shim = join(folder, 'bin', 'healthdns');
  await writeFile(shim, `#!/bin/sh\nexec ${process.execPath} ${launcher} "$@"\n`);
  await chmod(shim, 0o755);
  await writeFile(join(folder, '.kube', 'config'), await readFile(plane.kubeconfig));
}

interface Ran {
  readonly code: number;
  readonly output: string;
}

/** As a reader types it; `addresses`: of the cluster's network, which is not here, with those of this machine. */
async function type(command: string, addresses: Readonly<Record<string, string>> = {}): Promise<Ran> {
  const PATH = [join(folder, 'bin'), process.env.PATH].join(delimiter);
  const line = Object.entries(addresses).reduce((text, [from, to]) => text.replaceAll(from, to), command);
  return new Promise((resolve) => {
    const env = { ...process.env, PATH, HOME: folder, KUBECONFIG: join(folder, '.kube', 'config') };
    execFile('bash', ['-o', 'pipefail', '-c', line], { cwd: folder, env }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code), output: `${stdout}${stderr}` }),
    );
  });
}

/** CoreDNS with the Corefile of the cluster's ConfigMap. */
async function playCoreDnsPod(): Promise<number> {
  const [port, upstreamPort, ...others] = await freePorts(5);
  const { body } = await plane.client.get('/api/v1/namespaces/kube-system/configmaps/coredns');
  const [file, upstreamFile] = ['Corefile', 'Upstream'].map((name) => join(plane.folder, name));
  await writeFile(file!, onLoopback(body.data.Corefile, plane, port!, upstreamPort!, others));
  await writeFile(upstreamFile!, UPSTREAM(upstreamPort!));
  const started: CoreDns[] = [startCoreDns(upstreamFile!), startCoreDns(file!)];
  for (const one of started) stops.push(() => one.stop());
  await writeFile(join(plane.folder, 'resolv.conf'), `127.0.0.1:${upstreamPort}`);
  return port!;
}

/** healthdns with the zones.yaml of the cluster's ConfigMap; its resolv.conf is that of the node, which is not here. */
async function playHealthdnsPod(): Promise<number> {
  const [port, http] = await freePorts(2);
  const { body } = await plane.client.get('/api/v1/namespaces/kube-system/configmaps/healthdns');
  const file = join(plane.folder, 'zones-of-pod.yaml');
  const upstream = await readFile(join(plane.folder, 'resolv.conf'), 'utf8');
  const kubeconfig = join(folder, '.kube', 'config');
  const zones: string = body.data['zones.yaml'];
  const here = zones
    .replace('/etc/resolv.conf', upstream)
    .replace(/^( *)(pods: insecure)/m, `$1kubeconfig: ${kubeconfig}\n$1$2`);
  assert.ok(here.includes(upstream) && here.includes(kubeconfig), zones);
  await writeFile(file, here);
  const elsewhere = ['--listen', `127.0.0.1:${port}`, '--http', `127.0.0.1:${http}`, '--admin', '127.0.0.1:0'];
  const server: Serving = serving([file, ...elsewhere]);
  stops.push(() => server.stop());
  const ready = () =>
    fetch(`http://127.0.0.1:${http}/ready`).then(
      ({ status }) => `${status}`,
      () => server.stderr(),
    );
  await until(ready, '200');
  return port!;
}

/** What pods asked, as tcpdump would have recorded it. */
async function recordQuestions(): Promise<void> {
  const names = [
    'web.default.svc.cluster.local.',
    'db.default.svc.cluster.local.',
    'db-0.db.default.svc.cluster.local.',
  ];
  names.push('www.example.org.', 'www.example.org.default.svc.cluster.local.', 'kubernetes.default.svc.cluster.local.');
  const questions: Question[] = names.flatMap((name) =>
    ['A', 'AAAA', 'SRV'].map((one) => ({ name, type: one, way: { transport: 'udp' } })),
  );
  const packets = questions.map((question) => ip(IPV4, udp(IPV4, composeQuery(question)), { protocol: 17 }));
  await writeFile(join(folder, 'dns.pcap'), pcap(packets.map((packet) => frame('ethernet', packet))));
}

/** The servers differ there: it tells which one answered. */
const TELLING = '_tcp.web.default.svc.cluster.local';
const whoAnswers = async (port: number): Promise<string> => {
  const rcode = await rcodeOf({ port }, TELLING);
  return rcode === RCODE.NXDOMAIN ? 'CoreDNS' : rcode === RCODE.NOERROR ? 'healthdns' : rcodeName(rcode ?? -1);
};

test(
  'a reader of docs/moving-in.md gets from kubeadm’s CoreDNS to a compared and switched cluster, and back',
  options,
  async (t) => {
    const startMs = performance.now();
    const steps = (await documented('moving-in.md', 'sh')).map((block) => block.trim().split('\n'));
    const [convert, install, compare, switchOver, switchBack] = steps;
    assert.equal(steps.length, 5);
    const ports = new Map([['coredns-1', await playCoreDnsPod()]]);
    const portOf = (name: string) => ports.get(name.startsWith('healthdns-') ? 'healthdns' : name);
    const kubeDns: ServiceRelay = await relayService(plane.client, 'kube-dns', portOf);
    stops.push(() => kubeDns.stop());
    await until(() => whoAnswers(kubeDns.port), 'CoreDNS');

    for (const command of convert!) {
      const { code, output } = await type(command);
      assert.ok(code === 0 || (code === 3 && command.includes('migrate')), `${command}: ${code}\n${output}`);
    }
    for (const command of install!) {
      const { code, output } = await type(command);
      assert.equal(code, 0, `${command}\n${output}`);
    }
    ports.set('healthdns', await playHealthdnsPod());
    const beside: ServiceRelay = await relayService(plane.client, 'healthdns', portOf);
    stops.push(() => beside.stop());
    await until(() => whoAnswers(beside.port), 'healthdns');
    assert.equal(await whoAnswers(kubeDns.port), 'CoreDNS');

    await recordQuestions();
    const here = { '10.96.0.10': `127.0.0.1:${kubeDns.port}`, '10.96.0.53': `127.0.0.1:${beside.port}` };
    for (const command of compare!) {
      const { code, output } = await type(command, here);
      assert.equal(code, 0, output);
      assert.match(output, /difference without a reason {4} +0$/m);
    }

    const asking = askAllTheTime(kubeDns.port);
    assert.equal((await type(switchOver!.join('\n'))).code, 0);
    await until(() => whoAnswers(kubeDns.port), 'healthdns');
    assert.equal((await type(switchBack!.join('\n'))).code, 0);
    await until(() => whoAnswers(kubeDns.port), 'CoreDNS');
    const { asked, failed } = await asking.stop();
    assert.ok(asked > 0);
    assert.deepEqual(failed, []);
    t.diagnostic(
      `${Math.round((performance.now() - startMs) / 1000)} s; ${asked} questions while the servers were switched`,
    );
  },
);

/** A client that must not see the switch. */
function askAllTheTime(port: number): { stop(): Promise<{ asked: number; failed: string[] }> } {
  let isStopped = false;
  let asked = 0;
  const failed: string[] = [];
  const asking = (async () => {
    for (; !isStopped; asked++) {
      const rcode = await rcodeOf({ port }, 'web.default.svc.cluster.local');
      if (rcode !== RCODE.NOERROR) failed.push(rcodeName(rcode ?? -1));
    }
  })();
  return {
    async stop() {
      isStopped = true;
      await asking;
      return { asked, failed };
    },
  };
}
