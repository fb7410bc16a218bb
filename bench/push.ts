// `npm run bench:push`: DNS Push over plain TCP and TLS on loopback. One flip → the last subscriber; processor time a push; memory
// a session and a subscription; a storm of flips; agents. The clients are one process of Node.js, whose own time to read is in the figures.
//   node build/bench/push.js [--agents] [--seconds N]
// --agents: only those; --seconds: how long they are asked while names flip.
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { makeCertificate } from '../test/support/certificates.ts';
import { answer, childOf, end } from './push-children.ts';
import { fleet } from './push-fleet.ts';
import type { FromHolders, HoldersSetup } from './push-holders.ts';
import type { FromServer } from './push-server.ts';

const { values: options } = parseArgs({
  options: { agents: { type: 'boolean', default: false }, seconds: { type: 'string', default: '60' } },
});

const FLIPS = 20;
const STORM = { perSecond: 1_000, seconds: 5, sessions: 200, namesPerSession: 100, names: 1_000 } as const;
const folder = mkdtempSync(join(tmpdir(), 'healthdns-bench-push-'));
const made = makeCertificate('DNS:push.test,IP:127.0.0.1');
const files = { cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem') };
writeFileSync(files.cert, made.cert);
writeFileSync(files.key, made.key);

type Shape = Omit<HoldersSetup, 'port' | 'ca'>;

interface Pair {
  readonly server: ChildProcess;
  readonly holders: ChildProcess;
}

/** In every thread, so that what is measured is what is held, not garbage that V8 has not collected yet. */
const COLLECTING = ['--expose-gc', '--import', 'data:text/javascript,setInterval(() => gc(), 500).unref()'];

/** Anonymous memory of a process, in KiB. */
function anonymousKb({ pid }: ChildProcess): number {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1');
  return Number(/^Anonymous: +(\d+)/m.exec(text)?.[1]);
}

const settle = () => new Promise((resolve) => setTimeout(resolve, 2_500));

async function withSessions<T>(
  tls: boolean,
  shape: Shape,
  run: (pair: Pair, memory: readonly number[]) => Promise<T>,
  execArgv: readonly string[] = [],
) {
  const server = childOf('./push-server.js', { names: shape.names, ...(tls && { tls: files }) }, execArgv);
  const { port } = await answer<FromServer>(server);
  await settle();
  const empty = anonymousKb(server);
  const holders = childOf('./push-holders.js', { ...shape, port: port!, ...(tls && { ca: made.cert }) });
  try {
    await answer<FromHolders>(holders);
    await settle();
    const connected = anonymousKb(server);
    await answer<FromHolders>(holders, { kind: 'subscribe' });
    await settle();
    return await run({ server, holders }, [empty, connected, anonymousKb(server)]);
  } finally {
    await end(holders, server);
  }
}

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1];
const quantile = (values: readonly number[], part: number): number =>
  [...values].sort((a, b) => a - b)[Math.floor((values.length - 1) * part)];

/** One name that all hold. */
async function oneName(tls: boolean, sessions: number): Promise<string> {
  return withSessions(tls, { sessions, namesPerSession: 1, names: 1 }, async ({ server, holders }, memory) => {
    const removed: number[] = [];
    const before = (await answer<FromServer>(server, { kind: 'usage' })).cpuMs;
    for (let i = 0; i < FLIPS; i++) {
      await answer<FromHolders>(holders, { kind: 'expect', pushes: sessions });
      const arrived = once(holders, 'message');
      const { flips } = await answer<FromServer>(server, { kind: 'flip', name: 0 });
      const [{ lastMs }] = (await arrived) as [FromHolders];
      // The others are additions, which wait for 20 ms.
      if (i % 2 === 0) removed.push(lastMs! - flips![0][1]);
      await new Promise((resolve) => setTimeout(resolve, 2 * sessions * 0.05));
    }
    const cpuMs = (await answer<FromServer>(server, { kind: 'usage' })).cpuMs - before;
    const perSession = (memory[1] - memory[0]) / sessions;
    const last = `${median(removed).toFixed(1)} (${Math.max(...removed).toFixed(1)})`;
    return `${last} | ${((cpuMs * 1000) / (FLIPS * sessions)).toFixed(1)} | ${perSession.toFixed(1)}`;
  });
}

/** Bytes a subscription: 200 sessions of 500 names each. */
async function subscriptions(tls: boolean): Promise<string> {
  const shape = { sessions: 200, namesPerSession: 500, names: 5_000 };
  const count = shape.sessions * shape.namesPerSession;
  const each = async (_pair: Pair, memory: readonly number[]) => (((memory[2] - memory[1]) * 1024) / count).toFixed(0);
  return withSessions(tls, shape, each, COLLECTING);
}

async function storm(tls: boolean): Promise<string> {
  const { sessions, namesPerSession, names, perSecond, seconds } = STORM;
  return withSessions(tls, { sessions, namesPerSession, names }, async ({ server, holders }) => {
    await answer<FromHolders>(holders, { kind: 'expect', pushes: 1e9 });
    const before = (await answer<FromServer>(server, { kind: 'usage' })).cpuMs;
    const { flips, cpuMs } = await answer<FromServer>(server, { kind: 'storm', perSecond, seconds });
    await settle();
    const { arrivals } = await answer<FromHolders>(holders, { kind: 'collect' });
    // Each name flips once a second, and every other flip is a removal.
    const removals = flips!.filter((_, i) => Math.floor(i / names) % 2 === 0);
    const delays = removals.flatMap(([name, atMs]) =>
      arrivals!.filter(([other, ms]) => other === name && ms >= atMs && ms < atMs + 900).map(([, ms]) => ms - atMs),
    );
    const share = ((cpuMs - before) / (seconds * 1000)) * 100;
    const pushes = arrivals!.length / ((seconds * perSecond * (sessions * namesPerSession)) / names);
    return `${share.toFixed(0)} | ${median(delays).toFixed(1)} | ${quantile(delays, 0.99).toFixed(1)} | ${pushes.toFixed(2)}`;
  });
}

try {
  if (!options.agents) await sessions();
  console.log(`\n${await fleet(files, Number(options.seconds))}`);
} finally {
  rmSync(folder, { recursive: true });
}

async function sessions(): Promise<void> {
  console.log('| transport | subscribers | flip → the last, ms (worst) | CPU µs a push | KB a session |');
  console.log('| --- | ---: | ---: | ---: | ---: |');
  for (const tls of [false, true])
    for (const sessions of [200, 2_000])
      console.log(`| ${tls ? 'TLS' : 'plain TCP'} | ${sessions} | ${await oneName(tls, sessions)} |`);
  console.log(
    `\n| transport | bytes a subscription | % of a core, ${STORM.perSecond} flips/s × 20 | median ms | p99 ms | pushes / expected |`,
  );
  console.log('| --- | ---: | ---: | ---: | ---: | ---: |');
  for (const tls of [false, true])
    console.log(`| ${tls ? 'TLS' : 'plain TCP'} | ${await subscriptions(tls)} | ${await storm(tls)} |`);
}
