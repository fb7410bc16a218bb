// `npm run bench:memory`: what an instance costs the control plane. 10,000 headless Services of 10 pods each, and the pods
// themselves, as the API server states them (--verified: with names). Heap and array buffers after a full collection, by what
// was stated.
import { podEvents, serviceEvents, sliceEvents } from './cluster-json.ts';
import { startControlPlane } from './control-plane.ts';

const SIZE = { services: 10_000, podsPerService: 10, nodes: 1_000 };
const INSTANCES = SIZE.services * SIZE.podsPerService;

/** Bytes in use, what is unreachable collected. Needs --expose-gc. */
function usedBytes(): number {
  if (globalThis.gc === undefined) throw new Error('run with node --expose-gc, or by npm run bench:memory');
  for (let i = 0; i < 4; i++) globalThis.gc();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

const plane = startControlPlane({ pods: process.argv.includes('--verified') ? 'verified' : 'disabled' });
const rows: string[] = [];
let before = usedBytes();
const beginning = before;

async function step(title: string, work: () => void | Promise<void>): Promise<void> {
  const start = performance.now();
  await work();
  const elapsedMs = performance.now() - start;
  const now = usedBytes();
  rows.push(`| ${title} | ${((now - before) / INSTANCES).toFixed(0)} | ${elapsedMs.toFixed(0)} |`);
  before = now;
}

const push = (events: Iterable<Buffer>, to: (line: Buffer) => void) => () => {
  for (const line of events) to(line);
};

await step('services', push(serviceEvents(SIZE), plane.services));
const services = before - beginning;
const isSlicesFirst = process.argv.includes('--slices-first');
if (isSlicesFirst) await step('slices', push(sliceEvents(SIZE), plane.slices));
await step('pods', push(podEvents(SIZE), plane.pods));
if (!isSlicesFirst) await step('slices', push(sliceEvents(SIZE), plane.slices));
await step('health', plane.health.flush);
await step('zone', () => plane.zones.flush());
const all = before - beginning;
console.log(`| bytes an instance | | ms |\n| --- | ---: | ---: |\n${rows.join('\n')}`);
console.log(
  `| all | ${(all / INSTANCES).toFixed(0)} | |\n| all but the services | ${((all - services) / INSTANCES).toFixed(0)} | |`,
);
console.log(
  `RSS ${(process.memoryUsage().rss / 2 ** 20).toFixed(0)} MiB, ${plane.registry.size().instances} instances`,
);
plane.stop();
