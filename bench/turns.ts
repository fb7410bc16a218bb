// `npm run bench:turns`: what one change costs the control plane's thread, and the data plane's, in one turn. One
// service of 10,000 endpoints in slices of 100, as Kubernetes cuts them; then 10,000 services at once.

import { createCounters } from '../src/plane/counters.ts';
import { createEngine, createPacketMemory } from '../src/thread/engine.ts';
import { podEvent, podEvents, serviceEvents, sliceEvent, sliceEvents } from './cluster-json.ts';
import { type BenchedControlPlane, startControlPlane } from './control-plane.ts';

const HUGE = { services: 1, podsPerService: 10_000, nodes: 200 };
const MANY = { services: 10_000, podsPerService: 10, nodes: 1_000 };
const SLICE = 100;
const REPEATS = 25;

interface Row {
  readonly title: string;
  readonly registryMs: number[];
  readonly healthMs: number[];
  readonly zoneMs: number[];
  readonly applyMs: number[];
  bytes: number;
}

const rows: Row[] = [];

/** Milliseconds of CPU, those of the garbage collector's threads included: a busy machine does not change them much. */
async function timed(work: () => unknown): Promise<number> {
  const start = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1000;
}

async function measure(title: string, plane: BenchedControlPlane, change: (repeat: number) => void): Promise<void> {
  const row: Row = { title, registryMs: [], healthMs: [], zoneMs: [], applyMs: [], bytes: 0 };
  for (let repeat = 0; repeat < REPEATS; repeat++) {
    const before = plane.messageBytes();
    row.registryMs.push(await timed(() => change(repeat)));
    row.healthMs.push(await timed(plane.health.flush));
    row.zoneMs.push(await timed(() => plane.zones.flush()));
    row.bytes = plane.messageBytes() - before;
    for (const message of plane.takeMessages()) row.applyMs.push(await timed(() => engine.apply(message)));
  }
  rows.push(row);
}

const engine = createEngine({
  memory: createPacketMemory(0, 0),
  slots: new Uint8Array(1 << 18),
  counters: createCounters(),
  settings: {
    udpPayloadBytes: 1232,
    versionBind: undefined,
    idServer: undefined,
    forwarding: false,
    tcpIdleMs: 10_000,
  },
  hashSeed: 1,
  rotationSeed: 1,
  onError(error) {
    throw error;
  },
});

const huge = startControlPlane({ keepsMessages: true });
for (const line of serviceEvents(HUGE)) huge.services(line);
for (const line of podEvents(HUGE)) huge.pods(line);
for (let from = 0; from < HUGE.podsPerService; from += SLICE) huge.slices(sliceEvent(HUGE, 0, from, from + SLICE));
huge.health.flush();
const firstMs = await timed(() => huge.zones.flush());
for (const message of huge.takeMessages()) engine.apply(message);
let version = 1_000_000;
await measure('a pod is not ready', huge, (i) => huge.pods(podEvent(HUGE, 77, i % 2 === 1, version++)));
await measure('an endpoint goes or comes', huge, (i) => {
  huge.slices(sliceEvent(HUGE, 0, 0, SLICE - (i % 2), version++));
});
huge.stop();

const many = startControlPlane({ pause: () => new Promise((resolve) => setImmediate(resolve)) });
for (const line of serviceEvents(MANY)) many.services(line);
for (const line of podEvents(MANY)) many.pods(line);
for (const line of sliceEvents(MANY)) many.slices(line);
many.health.flush();
const turns: number[] = [];
let turnBegan = process.cpuUsage();
const everyTurn = setInterval(() => {}, 1_000);
const watch = () => {
  const { user, system } = process.cpuUsage(turnBegan);
  turns.push((user + system) / 1000);
  turnBegan = process.cpuUsage();
  watching = setImmediate(watch);
};
let watching = setImmediate(watch);
const manyMs = await timed(() => many.zones.flush());
clearImmediate(watching);
clearInterval(everyTurn);
many.stop();

const median = (values: number[]) => values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;
const cell = (values: number[]) => `${median(values).toFixed(2)} / ${Math.max(0, ...values).toFixed(2)}`;
console.log(
  'CPU ms, median / longest\n\n| one of 10,000 endpoints | source, registry | health | zone, encoding | bytes | data thread, a message |',
);
console.log('| --- | ---: | ---: | ---: | ---: | ---: |');
for (const row of rows) {
  const cells = [row.registryMs, row.healthMs, row.zoneMs].map(cell);
  console.log(`| ${row.title} | ${cells.join(' | ')} | ${row.bytes} | ${cell(row.applyMs)} |`);
}
console.log(`\nfirst compilation of the huge service: ${firstMs.toFixed(0)} ms of CPU`);
console.log(`first compilation of 10,000 services: ${manyMs.toFixed(0)} ms, a turn ${cell(turns)} ms`);
