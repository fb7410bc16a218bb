// Second way of use: asked by hand. dig, kdig and drill, over UDP and TCP, batched and plain; all three must read the
// same out of every answer.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { type Serving, serving } from '../support/command.ts';
import { requirement } from '../support/requirement.ts';
import { temporary } from '../support/temporary.ts';
import { until } from '../support/until.ts';

const run = promisify(execFile);

interface Reply {
  readonly status: string;
  /** "name TYPE rdata" of the answer section, sorted. */
  readonly answer: readonly string[];
}

type Transport = 'udp' | 'tcp';

/** Each tool's own way of being asked; their output is close to one form. */
const tools = {
  dig: (port: number, transport: Transport) => ['@127.0.0.1', '-p', `${port}`, transport === 'tcp' ? '+tcp' : '+notcp'],
  kdig: (port: number, transport: Transport) => [
    '@127.0.0.1',
    '-p',
    `${port}`,
    transport === 'tcp' ? '+tcp' : '+notcp',
  ],
  drill: (port: number, transport: Transport) => [
    '-p',
    `${port}`,
    ...(transport === 'tcp' ? ['-t'] : ['-u']),
    '@127.0.0.1',
  ],
} as const;

type Tool = keyof typeof tools;

async function ask(tool: Tool, port: number, transport: Transport, name: string, type: string): Promise<Reply> {
  const question = type === 'PTR' ? ['-x', name] : [name, type];
  const { stdout } = await run(tool, [...tools[tool](port, transport), ...question]);
  const section = /^;; ANSWER SECTION:\n(.*?)(?=^\s*$|^;;)/ms.exec(stdout)?.[1] ?? '';
  const answer = section
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith(';'))
    .map((line) => line.trim().split(/\s+/))
    .map(([owner, , , recordType, ...rdata]) => `${owner.toLowerCase()} ${recordType} ${rdata.join(' ')}`);
  return { status: /(?:status|rcode): (\w+)/.exec(stdout)?.[1] ?? 'none', answer: answer.sort() };
}

const QUESTIONS: readonly [name: string, type: string, status: string, answer: readonly string[]][] = [
  ['api.production.local', 'A', 'NOERROR', ['api.production.local. A 10.1.0.1', 'api.production.local. A 10.1.0.2']],
  [
    'api.production.local',
    'AAAA',
    'NOERROR',
    ['api.production.local. AAAA fd00::1', 'api.production.local. AAAA fd00::2'],
  ],
  ['_http._tcp.api.production.local', 'SRV', 'NOERROR', SRV_ANSWER()],
  ['www.production.local', 'A', 'NOERROR', ALIAS_ANSWER()],
  ['10.1.0.1', 'PTR', 'NOERROR', ['1.0.1.10.in-addr.arpa. PTR api-1.api.production.local.']],
  ['production.local', 'TXT', 'NOERROR', ['production.local. TXT "v=spf1 -all"']],
  ['production.local', 'NS', 'NOERROR', ['production.local. NS ns.dns.production.local.']],
  ['mail.production.local', 'AAAA', 'NOERROR', []],
  ['absent.production.local', 'A', 'NXDOMAIN', []],
  ['www.example.org', 'A', 'REFUSED', []],
];

function SRV_ANSWER(): string[] {
  return ['1', '2'].map((i) => `_http._tcp.api.production.local. SRV 1 1 8080 api-${i}.api.production.local.`);
}

function ALIAS_ANSWER(): string[] {
  return [
    'api.production.local. A 10.1.0.1',
    'api.production.local. A 10.1.0.2',
    'www.production.local. CNAME api.production.local.',
  ];
}

for (const udp of ['batched', 'plain'] as const) {
  const options = requirement(...(udp === 'batched' ? (['linux'] as const) : []), 'dig', 'kdig', 'drill');
  let folder: string;
  let server: Serving;
  let port: number;

  before(async () => {
    if (options.skip !== false) return;
    folder = await temporary();
    await writeFile(join(folder, 'zones.yaml'), zones(folder, udp));
    for (const id of ['api-1', 'api-2']) await writeFile(join(folder, id), '');
    server = serving([join(folder, 'zones.yaml')]);
    const [, listening] = await server.shows(/DNS {3}127\.0\.0\.1:(\d+)/);
    port = Number(listening);
  });
  after(async () => {
    await server?.stop();
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  });

  for (const tool of ['dig', 'kdig', 'drill'] as const) {
    for (const transport of ['udp', 'tcp'] as const) {
      test(`${tool} reads every answer over ${transport}, ${udp}`, options, async () => {
        for (const [name, type, status, answer] of QUESTIONS)
          assert.deepEqual(await ask(tool, port, transport, name, type), { status, answer: [...answer].sort() });
      });
    }
  }

  test(`dig, kdig and drill see an unhealthy instance go and come back, ${udp}`, options, async () => {
    const seen = async () =>
      Promise.all(
        (['dig', 'kdig', 'drill'] as const).map(async (tool) =>
          (await ask(tool, port, 'udp', 'api.production.local', 'A')).answer
            .map((line) => line.split(' ')[2])
            .join(' '),
        ),
      );
    await rm(join(folder, 'api-1'));
    await until(seen, ['10.1.0.2', '10.1.0.2', '10.1.0.2']);
    await writeFile(join(folder, 'api-1'), '');
    await until(seen, ['10.1.0.1 10.1.0.2', '10.1.0.1 10.1.0.2', '10.1.0.1 10.1.0.2']);
  });
}

const zones = (folder: string, udp: string) => `listen: 127.0.0.1:0
http: false
server: { udp: ${udp} }
zones:
  - name: production.local
    reverse: [10.0.0.0/8]
    records:
      - { name: www, type: CNAME, value: api }
      - { name: mail, type: A, value: 192.0.2.25 }
      - { name: "@", type: TXT, value: v=spf1 -all }
    services:
      - name: api
        ports: [{ name: http, port: 8080 }]
        healthCheck:
          type: exec
          command: [CMD-SHELL, "test -e '${folder}'/$HEALTHDNS_INSTANCE_ID"]
          interval: 1
          timeout: 60 # on a busy machine a healthy instance stays healthy
          retries: 1
        instances:
          - { id: api-1, ipv4: 10.1.0.1, ipv6: "fd00::1" }
          - { id: api-2, ipv4: 10.1.0.2, ipv6: "fd00::2" }
`;
