// `npm run bench:load`: 10,000 headless Services of 10 endpoints and their Pods, as the chunks of three watches that
// come at once, through sources, registry, health, zone and encoding, names flushed as they come: what a start costs
// the control plane.
import { namespaceEvents, podEvents, serviceEvents, sliceEvents } from './cluster-json.ts';
import { startControlPlane } from './control-plane.ts';

const SIZE = { services: 10_000, podsPerService: 10, nodes: 1_000 };
const CHUNK = 64 * 1024;

function* chunks(events: Iterable<Buffer>): Generator<Buffer> {
  let parts: Buffer[] = [];
  let bytes = 0;
  for (const event of events) {
    parts.push(event);
    bytes += event.length;
    if (bytes < CHUNK) continue;
    yield Buffer.concat(parts, bytes);
    parts = [];
    bytes = 0;
  }
  yield Buffer.concat(parts, bytes);
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
const plane = startControlPlane({ pause: turn, pods: 'verified' });
const feeds = [
  { push: plane.namespaces, chunks: [...chunks(namespaceEvents())] },
  { push: plane.services, chunks: [...chunks(serviceEvents(SIZE))] },
  { push: plane.pods, chunks: [...chunks(podEvents(SIZE))] },
  { push: plane.slices, chunks: [...chunks(sliceEvents(SIZE))] },
];

const cpuMs = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};
const beganMs = cpuMs();
plane.follow();
await Promise.all(
  feeds.map(async ({ push, chunks: all }) => {
    for (const chunk of all) {
      push(chunk);
      await turn();
    }
  }),
);
const readMs = cpuMs();
plane.loaded();
await plane.zones.flush();
const doneMs = cpuMs();
const megabytes = (bytes: number) => (bytes / 1e6).toFixed(0);
const read = feeds.flatMap((feed) => feed.chunks).reduce((sum, { length }) => sum + length, 0);
console.log(`${megabytes(read)} MB read, ${plane.registry.size().instances} instances`);
console.log(
  `CPU ms: ${(readMs - beganMs).toFixed(0)} until all is read, ${(doneMs - beganMs).toFixed(0)} until all is said`,
);
console.log(`${megabytes(plane.messageBytes())} MB of messages`);
plane.stop();
process.exit();
