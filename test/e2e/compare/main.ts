// `npm run compare`: the same questions to CoreDNS and to healthdns over one real cluster. Ends with 1 where a difference
// has no documented reason (docs/differences-from-coredns.md).
//   --seed N       another cluster and other questions
//   --full         every question every way, more names that do not exist, a minute of churn; else one way in turn
//   --show N       so many of the unexplained differences are printed
import { parseArgs } from 'node:util';
import { showAnswer } from '../../../src/shadow/answers/answer.ts';
import { readWorld, type World } from '../../../src/shadow/cluster/world.ts';
import { startControlPlane } from '../../support/control-plane.ts';
import { requirement } from '../../support/requirement.ts';
import { churn } from './churn.ts';
import { compare, type Outcome, WAYS } from './compare.ts';
import { fillCluster } from './fill.ts';
import { generateCluster } from './generate.ts';
import { namesToAsk, TYPES, ZONE } from './questions.ts';
import { createChance } from './random.ts';
import { startCoreDns, startHealthdns } from './servers.ts';
import { settle } from './settle.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    full: { type: 'boolean', default: false },
    show: { type: 'string', default: '20' },
  },
});
const seed = Number(values.seed);
const size = values.full
  ? { services: 36, nearly: 4_000, churnSeconds: 60, ways: WAYS.length }
  : { services: 31, nearly: 1_200, churnSeconds: 10, ways: 1 };
const startedMs = performance.now();
const say = (text: string) =>
  console.log(`${((performance.now() - startedMs) / 1000).toFixed(0).padStart(4)} s  ${text}`);

const { skip } = requirement('coredns', 'controller-manager');
if (skip !== false) {
  console.error(`compare: ${skip}`);
  process.exit(process.env.HEALTHDNS_REQUIRE_ALL === '1' ? 1 : 0);
}
const plane = await startControlPlane({ controllerManager: true });
try {
  process.exitCode = (await run()) === 0 ? 0 : 1;
} finally {
  await plane.stop();
}

/** The number of unexplained differences. */
async function run(): Promise<number> {
  const chance = createChance(seed);
  const plan = generateCluster(chance, size.services);
  await fillCluster(plane.client, plan);
  say(
    `seed ${seed}: ${plan.services.length} services in ${plan.namespaces.length} namespaces, ${plan.pods.length} pods, ${plan.slices.length} slices of others`,
  );
  let unexplained = 0;
  for (const pods of ['verified', 'insecure'] as const) {
    const servers = [await startCoreDns(plane, { pods }), await startHealthdns(plane, { pods })];
    const [coreDns, healthdns] = servers;
    const ask = async (when: string) => {
      await settle(plane.client, servers, pods === 'verified');
      const world = await readWorld(ZONE, async function* (path) {
        yield* (await plane.client.get(path)).body.items;
      });
      const names = namesToAsk(world, chance, size.nearly);
      const outcome = await compare({
        ...{ coreDns: coreDns!, healthdns: healthdns!, world, pods, names, types: TYPES },
        ways: (index) => (size.ways === 1 ? [WAYS[(index + (index >> 3)) % WAYS.length]!] : WAYS),
      });
      report(`pods ${pods}, ${when}: ${names.length} names`, outcome, world);
      unexplained += outcome.unexplained.length;
    };
    try {
      await ask('at rest');
      if (pods === 'verified') {
        say(`churn for ${size.churnSeconds} s`);
        await churn(plane.client, chance, size.churnSeconds);
        await ask('after churn');
      }
    } finally {
      for (const server of servers) await server.stop();
    }
  }
  say(`${unexplained} unexplained`);
  return unexplained;
}

function report(title: string, { questions, byReason, unexplained }: Outcome, world: World): void {
  say(`${title}, ${questions} questions, ${unexplained.length} unexplained`);
  for (const [reason, count] of [...byReason].sort(([, a], [, b]) => b - a)) console.log(`        ${reason} ${count}`);
  for (const { question, coreDns, healthdns, left } of unexplained.slice(0, Number(values.show))) {
    const { transport, edns } = question.way;
    console.log(`\n  ${question.name} ${question.type}, ${transport}${edns === undefined ? '' : ' with EDNS'}`);
    console.log(`  CoreDNS   ${coreDns === undefined ? 'no reply' : shorten(showAnswer(coreDns))}`);
    console.log(`  healthdns ${healthdns === undefined ? 'no reply' : shorten(showAnswer(healthdns))}`);
    const name = question.name.toLowerCase();
    const stated = world.serviceOf(name)?.endpoints ?? world.endpointsAt(name).map(({ endpoint }) => endpoint);
    for (const { label, endpoint, ports } of stated.length < 10 ? stated : []) {
      console.log(`  ${label}${world.isDead(endpoint) ? ', dead' : ''}: ${JSON.stringify({ ...endpoint, ports })}`);
    }
    if (left !== undefined) console.log(difference(showAnswer(left[0]).split('\n'), showAnswer(left[1]).split('\n')));
  }
}

/** What is left after the reasons that applied: "-" is CoreDNS's alone, "+" healthdns's. */
function difference(theirs: readonly string[], ours: readonly string[]): string {
  const alone = (sign: string, some: readonly string[], others: readonly string[]) =>
    some.filter((text) => !others.includes(text)).map((text) => `  ${sign} ${text}`);
  return [...alone('-', theirs, ours), ...alone('+', ours, theirs)].slice(0, 12).join('\n');
}

function shorten(text: string): string {
  return text.split('\n').slice(0, 12).join('\n              ');
}
