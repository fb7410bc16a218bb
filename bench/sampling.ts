// `npm run bench:sampling`: what it costs that size and duration of one response in 64 are taken. One query for an own name is
// answered in this process by one engine, in blocks of some milliseconds in random order: with no observer, with one that takes no
// sample, and with that of a data thread. A block's time is processor time, which a busy machine hardly lengthens.
//   node build/bench/sampling.js [--blocks N]
import { parseArgs } from 'node:util';
import { composeMessage } from '../src/dns/message/message.ts';
import { parseName } from '../src/dns/name.ts';
import { CLASS, TYPE } from '../src/dns/types.ts';
import { createObserver } from '../src/front/observer.ts';
import type { Counters } from '../src/plane/counters.ts';
import { countOf, durations } from '../src/plane/distributions.ts';
import type { QueryHandler } from '../src/server/answer/query-handler.ts';
import { createInProcessPlane } from '../test/support/in-process.ts';
import { parseScenarios } from '../test/support/scenario.ts';
import { createServed } from '../test/support/served.ts';
import { median } from './measure.ts';
import { seededRandom } from './random.ts';

const { values: options } = parseArgs({ options: { blocks: { type: 'string', default: '600' } } });
const BLOCK = 10_000;
const WARM_BLOCKS = 30;

const random = seededRandom(1);
const plane = createInProcessPlane();
const served = createServed(plane);
const text = 'scenario here\nzone example.test. bare\nwww.example.test. 300 A 192.0.2.1';
for (const step of parseScenarios('here', text)[0]!.steps) if (step.kind !== 'ask') served.step(step);
await served.flush();

const observed = (chance: () => number): QueryHandler =>
  createObserver({
    ...{ counting: undefined, tap: undefined, logQuery() {}, random: chance },
    monotonicMs: () => performance.now(),
  }).observe(plane.engine, undefined);
/** The first query is timed, and then none of a billion: as many as a small integer of V8 can count. */
const handlers = { none: plane.engine as QueryHandler, never: observed(() => 8_000_000), sampled: observed(random) };
type Kind = keyof typeof handlers;
const kinds = Object.keys(handlers) as Kind[];

const query = composeMessage({ questions: [{ name: parseName('www.example.test.'), type: TYPE.A, class: CLASS.IN }] });
const out = new Uint8Array(4096);
const client = Uint8Array.of(10, 0, 0, 1);

/** Nanoseconds a query. */
function block(handler: QueryHandler): number {
  const start = process.cpuUsage();
  for (let i = 0; i < BLOCK; i++) handler.respond(query, query.length, out, false, client, 53);
  const { user, system } = process.cpuUsage(start);
  return ((user + system) * 1000) / BLOCK;
}

const times: Record<Kind, number[]> = { none: [], never: [], sampled: [] };
const blocks = Number(options.blocks);
for (let round = -WARM_BLOCKS; round < blocks; round++)
  for (const kind of [...kinds].sort(() => random() - 0.5)) {
    const nanoseconds = block(handlers[kind]);
    if (round >= 0) times[kind].push(nanoseconds);
  }

const taken = countOf(durations([plane.counters as Counters], []));
console.log(`${blocks} blocks of ${BLOCK} queries of each kind; durations stand for ${taken} queries`);
for (const kind of kinds) {
  const sorted = [...times[kind]].sort((a, b) => a - b);
  const quarter = sorted[sorted.length >> 2]!;
  console.log(
    `${kind.padEnd(8)} ns a query: median ${median(sorted).toFixed(1)}, a quarter below ${quarter.toFixed(1)}`,
  );
}
const differences = times.sampled.map((one, i) => one - times.never[i]!);
console.log(`sampled - never, of the same round: median ${median(differences).toFixed(1)} ns`);
