// `healthdns shadow` between CoreDNS as kubeadm installs it and healthdns with the migrated Corefile, over one real cluster.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { composeQuery, type Question, type Way } from '../../../src/shadow/answers/question.ts';
import { readWorld } from '../../../src/shadow/cluster/world.ts';
import { frame, framed, IPV4, IPV6, ip, pcap, tcp, udp } from '../../support/captures.ts';
import { healthdns } from '../../support/command.ts';
import { type ControlPlane, startControlPlane } from '../../support/control-plane.ts';
import { documented } from '../../support/documented.ts';
import { requirement } from '../../support/requirement.ts';
import { WAYS } from '../compare/compare.ts';
import { fillCluster } from '../compare/fill.ts';
import { generateCluster } from '../compare/generate.ts';
import { namesToAsk, TYPES, ZONE } from '../compare/questions.ts';
import { createChance } from '../compare/random.ts';
import { settle } from '../compare/settle.ts';
import { type Installed, startInstalled } from './installed.ts';

const options = requirement('coredns', 'controller-manager');
const QUESTIONS = 100_000;
const PLANTED = 'kubernetes.default.svc.cluster.local.';
let plane: ControlPlane;
let servers: Installed;

before(async () => {
  if (options.skip !== false) return;
  plane = await startControlPlane({ controllerManager: true });
  await fillCluster(plane.client, generateCluster(createChance(7), 12));
  const [corefile] = await documented('migrating-from-coredns.md', 'corefile');
  const planted = `template IN A cluster.local {
    match ^kubernetes\\.default\\.svc\\.cluster\\.local\\.$
    answer "{{ .Name }} 30 IN A 192.0.2.66"
    fallthrough
  }
`;
  servers = await startInstalled(plane, corefile!, planted);
  const at = (name: 'CoreDNS' | 'healthdns', port: number) => ({
    ...{ name, port, pid: 0, stop: async () => {} },
    ...({ address: '127.0.0.1', family: 4 } as const),
  });
  const both = [at('CoreDNS', servers.coreDnsPort), at('healthdns', servers.healthdnsPort)];
  await settle(plane.client, both, false);
});
after(async () => {
  await servers?.stop();
  await plane?.stop();
});

const shadow = (...args: string[]) => {
  const addresses = ['--against', `127.0.0.1:${servers.coreDnsPort}`, '--server', `127.0.0.1:${servers.healthdnsPort}`];
  return healthdns('shadow', ...args, ...addresses, '--rate', '50000', '--json');
};

/** As clients ask: some names often, over IPv4, IPv6 and TCP, with responses and other packets in between. */
function capture(questions: readonly Question[]): Buffer {
  const frames = questions.flatMap((question, index) => {
    const query = composeQuery(question);
    const endpoints = { ...(index % 3 === 0 ? IPV6 : IPV4), sourcePort: 1_024 + (index % 60_000) };
    const response = Buffer.from(query);
    response[2]! |= 0x80;
    const back = { ...endpoints, sourcePort: 53, port: endpoints.sourcePort };
    const answered = frame('ethernet', ip(back, udp(back, response), { protocol: 17 }));
    const packet =
      question.way.transport === 'udp'
        ? ip(endpoints, udp(endpoints, query), { protocol: 17 })
        : ip(endpoints, tcp(endpoints, framed(query)), { protocol: 6 });
    return index % 5 === 0 ? [frame('ethernet', packet), answered] : [frame('ethernet', packet)];
  });
  return pcap(frames);
}

test('in a capture of 100,000 questions a planted difference is found, and nothing else', options, async (t) => {
  const chance = createChance(9);
  const world = await readWorld(ZONE, async function* (path) {
    yield* (await plane.client.get(path)).body.items;
  });
  const names = [...namesToAsk(world, chance, 800), 'www.example.org.', 'absent.example.org.', 'localhost.'];
  const often = names.slice(0, 200);
  const way = (): Way => chance.pick([WAYS[0]!, WAYS[0]!, WAYS[1]!, WAYS[2]!, WAYS[3]!]);
  const question = (name: string): Question => ({ name, type: chance.pick(TYPES), way: way() });
  const questions = Array.from({ length: QUESTIONS }, (_, index) =>
    index % 1000 === 17
      ? { name: PLANTED, type: 'A', way: way() }
      : question(chance.pick(index % 2 === 0 ? often : names)),
  );
  // CoreDNS's template answers ANY as well.
  const planted = questions.filter(({ name, type }) => name.toLowerCase() === PLANTED && /^A(NY)?$/.test(type));
  const file = join(plane.folder, 'questions.pcap');
  await writeFile(file, capture(questions));

  const startMs = performance.now();
  const { code, stdout, stderr } = await shadow(
    file,
    '--examples',
    '1000',
    '--kubeconfig',
    plane.kubeconfig,
    '--context',
    'admin',
  );
  const report = JSON.parse(stdout);
  t.diagnostic(`${report.asked} questions, ${report.distinct} of them different, in ${performance.now() - startMs} ms`);
  assert.deepEqual([code, stderr], [3, '']);
  assert.equal(report.asked, QUESTIONS);
  assert.deepEqual(Object.keys(report.inputs[0].skipped), ['response']);
  const distinct = new Set(planted.map((question) => JSON.stringify(question))).size;
  assert.deepEqual([report.unexplained.count, report.unexplained.distinct], [planted.length, distinct]);
  for (const { name } of report.unexplained.examples) assert.equal(name.toLowerCase(), PLANTED);
  assert.equal(report.same + report.sameRecords + report.explained + report.changed + planted.length, QUESTIONS);
  const health = report.reasons.filter(({ isHealth }: { isHealth: boolean }) => isHealth);
  assert.ok(health.some(({ id }: { id: string }) => id === 'dead-pod'));
});

test(
  "without the cluster's objects, a difference made by health is reported, with what would explain it",
  options,
  async () => {
    const questions = join(plane.folder, 'questions.txt');
    const world = await readWorld(ZONE, async function* (path) {
      yield* (await plane.client.get(path)).body.items;
    });
    const dead = world.services
      .flatMap(({ isHeadless, name, endpoints, object }) =>
        isHeadless && object.spec.publishNotReadyAddresses !== true
          ? endpoints.map((endpoint) => ({ name: `${endpoint.label}.${name}`, endpoint }))
          : [],
      )
      .filter(({ name, endpoint }) => {
        const all = world.endpointsAt(name);
        return all.length === 1 && endpoint.isReady && world.isDead(endpoint.endpoint);
      });
    assert.ok(dead.length > 0);
    await writeFile(questions, `${dead[0]!.name} ${dead[0]!.endpoint.address.includes(':') ? 'AAAA' : 'A'}\n`);
    const blind = await shadow(questions, '--again', '0');
    assert.equal(blind.code, 3);
    assert.match(
      blind.stderr,
      /without --kubeconfig, differences made by the health of pods cannot be told from faults/,
    );
    const seeing = await shadow(questions, '--again', '0', '--kubeconfig', plane.kubeconfig, '--context', 'admin');
    assert.equal(seeing.code, 0);
    assert.deepEqual(
      JSON.parse(seeing.stdout)
        .reasons.map(({ id }: { id: string }) => id)
        .includes('dead-pod'),
      true,
    );
  },
);
