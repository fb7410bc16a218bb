// `npm run bench:soak`: half the peak for ten minutes with churn; memory must stay flat and no query may be lost.
//   node build/bench/soak.js [--minutes N] [--write]
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { loadAt, measure, residentBytes } from './measure.ts';
import { seededRandom } from './random.ts';
import { machine, table } from './report.ts';
import { replaceSection } from './results.ts';
import { healthdns } from './servers.ts';
import { makeWorkloads, ZONE, zoneText } from './workloads.ts';

const { values: options } = parseArgs({
  options: { minutes: { type: 'string', default: '10' }, write: { type: 'boolean', default: false } },
});
const seconds = Number(options.minutes) * 60;
const SAMPLE_MS = 10_000;

const folder = mkdtempSync(join(tmpdir(), 'healthdns-soak-'));
try {
  await soak();
} finally {
  rmSync(folder, { recursive: true, force: true });
}

async function soak(): Promise<void> {
  const zoneFile = join(folder, 'bench.zone');
  writeFileSync(zoneFile, zoneText());
  const workloads = makeWorkloads(join(folder, 'queries'), seededRandom(1), false);
  const workload = workloads.find(({ name }) => name === '10 A')!;
  const server = await healthdns.start({ folder, zoneFile, zone: ZONE }, 5331);
  try {
    const { queriesPerSecond: peak } = await measure(server, workload, 3);
    server.churn?.(true);
    const memory: number[] = [];
    const sampler = setInterval(() => memory.push(residentBytes(server.pid)), SAMPLE_MS);
    const { sent, lost } = await loadAt(server, workload, peak / 2, seconds);
    clearInterval(sampler);
    // The first minute warms up: JIT, buffers, heap.
    const settled = memory.slice(Math.min(6, memory.length >> 2));
    const mib = (bytes: number | undefined) => ((bytes ?? Number.NaN) / 2 ** 20).toFixed(1);
    const report = table(
      ['', ''],
      [
        ['length', `${seconds} s with 1,000 health flips and 100 structural updates a second`],
        ['rate', `${Math.round(peak / 2).toLocaleString('en')} queries/s, half of the peak just before`],
        ['queries', sent.toLocaleString('en')],
        ['lost', String(lost)],
        ['memory after the first minute', `${mib(settled[0])} MiB`],
        ['memory at the end', `${mib(settled.at(-1))} MiB`],
        ['least and most in between', `${mib(Math.min(...settled))} to ${mib(Math.max(...settled))} MiB`],
      ],
    );
    console.log(report);
    if (options.write) replaceSection('soak', `${machine()}. \`npm run bench:soak\`.\n\n${report}`);
  } finally {
    await server.stop();
  }
}
