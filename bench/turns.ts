// `npm run bench:turns`: what one change costs the control plane's thread, and the data plane's, in one turn. One
// service of 10,000 endpoints in slices of 100, as Kubernetes cuts them; then every turn of 10,000 services under a storm.
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { createCounters } from '../src/plane/counters.ts';
import { POD } from '../src/registry/reference.ts';
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
const pause = () => new Promise<void>((resolve) => setImmediate(resolve));

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
const storm: [what: string, turns: readonly number[]][] = [];
await watched('a service of 10,000 endpoints is explained', async () => {
  for (let i = 0; i < 20; i++) {
    huge.zones.explain('backend-00000.team-00.svc.cluster.local.');
    await pause();
  }
});
huge.stop();

// 10,000 services, whose control plane follows 350 statuses of pods a second and 10 new slices, while everything else happens
// that concerns all of them.
const many = startControlPlane({ pause });
for (const line of serviceEvents(MANY)) many.services(line);
for (const line of podEvents(MANY)) many.pods(line);
for (const line of sliceEvents(MANY)) many.slices(line);
await watched('first verdicts', async () => many.health.settle(pause));
await watched('first compilation', () => many.zones.flush());
many.loaded();
many.follow();
const PODS = MANY.services * MANY.podsPerService;
const statuses = setInterval(() => {
  for (let i = 0; i < 7; i++, version++) many.pods(podEvent(MANY, (version * 977) % PODS, version % 2 === 1, version));
}, 20);
const slices = setInterval(() => {
  const service = version % MANY.services;
  const from = service * MANY.podsPerService;
  many.slices(sliceEvent(MANY, service, from, from + MANY.podsPerService - (version % 2), version));
}, 100);
await watched('nothing else', () => sleep(5_000));
await watched('a full pass of health', () => sleep(32_000));
await watched('reasons are switched on', async () => {
  many.zones.setReasons(false);
  many.zones.setReasons(true);
  while (many.zones.sendReasons()) await pause();
});
await watched('a data thread is filled', async () => {
  let changes = 0;
  for (const _ of many.zones.refill()) if (++changes % 200 === 0) await pause();
});
await watched('names are explained', async () => {
  for (let i = 0; i < 20; i++) {
    many.zones.explain(
      i % 2 === 0 ? `backend-000${10 + i}.team-${10 + i}.svc.cluster.local.` : `nothing-${i}.cluster.local.`,
    );
    await pause();
  }
});
await watched('a configuration is read again', () => {
  many.reload();
  return many.zones.flush();
});
await watched('the watch of pods is silent, and is back', async () => {
  for (const sinceMs of [0, undefined]) {
    many.registry.setStale(POD.prefix('production'), sinceMs);
    await pause();
    await many.health.settle(pause);
  }
});
clearInterval(statuses);
clearInterval(slices);
many.stop();

/** Milliseconds of this thread's CPU in each turn of the event loop while the work is done. */
async function watched(what: string, work: () => Promise<unknown> | undefined): Promise<void> {
  const turns: number[] = [];
  let beganMs = threadCpuMs();
  let watching = setImmediate(function watch() {
    const nowMs = threadCpuMs();
    turns.push(nowMs - beganMs);
    beganMs = nowMs;
    watching = setImmediate(watch);
  });
  await pause();
  await work();
  await pause();
  clearImmediate(watching);
  storm.push([what, turns]);
}

/** proc(5), schedstat: the time that this thread has been on a processor. */
function threadCpuMs(): number {
  return Number(readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'latin1').split(' ')[0]) / 1e6;
}

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
console.log(
  '\n10,000 services under a storm: CPU ms of the thread\n\n| meanwhile | longest turn | turns above 20 ms |\n| --- | ---: | ---: |',
);
for (const [what, turns] of storm) {
  console.log(
    `| ${what} | ${turns.reduce((a, b) => Math.max(a, b), 0).toFixed(1)} | ${turns.filter((ms) => ms > 20).length} of ${turns.length} |`,
  );
}
