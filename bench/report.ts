// Figures as Markdown tables and as a chart.
import { cpus, release, totalmem } from 'node:os';
import { FORMER } from './servers.ts';

/** Median figures of one workload by server's name. */
export interface Row {
  readonly workload: string;
  readonly cpuMicroseconds: Readonly<Record<string, number>>;
  readonly queriesPerSecond: Readonly<Record<string, number>>;
  readonly lostShare: Readonly<Record<string, number>>;
}

export function machine(): string {
  const [cpu] = cpus();
  return `${cpus().length} × ${cpu?.model ?? 'unknown CPU'}, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}, Node ${process.version}`;
}

export const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map((_, i) => (i === 0 ? '---' : '---:')), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');

/** µs and the ratio of healthdns to each other server. */
export function cpuTable(rows: readonly Row[], servers: readonly string[]): string {
  return table(
    ['CPU µs per query', ...servers, ...servers.slice(1).map((server) => `healthdns / ${server}`)],
    rows.map(({ workload, cpuMicroseconds: cpu }) => [
      workload,
      ...servers.map((server) => figure(cpu[server])),
      ...servers.slice(1).map((server) => ratio(cpu[servers[0]!], cpu[server])),
    ]),
  );
}

export function peakTable(rows: readonly Row[], servers: readonly string[]): string {
  return table(
    ['queries/s', ...servers, 'highest loss'],
    rows.map(({ workload, queriesPerSecond: rate, lostShare }) => [
      workload,
      ...servers.map((server) => (rate[server] === undefined ? '–' : Math.round(rate[server]).toLocaleString('en'))),
      mostLost(lostShare),
    ]),
  );
}

/** This build beside the former one, which was asked in the same rounds. */
export function formerTable(rows: readonly Row[]): string {
  const lines = rows.map(({ workload, cpuMicroseconds: cpu, queriesPerSecond: rate }) => [
    workload,
    figure(cpu.healthdns),
    figure(cpu[FORMER]),
    ratio(cpu.healthdns, cpu[FORMER]),
    ratio(rate.healthdns, rate[FORMER]),
  ]);
  return table(['CPU µs per query', 'now', 'former build', 'now / former', 'queries/s, now / former'], lines);
}

/** "0.041 % (Knot)"; "none". */
function mostLost(lostShare: Row['lostShare']): string {
  const [server, share] = Object.entries(lostShare).reduce((most, next) => (next[1] > most[1] ? next : most), ['', 0]);
  return share === 0 ? 'none' : `${(100 * share).toFixed(3)} % (${server})`;
}

export const figure = (value: number | undefined): string => (value === undefined ? '–' : value.toFixed(2));
export const ratio = (a: number | undefined, b: number | undefined): string =>
  a === undefined || b === undefined ? '–' : (a / b).toFixed(2);

const COLOURS = ['#1f77b4', '#9aa0a6', '#2ca02c', '#ff7f0e'];

/** Bars of CPU µs per query, one group a workload; long bars are cut and say their value. */
export function chart(rows: readonly Row[], servers: readonly string[]): string {
  const bar = 13;
  const group = servers.length * bar + 16;
  const left = 190;
  const width = 760;
  const longest = 3 * Math.max(...rows.flatMap(({ cpuMicroseconds: cpu }) => [cpu[servers[0]!] ?? 0]));
  const scale = (value: number) => (Math.min(value, longest) / longest) * (width - left - 90);
  const text = (x: number, y: number, value: string, anchor = 'start') =>
    `<text x="${x}" y="${y}" text-anchor="${anchor}">${value}</text>`;
  const groups = rows.map(({ workload, cpuMicroseconds: cpu }, i) => {
    const top = 40 + i * group;
    const bars = servers.map((server, k) => {
      const value = cpu[server];
      if (value === undefined) return '';
      const y = top + k * bar;
      const length = scale(value);
      return `<rect x="${left}" y="${y}" width="${length.toFixed(1)}" height="${bar - 2}" fill="${COLOURS[k % 4]}"/>${text(left + length + 4, y + 9, value.toFixed(1))}`;
    });
    return text(left - 8, top + (servers.length * bar) / 2 + 3, workload, 'end') + bars.join('');
  });
  const legend = servers.map(
    (server, k) =>
      `<rect x="${left + k * 110}" y="10" width="10" height="10" fill="${COLOURS[k % 4]}"/>${text(left + 14 + k * 110, 19, server)}`,
  );
  const height = 50 + rows.length * group;
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="11">` +
    `<title>CPU microseconds per query, less is better</title><rect width="${width}" height="${height}" fill="white"/>` +
    `${legend.join('')}${groups.join('')}</svg>\n`
  );
}
