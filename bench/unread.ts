// `npm run bench:unread`: TCP clients that ask for answers of 64 KB and read none. UDP beside them, and memory.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { composeMessage } from '../src/dns/message/message.ts';
import { parseName } from '../src/dns/name.ts';
import { measureLatency, residentBytes } from './measure.ts';
import { table } from './report.ts';
import { type BenchServer, healthdns, knot } from './servers.ts';
import type { Workload } from './workloads.ts';

const ZONE = 'unread.test.';
const CLIENTS = 600;
const QUERIES = 200;
const RATE = 500;
const SECONDS = 4;

const folder = mkdtempSync(join(tmpdir(), 'healthdns-unread-'));
try {
  const zoneFile = join(folder, 'unread.zone');
  const addresses = Array.from({ length: 4000 }, (_, i) => `large.${ZONE} 30 IN A 10.0.${i >> 8}.${i & 255}`);
  writeFileSync(
    zoneFile,
    `${ZONE} 3600 IN SOA ns.${ZONE} h.${ZONE} 1 7200 1800 86400 30\n${ZONE} 3600 IN NS ns.${ZONE}\n` +
      `ns.${ZONE} 3600 IN A 127.0.0.1\n${addresses.join('\n')}\n`,
  );
  const queryFile = join(folder, 'queries');
  writeFileSync(queryFile, `ns.${ZONE} A\n`);
  const rows: string[][] = [];
  for (const [i, kind] of [healthdns, knot].entries()) {
    if (kind.missing() !== undefined) continue;
    const server = await kind.start({ folder, zoneFile, zone: ZONE }, 5371 + i);
    const udp: Workload = { name: 'UDP', queryFile, transport: 'udp' };
    rows.push(await row(`${kind.name} alone`, server, udp));
    const clients = Array.from({ length: CLIENTS }, () => ask(server));
    await sleep(1000);
    rows.push(await row(`${kind.name}, ${CLIENTS} clients`, server, udp));
    for (const client of clients) client.destroy();
    await server.stop();
  }
  console.log(table([`UDP at ${RATE}/s, ms`, 'p50', 'p99', 'p99.9', 'lost', 'MiB resident'], rows));
} finally {
  rmSync(folder, { recursive: true, force: true });
}

async function row(name: string, server: BenchServer, udp: Workload): Promise<string[]> {
  const { p50Ms, p99Ms, p999Ms, lost } = await measureLatency(server, udp, RATE, SECONDS);
  const mebibytes = (residentBytes(server.pid) / 2 ** 20).toFixed(0);
  return [name, ...[p50Ms, p99Ms, p999Ms].map((ms) => ms.toFixed(2)), `${lost}`, mebibytes];
}

/** Asks for 13 MB. */
function ask({ port }: BenchServer): Socket {
  const query = composeMessage({ id: 1, questions: [{ name: parseName(`large.${ZONE}`), type: 1, class: 1 }] });
  const framed = Buffer.concat([Buffer.of(query.length >> 8, query.length), query]);
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  socket.pause();
  socket.write(Buffer.concat(Array.from({ length: QUERIES }, () => framed)));
  return socket;
}
