// The agents of bench:push, many in one process: each has its session and what it holds, and some of them answer, too.
import { systemClock } from '../src/clock.ts';
import { composeMessage } from '../src/dns/message/message.ts';
import { parseName } from '../src/dns/name.ts';
import { CLASS, FLAG, TYPE } from '../src/dns/types.ts';
import { silentLogger } from '../src/log.ts';
import { type Agent, startAgent } from '../src/node/agent.ts';
import { createHeld } from '../src/node/held.ts';
import { startReplicas } from '../src/node/replicas.ts';
import { nodeConfig } from '../test/support/node-agent.ts';

export interface AgentsSetup {
  readonly agents: number;
  /** Each holds all of them. */
  readonly names: number;
  /** Of the servers: the first has the sessions. */
  readonly push: readonly number[];
  /** Path of the authority. */
  readonly ca: string;
  /** Only with these can be asked: `load`. */
  readonly isAnswering: boolean;
}

export type ToAgents =
  | { readonly kind: 'hold' }
  /** Tell when so many names have been brought into the tables that answer. */
  | { readonly kind: 'expect'; readonly changes: number }
  | { readonly kind: 'load'; readonly perSecond: number; readonly seconds: number };
export interface FromAgents {
  readonly lastMs?: number;
  readonly load?: AgentsLoad;
}

export interface AgentsLoad {
  readonly answers: number;
  /** Of answers with both addresses: name and time. */
  readonly both: readonly (readonly [name: number, ms: number])[];
}

const setup = JSON.parse(process.argv[2]) as AgentsSetup;
const tell = (message: FromAgents): void => void process.send?.(message);
const nowMs = (): number => Number(process.hrtime.bigint()) / 1e6;
const names = Array.from({ length: setup.names }, (_, i) => parseName(`n${i}.bench.test.`));
const config = nodeConfig({
  ...{ push: setup.push, zones: ['bench.test.'] },
  tls: { ca: setup.ca, serverName: 'push.test' },
});
const zones = [parseName('bench.test.')];
let left = 0;

function changed(): void {
  if (--left === 0) tell({ lastMs: nowMs() });
}

/** The parts of an agent that learn of a change. */
function startHolding(established: () => void): () => void {
  const held = createHeld({
    ...{ clock: systemClock, random: Math.random, hashSeed: 1, zones, limits: config.hold },
    publish: changed,
    subscriber: {
      subscribe: (name, type) => replicas.session()?.subscribe(name, type),
      unsubscribe: (id) => replicas.session()?.unsubscribe(id),
    },
  });
  const replicas = startReplicas(config.replicas, {
    ...{ clock: systemClock, random: Math.random, log: silentLogger },
    established() {
      held.resubscribe(setup.names);
      established();
    },
    events: {
      answered() {},
      isEmpty: (id) => held.isEmpty(id),
      refused: (id, retryMs) => held.refused(id, retryMs),
      deliver: (delivery) => held.deliver(delivery),
    },
    lost: (lastHeardMs) => held.lost(lastHeardMs),
  });
  return () => {
    for (const name of names) held.want(name, TYPE.A);
  };
}

const queries = names.map((name) =>
  composeMessage({ id: 1, flags: FLAG.RD, questions: [{ name, type: TYPE.A, class: CLASS.IN }] }),
);
const out = new Uint8Array(65_535);
const agents: Agent[] = [];
const holding: (() => void)[] = [];

/** The number of addresses; undefined: the agent asks its replica. */
function ask(agent: Agent, name: number): number | undefined {
  const query = queries[name];
  const response = agent.answering.handler.respond(Uint8Array.from(query), query.length, out, true);
  if (typeof response === 'number') return (out[6] << 8) | out[7];
  response.resolve(() => {}, undefined);
  return undefined;
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function hold(): Promise<void> {
  if (!setup.isAnswering) {
    left = setup.agents * setup.names;
    for (const want of holding) want();
    return;
  }
  for (const agent of agents) for (const name of names.keys()) while (ask(agent, name) === undefined) await pause(1);
  tell({});
}

async function load(perSecond: number, seconds: number): Promise<void> {
  const both: [number, number][] = [];
  const startMs = nowMs();
  let answers = 0;
  while (answers < perSecond * seconds) {
    const due = Math.min(perSecond * seconds, ((nowMs() - startMs) / 1000) * perSecond);
    for (; answers < due; answers++) {
      const name = Math.floor(answers / agents.length) % names.length;
      const askedMs = nowMs();
      if (ask(agents[answers % agents.length], name) === 2) both.push([name, askedMs]);
    }
    await pause(1);
  }
  tell({ load: { answers, both } });
}

process.on('message', (message: ToAgents) => {
  if (message.kind === 'hold') void hold();
  else if (message.kind === 'load') void load(message.perSecond, message.seconds);
  else {
    left = message.changes;
    tell({});
  }
});
process.on('disconnect', () => process.exit());

/** Handshakes in groups: the backlog of the server is not what is measured. */
for (let from = 0; from < setup.agents; from += 50) {
  const group = Math.min(50, setup.agents - from);
  if (setup.isAnswering) {
    for (let i = 0; i < group; i++)
      agents.push(startAgent(config, { clock: systemClock, random: Math.random, log: silentLogger }));
    while (!agents.every((agent) => agent.hasBeenFresh())) await pause(5);
  } else
    await Promise.all(
      Array.from({ length: group }, () => new Promise<void>((resolve) => void holding.push(startHolding(resolve)))),
    );
}
tell({});
