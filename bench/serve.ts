// healthdns's data plane with the names of a zone file, fed as the control plane feeds it, without any source:
//   node build/bench/serve.js ZONEFILE ZONE PORT THREADS
// Every address record of a name with several has a health slot. {churn: true} by IPC makes 1,000 flips and 100 structural
// updates a second.
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { systemClock } from '../src/clock.ts';
import { parseName } from '../src/dns/name.ts';
import { composeRdata } from '../src/dns/rdata/rdata.ts';
import { TYPE } from '../src/dns/types.ts';
import {
  ALWAYS_ANSWERED,
  type Change,
  type NameRecords,
  type ResourceRecord,
  type RRset,
} from '../src/plane/records.ts';
import { startDataPlane } from '../src/plane/threads.ts';
import { raiseInliningLimits } from '../src/wiring/v8-flags.ts';

const [, , zoneFile = '', zone = '', port = '0', threads = '1'] = process.argv;

/** So many names cross to the threads at once. */
const NAMES_A_MESSAGE = 10_000;

raiseInliningLimits();
const plane = await startDataPlane(
  {
    listen: [{ address: '127.0.0.1', port: Number(port) }],
    threads: Number(threads),
    udp: 'auto',
    responder: {
      udpPayloadBytes: 1232,
      versionBind: undefined,
      idServer: undefined,
      forwarding: false,
      tcpIdleMs: 10_000,
    },
    tcp: { connections: 10_000, idleMs: 10_000, totalMs: 3_600_000, unreadBytes: 65_536, unreadTotalBytes: 67_108_864 },
    forward: undefined,
    // As by default; HEALTHDNS_BENCH_TOP=off is the same server without it.
    topQueries: process.env.HEALTHDNS_BENCH_TOP !== 'off',
    receiveBufferBytes: 4 * 1024 * 1024,
  },
  {
    threadUrl: new URL('../src/thread/thread.js', import.meta.url),
    clock: systemClock,
    random: Math.random,
    log: (level, message) => level !== 'info' && console.error(message),
    refill: () => [],
  },
);

const slots: number[] = [];
const churned: NameRecords[] = [];
const apex = parseName(zone);
await plane.apply([{ kind: 'replace-zone', zone: { name: apex, ready: true, stale: false, fallthrough: [] } }]);
let batch: Change[] = emptyNonTerminals();
for await (const [owner, lines] of owners()) {
  const records = recordsOf(owner, lines);
  if (churned.length < 1_000 && records.rrsets[0]!.records.length > 1) churned.push(records);
  batch.push({ kind: 'replace-name', records });
  if (batch.length >= NAMES_A_MESSAGE) {
    await plane.apply(batch);
    batch = [];
  }
}
await plane.apply(batch);
await plane.listen();

let churn: NodeJS.Timeout[] = [];
process.on('message', (message: { churn: boolean }) => {
  for (const timer of churn) clearInterval(timer);
  churn = message.churn ? [setInterval(flip, 10), setInterval(replace, 10)] : [];
  if (!message.churn) for (const slot of slots) plane.slots.set(slot, true);
});
process.on('SIGTERM', () => void plane.close().then(() => process.exit(0)));
process.on('disconnect', () => process.exit(0));

/** Ten flips each 10 ms; at most one in ten instances is down at a time, so that names keep answers. */
function flip(): void {
  for (let i = 0; i < 10; i++) plane.slots.set(slots[Math.floor(Math.random() * slots.length)]!, Math.random() < 0.9);
}

/** One whole name each 10 ms. */
function replace(): void {
  void plane.apply([{ kind: 'replace-name', records: churned[Math.floor(Math.random() * churned.length)]! }]);
}

/** The lines of each owner name, which stand together in the file. */
async function* owners(): AsyncIterable<[string, string[]]> {
  let owner = '';
  let lines: string[] = [];
  for await (const line of createInterface({ input: createReadStream(zoneFile) })) {
    const name = line.slice(0, line.indexOf(' '));
    if (name === owner) {
      lines.push(line);
      continue;
    }
    if (owner !== '') yield [owner, lines];
    owner = name;
    lines = [line];
  }
  yield [owner, lines];
}

function recordsOf(owner: string, lines: readonly string[]): NameRecords {
  const byType = new Map<string, ResourceRecord[]>();
  let ttlSeconds = 0;
  for (const line of lines) {
    const [, ttl, , type = '', ...value] = line.split(' ');
    ttlSeconds = Number(ttl);
    const slot = lines.length > 1 && type === 'A' ? plane.slots.allocate() : ALWAYS_ANSWERED;
    if (slot !== ALWAYS_ANSWERED) {
      plane.slots.set(slot, true);
      slots.push(slot);
    }
    const records = byType.get(type) ?? [];
    records.push({ rdata: composeRdata(TYPE[type as keyof typeof TYPE], value.join(' ')), slot, weight: 1 });
    byType.set(type, records);
  }
  const rrsets = [...byType].map(
    ([type, records]): RRset => ({
      type: TYPE[type as keyof typeof TYPE],
      ttlSeconds,
      records,
      routing: 'multivalue',
      maxAnswers: 0,
      whenAllUnhealthy: 'nodata',
    }),
  );
  return { name: parseName(owner), rrsets };
}

/** s<i> and _tcp.s<i> exist above the SRV names. */
function emptyNonTerminals(): Change[] {
  if (!zone.startsWith('bench.')) return [];
  return Array.from({ length: 1_000 }, (_, i) => [`s${i}.${zone}`, `_tcp.s${i}.${zone}`])
    .flat()
    .map((name) => ({ kind: 'replace-name', records: { name: parseName(name), rrsets: [] } }));
}
