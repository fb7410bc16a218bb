// Agents of many nodes beside two replicas that follow a real API server: readiness is patched there, and what each agent answers
// is compared with what the replicas answer themselves. Times are reported, not asserted, except where a TTL is the promise.
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { after, before, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Clock, systemClock } from '../../src/clock.ts';
import { composeMessage, parseMessage } from '../../src/dns/message/message.ts';
import { parseName } from '../../src/dns/name.ts';
import { CLASS, FLAG, TYPE } from '../../src/dns/types.ts';
import { makeCertificate } from '../support/certificates.ts';
import { endpoint, PODS, pod, podStatus, SERVICES, SLICES, service, slice } from '../support/cluster-objects.ts';
import { type Serving, serving } from '../support/command.ts';
import { type ControlPlane, startControlPlane } from '../support/control-plane.ts';
import { freePort } from '../support/free-ports.ts';
import { startTestAgent, type TestAgent } from '../support/node-agent.ts';
import { type Relay, startRelay } from '../support/relay.ts';
import { requirement } from '../support/requirement.ts';
import { until } from '../support/until.ts';

const options = requirement('control-plane', 'openssl');
const AGENTS = 50;
const NAME = 'web.default.svc.cluster.local';
const TTL_SECONDS = 5;
const PODS_OF_WEB = 4;
const ipOf = (i: number) => `10.6.0.${i + 1}`;
const ALL = Array.from({ length: PODS_OF_WEB }, (_, i) => ipOf(i));

interface Replica {
  readonly dns: number;
  readonly push: number;
  readonly file: string;
  server: Serving;
}

let plane: ControlPlane;
let replicas: Replica[] = [];
let tls: { readonly ca: string; readonly serverName: string };

before(async () => {
  if (options.skip !== false) return;
  plane = await startControlPlane();
  const { client, folder } = plane;
  const { cert, key } = makeCertificate('DNS:push.test');
  tls = { ca: join(folder, 'push.crt'), serverName: 'push.test' };
  await writeFile(tls.ca, cert);
  await writeFile(join(folder, 'push.key'), key);
  await client.create(SERVICES, service('web'));
  for (const i of ALL.keys()) {
    await client.create(PODS, pod(`web-${i}`, 'web'));
    await client.patch(`${PODS}/web-${i}/status`, podStatus(ipOf(i), true));
  }
  const endpoints = ALL.map((ip, i) => endpoint(ip, `web-${i}`));
  await client.create(SLICES, slice('web-a', 'web', endpoints));
  replicas = await Promise.all([startReplica(), startReplica()]);
});
after(async () => {
  await Promise.all(replicas.map(({ server }) => server.stop('SIGKILL')));
  await plane?.stop();
});

async function startReplica(): Promise<Replica> {
  const [dns, push] = [await freePort(), await freePort()];
  const file = join(plane.folder, `zones-${dns}.yaml`);
  const kubernetes = { kubeconfig: plane.kubeconfig, context: 'admin' };
  const config = {
    ...{ listen: `127.0.0.1:${dns}`, http: false, threads: 1 },
    zones: [{ name: 'cluster.local', ttlSeconds: TTL_SECONDS, kubernetes }],
    push: {
      ...{ listen: `127.0.0.1:${push}`, sessionsPerClient: 1000 },
      tls: { cert: tls.ca, key: join(plane.folder, 'push.key') },
    },
  };
  await writeFile(file, JSON.stringify(config));
  return { dns, push, file, server: await serve(file) };
}

async function serve(file: string): Promise<Serving> {
  const server = serving([file]);
  await server.shows(/serving|answers/i);
  return server;
}

/** The addresses in a replica's own answer; undefined: none came. */
async function addressesOf({ dns }: Replica): Promise<string[] | undefined> {
  const socket = createSocket('udp4');
  try {
    socket.connect(dns, '127.0.0.1');
    await once(socket, 'connect');
    const questions = [{ name: parseName(NAME), type: TYPE.A, class: CLASS.IN }];
    socket.send(composeMessage({ id: 1, flags: FLAG.RD, questions }));
    const [message] = await once(socket, 'message', { signal: AbortSignal.timeout(2_000) });
    return parseMessage(message as Buffer)
      .answers.map(({ rdata }) => rdata.join('.'))
      .sort();
  } catch {
    return undefined;
  } finally {
    socket.close();
  }
}

const answered = async (agent: TestAgent): Promise<string[]> =>
  (await agent.ask(`${NAME} A`)).answers.map(({ rdata }) => rdata.join('.')).sort();

/** What is ready, and since when a dead address is in no answer of a replica that lives. */
const ready = new Set(ALL);
const deadSinceMs = new Map<string, number>();

const expected = (): string[] => ALL.filter((ip) => ready.has(ip));

/** Patches a pod, and waits until each of these replicas answers so. */
async function flip(i: number, isReady: boolean, of: readonly Replica[] = replicas): Promise<void> {
  if (isReady) ready.add(ipOf(i));
  else ready.delete(ipOf(i));
  deadSinceMs.delete(ipOf(i));
  await plane.client.patch(`${PODS}/web-${i}/status`, podStatus(ipOf(i), isReady));
  await until(() => Promise.all(of.map(addressesOf)), of.map(expected));
  if (!isReady) deadSinceMs.set(ipOf(i), performance.now());
}

/** Every agent answers what is ready. Returns after how many milliseconds the last one did. */
async function converged(agents: readonly TestAgent[]): Promise<number> {
  const startMs = performance.now();
  for (const agent of agents) while (String(await answered(agent)) !== String(expected())) await sleep(1);
  return performance.now() - startMs;
}

interface Load {
  /** The agents' answers, how many of them had a dead address, and how long at most it had been dead. */
  stop(): Promise<{ answers: number; stale: number; oldestMs: number; loopMs: number }>;
}

/** Asks the agents in turn. */
function load(agents: readonly TestAgent[]): Load {
  const delays = monitorEventLoopDelay({ resolution: 10 });
  delays.enable();
  const seen = { answers: 0, stale: 0, oldestMs: 0, loopMs: 0 };
  let isOver = false;
  const run = async () => {
    while (!isOver) {
      for (const agent of agents) {
        // When it was asked, because an answer that waits for a replica is not older for it.
        const askedMs = performance.now();
        const ages = (await answered(agent)).map((ip) => askedMs - (deadSinceMs.get(ip) ?? askedMs));
        const oldestMs = Math.max(0, ...ages);
        seen.answers++;
        if (oldestMs > 0) seen.stale++;
        seen.oldestMs = Math.max(seen.oldestMs, oldestMs);
      }
      await sleep(5);
    }
  };
  const running = run();
  return {
    async stop() {
      isOver = true;
      await running;
      delays.disable();
      return { ...seen, loopMs: delays.max / 1e6 };
    },
  };
}

/** An answer that is older than its TTL is one too many. What this process itself was late is not the agents' age. */
function assertNoneOlderThanTtl(
  t: TestContext,
  { answers, stale, oldestMs, loopMs }: Awaited<ReturnType<Load['stop']>>,
) {
  const found = `${answers} answers, ${stale} with a dead address, dead for ${oldestMs.toFixed(0)} ms at most`;
  t.diagnostic(`${found}; this process was up to ${loopMs.toFixed(0)} ms late`);
  assert.ok(answers > 0);
  assert.ok(oldestMs <= TTL_SECONDS * 1000 + loopMs, found);
}

interface Fleet {
  readonly count: number;
  readonly clock: Clock;
  readonly ports: readonly number[];
  /** All have their session with the first one. */
  readonly onFirst: boolean;
}

const half = (): Fleet => ({
  count: AGENTS,
  clock: systemClock,
  ports: replicas.map(({ push }) => push),
  onFirst: false,
});

/** Agents that hold the name: half of them with each replica. */
async function startAgents(t: TestContext, { count, clock, ports, onFirst }: Fleet = half()): Promise<TestAgent[]> {
  const agents = Array.from({ length: count }, (_, i) =>
    startTestAgent(t, {
      ...{ clock, random: Math.random, zones: ['cluster.local.'], tls },
      push: onFirst || i % 2 === 0 ? ports : ports.toReversed(),
    }),
  );
  for (const agent of agents) await until(agent.hasBeenFresh, true);
  await converged(agents);
  for (const agent of agents) await until(() => agent.held.view(parseName(NAME)).map(({ state }) => state), ['fresh']);
  return agents;
}

/** All pods are ready again, and all replicas answer. */
async function restore(): Promise<void> {
  for (const replica of replicas)
    if (replica.server.process.exitCode !== null || replica.server.process.signalCode !== null)
      replica.server = await serve(replica.file);
  for (const i of ALL.keys()) await flip(i, true);
}

const atReplica = (agents: readonly TestAgent[], { push }: Replica) =>
  agents.filter(({ replicas: { session, address } }) => session() !== undefined && address() === `127.0.0.1:${push}`);

/** Of the kinds that replicas follow; the API server's own are among them. */
async function watches(): Promise<number> {
  const { body } = await plane.client.get('/metrics');
  const gauges = String(body).matchAll(
    /^apiserver_longrunning_requests\{.*resource="(?:endpointslices|services|pods|namespaces)".*verb="WATCH".*\} (\d+)$/gm,
  );
  return [...gauges].reduce((sum, [, value]) => sum + Number(value), 0);
}

test('a flip of a pod reaches every agent, and the API server has no more watches than before', options, async (t) => {
  await until(() => Promise.all(replicas.map(addressesOf)), [ALL, ALL]);
  const before = await watches();
  assert.ok(before >= 2 * replicas.length, `${before} watches`);
  const agents = await startAgents(t);
  // A watch that ends is made again, so that one more may be seen for a moment.
  await until(watches, before);
  const lastMs: number[] = [];
  for (const [i, isReady] of [
    [0, false],
    [1, false],
    [0, true],
    [1, true],
  ] as const) {
    await flip(i, isReady);
    lastMs.push(await converged(agents));
  }
  t.diagnostic(`from both replicas' answers to the last of ${AGENTS} agents: ${lastMs.map((ms) => ms.toFixed(1))} ms`);
  await until(watches, before);
});

test(
  'while pods flip under load, no agent answers an address that has been dead for longer than its TTL',
  options,
  async (t) => {
    const agents = await startAgents(t);
    const asking = load(agents);
    for (let i = 0; i < 40; i++) await flip(i % PODS_OF_WEB, Math.floor(i / PODS_OF_WEB) % 2 === 1);
    assertNoneOlderThanTtl(t, await asking.stop());
    await converged(agents);
    assert.equal(agents.filter(({ replicas: { session } }) => session() === undefined).length, 0, 'sessions were lost');
  },
);

test(
  'when a replica is killed, its agents go to the other one, and none answers what is older than its TTL',
  options,
  async (t) => {
    t.after(restore);
    const agents = await startAgents(t);
    const [first, second] = replicas;
    const moving = atReplica(agents, first);
    assert.ok(moving.length > 0);
    const asking = load(agents);
    const killedMs = performance.now();
    await first.server.stop('SIGKILL');
    await flip(2, false, [second]);
    await until(() => atReplica(agents, second).length, agents.length);
    t.diagnostic(`${moving.length} agents had a new session after ${(performance.now() - killedMs).toFixed(0)} ms`);
    await flip(3, false, [second]);
    await converged(agents);
    assertNoneOlderThanTtl(t, await asking.stop());
  },
);

test('when all replicas are gone, what expires is not answered, until one is back', options, async (t) => {
  t.after(restore);
  const agents = await startAgents(t);
  for (const { server } of replicas) await server.stop('SIGKILL');
  for (const agent of agents) await until(() => agent.replicas.session(), undefined);
  // Dead from now on, as far as anybody can know.
  for (const ip of ALL) deadSinceMs.set(ip, performance.now());
  ready.clear();
  const asking = load(agents);
  await until(
    async () => (await Promise.all(agents.map((agent) => agent.ask(`${NAME} A`)))).map(({ rcode }) => rcode),
    agents.map(() => 2),
  );
  assertNoneOlderThanTtl(t, await asking.stop());
  for (const ip of ALL) ready.add(ip);
  deadSinceMs.clear();
  replicas[1].server = await serve(replicas[1].file);
  await until(() => atReplica(agents, replicas[1]).length, agents.length);
  await converged(agents);
});

test('a partition that swallows everything is found by silence', options, async (t) => {
  t.after(restore);
  const relays: Relay[] = [];
  for (const { push } of replicas) relays.push(await startRelay(push));
  t.after(() => Promise.all(relays.map((relay) => relay.close())));
  const ports = relays.map(({ port }) => port);
  const agents = await startAgents(t, { count: 10, clock: hurrying(5), ports, onFirst: true });
  const cutOff = agents.filter(({ replicas: { address } }) => address() === `127.0.0.1:${ports[0]}`);
  assert.ok(cutOff.length > 0);
  relays[0].swallow();
  await flip(0, false);
  for (const agent of cutOff) await until(() => agent.replicas.counts.lost > 0, true);
  await converged(agents);
  for (const {
    replicas: { address },
  } of agents)
    assert.equal(address(), `127.0.0.1:${ports[1]}`);
});

test('a replica that shuts down tells each agent when to come back', options, async (t) => {
  t.after(restore);
  const agents = await startAgents(t);
  const [first, second] = replicas;
  const leaving = atReplica(agents, first);
  const asking = load(agents);
  assert.equal(await first.server.stop('SIGTERM'), 0);
  await until(
    () => leaving.map(({ replicas: { counts } }) => counts.retryDelays),
    leaving.map(() => 1),
  );
  await until(() => atReplica(agents, second).length, agents.length);
  await flip(1, false, [second]);
  await converged(agents);
  assertNoneOlderThanTtl(t, await asking.stop());
});

/** The system's clock, so many times as fast. */
function hurrying(times: number): Clock {
  return {
    now: () => systemClock.now(),
    monotonicMs: () => systemClock.monotonicMs() * times,
    setTimeout: (callback, delayMs) => systemClock.setTimeout(callback, delayMs / times),
    setTimeoutKeepingAlive: (callback, delayMs) => systemClock.setTimeoutKeepingAlive(callback, delayMs / times),
  };
}
