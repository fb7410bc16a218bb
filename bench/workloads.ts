// The names that every server gets, and the questions that are asked of them.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Random } from '../src/clock.ts';

/** The zone of all workloads but the large one. */
export const ZONE = 'bench.test.';
export const NAMES = 1_000;
export const LARGE_ZONE = 'large.test.';
export const LARGE_NAMES = 1_000_000;

export interface Workload {
  readonly name: string;
  /** What dnsperf reads: "name type" lines. */
  readonly queryFile: string;
  readonly transport: 'udp' | 'tcp';
  /** TCP: each query has a connection of its own. */
  readonly connectionEach?: boolean;
  readonly large?: boolean;
  /** Asked with EDNS: the answer is longer than 512 bytes. */
  readonly edns?: boolean;
}

const apex = (zone: string) =>
  `${zone} 3600 IN SOA ns.${zone} hostmaster.${zone} 1 7200 1800 86400 30\n${zone} 3600 IN NS ns.${zone}\nns.${zone} 3600 IN A 127.0.0.1\n`;

const address = (number: number) => `10.${(number >> 16) & 255}.${(number >> 8) & 255}.${number & 255}`;

/** a<i>: one address. m<i>: ten. _http._tcp.s<i>: SRV with ten targets, each of which has an address. */
export function zoneText(): string {
  const lines: string[] = [];
  for (let i = 0; i < NAMES; i++) {
    lines.push(`a${i}.${ZONE} 30 IN A ${address(i)}`);
    for (let k = 0; k < 10; k++) lines.push(`m${i}.${ZONE} 30 IN A ${address(100_000 + i * 10 + k)}`);
    for (let k = 0; k < 10; k++) lines.push(`_http._tcp.s${i}.${ZONE} 30 IN SRV 0 10 8080 e${k}.s${i}.${ZONE}`);
    for (let k = 0; k < 10; k++) lines.push(`e${k}.s${i}.${ZONE} 30 IN A ${address(200_000 + i * 10 + k)}`);
  }
  return `${apex(ZONE)}${lines.join('\n')}\n`;
}

export function* largeZoneLines(): Iterable<string> {
  yield apex(LARGE_ZONE);
  for (let i = 0; i < LARGE_NAMES; i++) yield `a${i}.${LARGE_ZONE} 30 IN A ${address(i)}\n`;
}

/** Writes the query files into `folder`. The order of names is random, with `random`. */
export function makeWorkloads(folder: string, random: Random, large: boolean): Workload[] {
  mkdirSync(folder, { recursive: true });
  const file = (name: string, line: (number: number) => string, count = 50_000, names = NAMES) => {
    const path = join(folder, `${name.replace(/\W+/g, '-')}.queries`);
    let text = '';
    for (let i = 0; i < count; i++) text += `${line(Math.floor(random() * names))}\n`;
    writeFileSync(path, text);
    return path;
  };
  const mixedCase = (text: string) =>
    [...text].map((letter) => (random() < 0.5 ? letter.toUpperCase() : letter)).join('');
  const one = file('1 A', (i) => `a${i}.${ZONE} A`);
  const udp = (name: string, queryFile: string): Workload => ({ name, queryFile, transport: 'udp' });
  return [
    udp('1 A', one),
    udp(
      '10 A',
      file('10 A', (i) => `m${i}.${ZONE} A`),
    ),
    {
      ...udp(
        'SRV 10 with glue',
        file('SRV', (i) => `_http._tcp.s${i}.${ZONE} SRV`),
      ),
      edns: true,
    },
    udp(
      'NXDOMAIN',
      file('NXDOMAIN', (i) => `nobody${i}.${ZONE} A`),
    ),
    udp(
      'NODATA',
      file('NODATA', (i) => `a${i}.${ZONE} AAAA`),
    ),
    udp(
      '1 A, mixed case',
      file('mixed case', (i) => `${mixedCase(`a${i}.${ZONE}`)} A`),
    ),
    { name: 'TCP, one query per connection', queryFile: one, transport: 'tcp', connectionEach: true },
    { name: 'TCP, pipelined', queryFile: one, transport: 'tcp' },
    ...(large
      ? [
          {
            ...udp(
              '1,000,000 names',
              file('large', (i) => `a${i}.${LARGE_ZONE} A`, 500_000, LARGE_NAMES),
            ),
            large,
          },
        ]
      : []),
  ];
}
