// The part of bench:push with whole agents: how late they learn of a flip, whether they answer what is dead, and how soon they are
// back when a replica is killed. All sessions use TLS.
import { once } from 'node:events';
import { quantile } from './flips.ts';
import { median } from './measure.ts';
import type { AgentsLoad, AgentsSetup, FromAgents } from './push-agents.ts';
import { answer, childOf, end } from './push-children.ts';
import type { FromServer } from './push-server.ts';
import { machine, table } from './report.ts';

export interface Files {
  readonly cert: string;
  readonly key: string;
}

const FLIPS = 20;
const NAMES = 50;
const UNDER_LOAD = { agents: 50, queriesPerSecond: 10_000, flipsPerSecond: 20 } as const;
const KILLED = { agents: 2_000, names: 10 } as const;

export async function fleet(files: Files, seconds: number): Promise<string> {
  const flips = [await lastCache(files, 200), await lastCache(files, 2_000)];
  return [
    `${machine()}. \`npm run bench:push\`, agents over TLS, all of one process.`,
    table(['agents', 'flip → the last cache, ms: median', 'worst of 10'], flips),
    await underLoad(files, seconds),
    await killed(files),
  ].join('\n\n');
}

async function start(files: Files, setup: Pick<AgentsSetup, 'agents' | 'names' | 'isAnswering'>, replicas = 1) {
  const servers = Array.from({ length: replicas }, () =>
    childOf('./push-server.js', { names: setup.names, tls: files }),
  );
  const push: number[] = [];
  for (const server of servers) push.push((await answer<FromServer>(server)).port!);
  const agents = childOf('./push-agents.js', { ...setup, push, ca: files.cert });
  await answer<FromAgents>(agents);
  await answer<FromAgents>(agents, { kind: 'hold' });
  return { servers, agents };
}

/** From the moment of which on the replica does not answer the address until the last agent does not, either. */
async function lastCache(files: Files, count: number): Promise<string[]> {
  const { servers, agents } = await start(files, { agents: count, names: 1, isAnswering: false });
  const removed: number[] = [];
  for (let i = 0; i < FLIPS; i++) {
    await answer<FromAgents>(agents, { kind: 'expect', changes: count });
    const arrived = once(agents, 'message');
    const { flips } = await answer<FromServer>(servers[0], { kind: 'flip', name: 0 });
    const [{ lastMs }] = (await arrived) as [FromAgents];
    // The others are additions, which wait for others for 20 ms.
    if (i % 2 === 0) removed.push(lastMs! - flips![0][1]);
    await new Promise((resolve) => setTimeout(resolve, 2 * count * 0.05));
  }
  await end(agents, ...servers);
  return [String(count), median(removed).toFixed(1), Math.max(...removed).toFixed(1)];
}

async function underLoad(files: Files, seconds: number): Promise<string> {
  const { agents: count, queriesPerSecond, flipsPerSecond } = UNDER_LOAD;
  const { servers, agents } = await start(files, { agents: count, names: NAMES, isAnswering: true });
  const [{ load }, { flips }] = await Promise.all([
    answer<FromAgents>(agents, { kind: 'load', perSecond: queriesPerSecond, seconds }),
    answer<FromServer>(servers[0], { kind: 'storm', perSecond: flipsPerSecond, seconds }),
  ]);
  await end(agents, ...servers);
  const ages = deadFor(load!, flips!);
  const how = `${count} agents that hold ${NAMES} names, ${queriesPerSecond.toLocaleString('en')} q/s, ${flipsPerSecond} flips/s for ${seconds} s`;
  const worst = ages.length === 0 ? 'none' : `${Math.max(...ages).toFixed(1)}`;
  const p99 = ages.length === 0 ? 'none' : quantile(ages, 0.99).toFixed(1);
  return table(
    [how, 'answers', 'with a dead address', 'dead for, ms: p99', 'at most'],
    [['agents', load!.answers.toLocaleString('en'), String(ages.length), p99, worst]],
  );
}

/** How long ago the address was taken out, for each answer that had it nevertheless. Each name flips in turn, first to dead. */
function deadFor({ both }: AgentsLoad, flips: NonNullable<FromServer['flips']>): number[] {
  const ofName = Array.from({ length: NAMES }, (): number[] => []);
  for (const [name, atMs] of flips) ofName[name].push(atMs);
  return both.flatMap(([name, ms]) => {
    const past = ofName[name].filter((atMs) => atMs <= ms);
    return past.length % 2 === 1 ? [ms - past.at(-1)!] : [];
  });
}

async function killed(files: Files): Promise<string> {
  const { agents: count, names } = KILLED;
  const { servers, agents } = await start(files, { agents: count, names, isAnswering: false }, 2);
  await answer<FromAgents>(agents, { kind: 'expect', changes: count * names });
  const back = once(agents, 'message');
  const startMs = Number(process.hrtime.bigint()) / 1e6;
  servers[0].kill('SIGKILL');
  const [{ lastMs }] = (await back) as [FromAgents];
  await end(agents, servers[1]);
  return table(
    ['a replica is killed', 'sessions', 'names each', 'all are held again after, s'],
    [
      [
        'agents go to the other one',
        count.toLocaleString('en'),
        String(names),
        ((lastMs! - startMs) / 1000).toFixed(1),
      ],
    ],
  );
}
