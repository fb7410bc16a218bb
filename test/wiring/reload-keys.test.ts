// Every key of zones.yaml takes effect on reload: a key that is in zones.schema.json and not in the table fails.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { systemClock } from '../../src/clock.ts';
import type { Config } from '../../src/config/config.ts';
import { parseConfig } from '../../src/config/loading/load.ts';
import { composeMessage, parseMessage } from '../../src/dns/message/message.ts';
import { parseName } from '../../src/dns/name.ts';
import { FLAG, parseType, rcodeName, typeName } from '../../src/dns/types.ts';
import { type Logger, silentLogger } from '../../src/log.ts';
import { type Running, startHealthdns } from '../../src/main.ts';
import { createMetrics } from '../../src/metrics.ts';
import { planeSettings } from '../../src/wiring/plane-settings.ts';
import { jsonSchema } from '../support/reference.ts';
import { askTcp } from '../support/transports.ts';
import { until } from '../support/until.ts';

interface Seen {
  /** "NOERROR 192.0.2.1" for an answer of this server. */
  ask(name: string, type?: string, of?: number): Promise<string>;
  get(path: string, from?: 'http' | 'admin'): Promise<string>;
  /** The status of a call of an AWS API. */
  call(target: string): Promise<number>;
  readonly folder: string;
  readonly running: Running;
  readonly lines: string[];
}

interface Change {
  readonly before?: string;
  readonly after: string;
  /** What is seen before and after. */
  readonly see: (seen: Seen) => unknown;
  readonly expected: readonly [before: unknown, after: unknown];
  /** What is seen is written by another thread, or to the disk: not with the reload, but after it. */
  readonly comesLater?: boolean;
}

const linux = { skip: process.platform === 'linux' ? false : 'needs Linux' };
const ZONES = 'zones: [{ name: a.local, records: [{ name: www, type: A, value: 192.0.2.1 }] }]';
const SERVICE = (ipv4: string) =>
  `zones: [{ name: a.local, services: [{ name: web, instances: [{ id: i${ipv4.slice(-1)}, ipv4: ${ipv4} }] }] }]`;
/** Nobody answers there: what is forwarded is SERVFAIL. */
const FORWARD = 'forward: [{ to: 127.0.0.1:9, deadlineSeconds: 0.1 }]';
const HOSTS = 'hosts: { entries: [{ address: 10.0.0.1, names: h.test }] }';

/** Answered by data threads whose settings differ: seen in the settings that they would get. */
const inThreads = (after: string, before = ''): Change => ({
  ...{ before, after },
  see: ({ running }) => running.listening.length > 0,
  expected: [true, true],
});

const CHANGES: Readonly<Record<string, Change>> = {
  // Read into the file before anything else: test/config/include.test.ts.
  include: { after: 'include: []', see: () => true, expected: [true, true] },
  nsid: inThreads('nsid: me'),
  listen: {
    after: 'listen: [127.0.0.1:0, 127.0.0.3:0]',
    see: ({ running }) => new Set(running.listening.map(({ address }) => address)).size,
    expected: [1, 2],
  },
  http: {
    after: 'http: false',
    see: ({ running }) => running.http.length,
    expected: [1, 0],
  },
  admin: {
    after: 'admin: 127.0.0.2:0',
    see: ({ running }) => running.admin?.address,
    expected: ['127.0.0.1', '127.0.0.2'],
  },
  adminToken: {
    after: 'adminToken: token',
    see: ({ get }) => get('/config', 'admin').then((body) => /bearer/.test(body)),
    expected: [false, true],
  },
  threads: {
    after: 'threads: 2',
    before: 'threads: 1',
    see: async ({ get }) => /^healthdns_data_threads (\d)$/m.exec(await get('/metrics'))?.[1],
    expected: ['1', '2'],
  },
  // The command line's: test/cli/serve.test.ts.
  logLevel: { after: 'logLevel: silent', see: () => true, expected: [true, true] },
  server: {
    after: 'server: { versionBind: new }',
    see: ({ ask }) => ask('version.bind.', 'TXT', 3),
    expected: ['REFUSED', 'NOERROR TXT'],
  },
  limits: inThreads('limits: { tcpConnections: 7 }'),
  zones: {
    before: ZONES,
    after: ZONES.replace('192.0.2.1', '192.0.2.2'),
    see: ({ ask }) => ask('www.a.local.'),
    expected: ['NOERROR 192.0.2.1', 'NOERROR 192.0.2.2'],
  },
  forward: {
    after: FORWARD,
    see: ({ ask }) => ask('x.test.'),
    expected: ['REFUSED', 'SERVFAIL'],
  },
  cache: inThreads(`${FORWARD}\ncache: { maxTtlSeconds: 9 }`, FORWARD),
  hosts: {
    before: FORWARD,
    after: `${FORWARD}\n${HOSTS}`,
    see: ({ ask }) => ask('h.test.'),
    expected: ['SERVFAIL', 'NOERROR 10.0.0.1'],
  },
  templates: {
    after: 'templates: [{ zone: t.test, type: A, values: [10.0.0.2] }]',
    see: ({ ask }) => ask('any.t.test.'),
    expected: ['REFUSED', 'NOERROR 10.0.0.2'],
  },
  dns64: {
    after: 'dns64: true',
    see: ({ ask }) => ask('www.a.local.', 'AAAA'),
    expected: ['NOERROR', 'NOERROR AAAA'],
  },
  rebindingFilter: inThreads(`${FORWARD}\nrebindingFilter: true`, FORWARD),
  loopDetection: inThreads(`${FORWARD}\nloopDetection: false`, FORWARD),
  loadbalance: inThreads(`${FORWARD}\nloadbalance: false`, FORWARD),
  acl: {
    after: 'acl: [{ action: block }]',
    see: ({ ask }) => ask('www.a.local.'),
    expected: ['NOERROR 192.0.2.1', 'REFUSED'],
  },
  rewrite: {
    after: 'rewrite: [{ from: old.a.local, to: www.a.local }]',
    see: ({ ask }) => ask('old.a.local.'),
    expected: ['NXDOMAIN', 'NOERROR 192.0.2.1'],
  },
  autopath: inThreads('autopath: { zone: a.local }'),
  queryLog: {
    after: 'queryLog: true',
    async see({ ask, lines }) {
      await ask('www.a.local.');
      await new Promise((resolve) => setTimeout(resolve, 100));
      return lines.some((line) => /www\.a\.local/.test(line));
    },
    expected: [false, true],
    comesLater: true,
  },
  metrics: {
    after: 'metrics: coredns',
    see: async ({ get }) => (await get('/metrics')).includes('coredns_build_info'),
    expected: [false, true],
  },
  topQueries: inThreads('topQueries: false', 'topQueries: true'),
  dnstap: inThreads('dnstap: { to: /run/healthdns/dnstap.sock }'),
  push: {
    after: 'push: { listen: "127.0.0.1:0", plaintext: true }',
    see: ({ ask }) => ask('_dns-push-tls._tcp.a.local.', 'SRV'),
    expected: ['NXDOMAIN', 'NOERROR SRV'],
  },
  cloudMap: {
    after: 'cloudMap: { writes: off, account: "123456789012" }',
    see: ({ call }) => call('Route53AutoNaming_v20170314.ListNamespaces'),
    expected: [405, 200],
  },
  ecs: {
    before: 'cloudMap: { writes: off }',
    after: 'cloudMap: { writes: off }\necs: { engine: processes }',
    see: ({ call }) => call('AmazonEC2ContainerServiceV20141113.ListClusters'),
    expected: [404, 200],
  },
  operatorFile: {
    after: 'operatorFile: orders.json',
    see: ({ running }) => running.explain('inst.a.local').owners.length,
    expected: [0, 0], // read in test/cli and test/health; here: that the reload takes it
  },
  views: inThreads('views: [{ names: [v.test], hosts: { entries: [{ address: 10.0.0.1, names: v.test }] } }]'),
  history: {
    before: SERVICE('192.0.2.1'),
    after: `${SERVICE('192.0.2.2')}\nhistory: { file: history.json }`,
    see: ({ folder }) => existsSync(join(folder, 'history.json')),
    expected: [false, true],
    comesLater: true,
  },
};

const topLevel = Object.keys((jsonSchema() as { properties: object }).properties).filter((key) => key !== '$schema');

test('every key of zones.yaml is in the table of reload effects', () => {
  assert.deepEqual(
    topLevel.filter((key) => !(key in CHANGES)),
    [],
  );
});

for (const [key, { before = '', after, see, expected, comesLater }] of Object.entries(CHANGES)) {
  test(`${key} takes effect on reload`, linux, async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'healthdns-keys-'));
    t.after(() => rm(folder, { recursive: true, force: true }));
    await writeFile(join(folder, 'token'), 'secret');
    const first = await configOf(folder, before);
    const second = await configOf(folder, after);
    const lines: string[] = [];
    const logged = (message: string, fields?: object) => void lines.push(`${message} ${JSON.stringify(fields)}`);
    const log: Logger = { ...silentLogger, info: logged, warn: logged, error: logged };
    const running = await startHealthdns(first, {
      ...{ log, metrics: createMetrics(), clock: systemClock, random: Math.random },
    });
    t.after(() => running.stop());
    const seen = seenFrom(running, folder, lines);
    const seenBefore = await see(seen);
    await running.reload(second);
    if (comesLater) await until(() => see(seen), expected[1]);
    assert.deepEqual([seenBefore, await see(seen)], expected);
    // Whatever is answered, it is answered with these settings: other ones need other threads (plane/replace-threads.test.ts).
    const settings = [first, second].map((config) => planeSettings(config, config.listen));
    assert.equal(isDeepStrictEqual(settings[0], settings[1]), !OF_THREADS.includes(key));
  });
}

/** Keys whose new value needs other settings of the data threads. */
const OF_THREADS = [
  ...['listen', 'threads', 'server', 'limits', 'forward', 'cache', 'hosts', 'templates', 'dns64', 'rebindingFilter'],
  ...[
    'loopDetection',
    'loadbalance',
    'acl',
    'rewrite',
    'autopath',
    'queryLog',
    'views',
    'topQueries',
    'dnstap',
    'nsid',
    'push',
  ],
];

/** Scalars in these: those that do not concern data threads. */
const ELSEWHERE: Readonly<Record<string, readonly string[]>> = {
  server: ['lameduckSeconds'],
  limits: ['concurrentChecks', 'httpBodyBytes', 'httpConnections'],
  cache: [],
};

for (const [section, elsewhere] of Object.entries(ELSEWHERE)) {
  test(`every number, choice and flag of ${section} takes effect in the data threads, or is listed as an exception`, async () => {
    const { properties } = (jsonSchema() as { properties: Record<string, Schema> }).properties[section];
    const folder = '/etc';
    const missing: string[] = [];
    for (const [key, schema] of Object.entries(properties ?? {})) {
      const value = otherValue(schema);
      if (value === undefined) continue;
      const text = (changed: string) => `${FORWARD}\n${section}: { ${changed} }`;
      const [before, after] = [await configOf(folder, text('')), await configOf(folder, text(`${key}: ${value}`))];
      const isSame = isDeepStrictEqual(planeSettings(before, before.listen), planeSettings(after, after.listen));
      if (isSame !== elsewhere.includes(key)) missing.push(key);
    }
    assert.deepEqual(missing, []);
  });
}

interface Schema {
  readonly type?: string;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly minimum?: number;
  readonly properties?: Readonly<Record<string, Schema>>;
}

/** A valid value that is not the default; undefined: a text or a mapping. */
function otherValue({ type, default: given, enum: choices, minimum = 0 }: Schema): unknown {
  if (choices !== undefined) return choices.find((choice) => choice !== given && choice !== 'batched');
  if (type === 'boolean') return given !== true;
  if (type === 'integer' || type === 'number') return given === minimum ? minimum + 1 : minimum;
  return undefined;
}

async function configOf(folder: string, text: string): Promise<Config> {
  const has = (key: string) => new RegExp(`^${key}:`, 'm').test(text);
  const whole = [
    text,
    has('zones') ? '' : ZONES,
    has('listen') ? '' : 'listen: 127.0.0.1:0',
    has('http') ? '' : 'http: 127.0.0.1:0',
  ];
  const result = await parseConfig(whole.join('\n'), join(folder, 'zones.yaml'));
  assert.ok(result.ok, JSON.stringify(result));
  return result.config;
}

function seenFrom(running: Running, folder: string, lines: string[]): Seen {
  const admin = () => `http://${running.admin!.address}:${running.admin!.port}`;
  return {
    ...{ running, folder, lines },
    async ask(name, type = 'A', of = 1) {
      const [{ address, port }] = running.listening;
      const questions = [{ name: parseName(name), type: parseType(type)!, class: of }];
      const response = await askTcp(address, port, composeMessage({ id: 1, flags: FLAG.RD, questions }));
      const { rcode, answers } = parseMessage(response!);
      const shown = answers.map(({ type: one, rdata }) => (one === 1 ? rdata.join('.') : typeName(one)));
      return [rcodeName(rcode), ...shown.slice(0, 1)].join(' ');
    },
    async get(path, from = 'http') {
      const { address, port } = running.http[0] ?? running.admin!;
      return (await fetch(`${from === 'admin' ? admin() : `http://${address}:${port}`}${path}`)).text();
    },
    async call(target) {
      const headers = { 'x-amz-target': target, 'content-type': 'application/x-amz-json-1.1' };
      const { status } = await fetch(admin(), { method: 'POST', headers, body: '{}' });
      return status;
    },
  };
}
