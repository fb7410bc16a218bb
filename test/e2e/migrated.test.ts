// The file of each distribution served by CoreDNS, and beside it what `healthdns migrate` makes of it: the same answers, but for
// the differences that docs/differences-from-coredns.md lists.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { migrate } from '../../src/migrate/migrate.ts';
import type { ServerAddress } from '../../src/query/exchange.ts';
import { type Answer, showAnswer } from '../../src/shadow/answers/answer.ts';
import type { Question, Way } from '../../src/shadow/answers/question.ts';
import type { World } from '../../src/shadow/cluster/world.ts';
import { readWorld } from '../../src/shadow/cluster/world.ts';
import { compareAnswers } from '../../src/shadow/compare.ts';
import { serving } from '../support/command.ts';
import { type ControlPlane, startControlPlane } from '../support/control-plane.ts';
import { freePorts } from '../support/free-ports.ts';
import { type RealServer, startKnot } from '../support/real-servers.ts';
import { requirement } from '../support/requirement.ts';
import { until } from '../support/until.ts';
import { CLUSTER_NAMES, clusterQuestions, fillSmallCluster } from './migrated/cluster.ts';
import { EXTERNAL_NAMES, externalDifferences, externalQuestions, UPSTREAM_ZONE } from './migrated/external.ts';
import { filesOf, type Place, writePlayable } from './migrated/playable.ts';

const options = requirement('coredns', 'control-plane', 'knotd');
const EDNS = { udpBytes: 1232, dnssecOk: false };
const WAYS: readonly Way[] = [{ transport: 'udp', edns: EDNS }, { transport: 'udp' }, { transport: 'tcp', edns: EDNS }];

let plane: ControlPlane;
let upstream: RealServer;
let world: World;

before(async () => {
  if (options.skip !== false) return;
  [plane, upstream] = await Promise.all([startControlPlane(), startKnot('.', UPSTREAM_ZONE)]);
  await fillSmallCluster(plane.client);
  world = await readWorld('cluster.local.', async function* (path) {
    yield* (await plane.client.get(path)).body.items;
  });
});
after(async () => {
  await plane?.stop();
  await upstream?.stop();
});

interface Distribution {
  /** Addresses to ask; one by default. */
  readonly addresses?: readonly string[];
  readonly hasCluster?: boolean;
  /** Beside those of all. */
  readonly names?: readonly string[];
}

const DISTRIBUTIONS: Readonly<Record<string, Distribution>> = {
  kubeadm: {},
  eks: {},
  aks: {},
  'aks-localdns': { addresses: ['127.0.0.11', '127.0.0.12'], hasCluster: false },
  k3s: {},
  rke2: {},
  'coredns-chart': {},
  kops: { addresses: ['127.0.0.1', '::1'] },
  k0s: {},
  talos: {},
  openshift: {},
  kubespray: {
    names: ['web.prod.lb.example.', 'pending.prod.lb.example.', 'cloud.prod.lb.example.', 'absent.prod.lb.example.'],
  },
  nodelocal: { addresses: ['127.0.0.11', '127.0.0.12'], hasCluster: false },
  gardener: {
    names: ['web.prod.svc.cluster.local.svc.cluster.local.', '_sql._tcp.db.prod.svc.cluster.local.svc.cluster.local.'],
  },
  tke: {},
  minikube: {},
};

for (const [name, distribution] of Object.entries(DISTRIBUTIONS))
  test(`the file of ${name}, migrated, is answered as CoreDNS answers it`, options, async (context) => {
    const { coreDns, healthdns } = await startBoth(name, context);
    const startMs = performance.now();
    const found: string[] = [];
    for (const address of distribution.addresses ?? ['127.0.0.1'])
      found.push(...(await differencesAt(address, coreDns, healthdns, distribution, startMs)));
    assert.equal(found.slice(0, 20).join('\n'), '');
    assert.equal(found.length, 0);
  });

interface Cleaning {
  after(cleanUp: () => Promise<unknown>): void;
}

/** Resolves to the ports of both. Another process may take one between the look and the bind: then others are tried. */
async function startBoth(name: string, context: Cleaning): Promise<{ coreDns: number; healthdns: number }> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await startOnFreePorts(name, context);
    } catch (error) {
      if (attempt === 3 || !/(already|address) in use/.test(String(error))) throw error;
    }
  }
}

async function startOnFreePorts(name: string, context: Cleaning): Promise<{ coreDns: number; healthdns: number }> {
  const folder = await mkdtemp(join(tmpdir(), `healthdns-migrated-${name}-`));
  context.after(() => rm(folder, { recursive: true, force: true }));
  const files = await filesOf(name);
  const placeOf = async (server: string): Promise<Place> => {
    const [port, health, ready, metrics] = await freePorts(4);
    await mkdir(join(folder, server));
    const httpPorts = [health!, ready!, metrics!] as const;
    const { kubeconfig } = plane;
    return { folder: join(folder, server), port: port!, httpPorts, upstreamPort: upstream.port, kubeconfig };
  };
  const [theirs, ours] = [await placeOf('coredns'), await placeOf('healthdns')];
  const corefile = await writePlayable(files, theirs);
  const program = join(process.env.KUBEBUILDER_ASSETS!, 'coredns');
  const child = spawn(program, ['-conf', corefile], { stdio: ['ignore', 'ignore', 'pipe'], cwd: theirs.folder });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text) => {
    said += text;
  });
  const ended = new Promise<never>((_, reject) => {
    child.on('exit', (code) => code && reject(new Error(`CoreDNS ended with ${code}: ${said}`)));
  });
  ended.catch(() => {});
  context.after(() => stop(child));

  const zonesYaml = join(ours.folder, 'zones.yaml');
  await migrateInto(zonesYaml, await writePlayable(files, ours));
  const server = serving([zonesYaml, '--http', `127.0.0.1:${ours.httpPorts[0]}`, '--admin', '127.0.0.1:0']);
  context.after(() => server.stop());
  await server.shows(/rest /);
  await until(async () => (await fetch(`http://127.0.0.1:${ours.httpPorts[0]}/ready`)).status, 200);
  const isReady = () =>
    fetch(`http://127.0.0.1:${theirs.httpPorts[1]}/ready`).then(
      ({ status }) => status,
      () => 0,
    );
  if (/^\s*ready/m.test(files.Corefile) && files.Corefile.includes('kubernetes'))
    await Promise.race([until(isReady, 200), ended]);
  return { coreDns: theirs.port, healthdns: ours.port };
}

async function migrateInto(zonesYaml: string, corefile: string): Promise<void> {
  const report: string[] = [];
  const input = { file: corefile, text: await readFile(corefile, 'utf8'), clusterDomain: 'cluster.local' };
  const lines: string[] = [];
  await migrate(
    { ...input, output: undefined, keepEnvironment: false, report: 'text' },
    { out: (line) => lines.push(line), err: (line) => report.push(line), variable: () => undefined },
  );
  await writeFile(zonesYaml, `${lines.join('\n')}\n`);
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}

/** "NAME TYPE udp: what differs", with both answers. */
async function differencesAt(
  address: string,
  coreDns: number,
  healthdns: number,
  { hasCluster = true, names = [] }: Distribution,
  startMs: number,
): Promise<string[]> {
  const servers = { coreDns: serverAt(address, coreDns), healthdns: serverAt(address, healthdns) };
  const inCluster = hasCluster ? clusterQuestions : [];
  const asked = [...inCluster, ...externalQuestions([...EXTERNAL_NAMES, ...names])];
  const questions: Question[] = asked.flatMap((one) => WAYS.map((way) => ({ ...one, way })));
  const differences = await compareAnswers(questions, { ...servers, world, pods: 'insecure' });
  const elapsedSeconds = Math.ceil((performance.now() - startMs) / 1000) + 1;
  return differences
    .filter(({ reasons }) => reasons === undefined)
    .flatMap(({ question, coreDns: theirs, healthdns: our, left }) => {
      const { name, type, way } = question;
      const what = theirs && our ? differencesOf(name, [theirs, our], left, elapsedSeconds) : ['no answer'];
      const head = `${name} ${type} ${way.transport}${way.edns ? '' : ' without EDNS'} at ${address}: ${what.join(', ')}`;
      return what.length === 0 ? [] : [`${head} | CoreDNS ${shown(theirs)} | healthdns ${shown(our)}`];
    });
}

/** Of both answers, or of what is left of them after the reasons, which are about names of the cluster. */
function differencesOf(
  name: string,
  answers: readonly [Answer, Answer],
  left: readonly [Answer, Answer] | undefined,
  elapsedSeconds: number,
): string[] {
  const whole = externalDifferences(name, ...answers, elapsedSeconds);
  if (whole.length === 0 || left === undefined || !isOfCluster(name)) return whole;
  return externalDifferences(name, ...left, elapsedSeconds);
}

const isOfCluster = (name: string): boolean => CLUSTER_NAMES.includes(name) || name.endsWith('.cluster.local.');
const serverAt = (address: string, port: number): ServerAddress => ({
  address,
  family: address.includes(':') ? 6 : 4,
  port,
});
const shown = (answer: Answer | undefined) =>
  answer === undefined ? 'nothing' : showAnswer(answer).replaceAll('\n', ', ');
