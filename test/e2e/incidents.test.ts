// Ten incidents that an operator meets at three in the morning. For each, the output of one command names the cause, and where
// DNS can carry it, so does the text of the extended error that dig shows.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { type ApiRelay, startApiRelay } from '../support/api-relay.ts';
import { endpoint, NODES, PODS, pod, podStatus, SERVICES, SLICES, service, slice } from '../support/cluster-objects.ts';
import { healthdns, type Serving, serving } from '../support/command.ts';
import { type ControlPlane, startControlPlane } from '../support/control-plane.ts';
import { freePort } from '../support/free-ports.ts';
import { requirement } from '../support/requirement.ts';
import { until } from '../support/until.ts';

const options = requirement('control-plane', 'dig');
const run = promisify(execFile);

interface Replica {
  readonly dns: number;
  readonly http: string;
  readonly relay: ApiRelay;
  serving: Serving;
  restart(): Promise<void>;
}

let plane: ControlPlane;
const replicas: Replica[] = [];
let listener: Server;
let upstream: number;

const CRASHING = {
  containerStatuses: [
    {
      name: 'app',
      image: 'app',
      imageID: '',
      restartCount: 7,
      ready: false,
      state: { waiting: { reason: 'CrashLoopBackOff' } },
    },
  ],
};

before(async () => {
  if (options.skip !== false) return;
  plane = await startControlPlane();
  await plane.client.create(NODES, { metadata: { name: 'node-1' } });
  for (const [name, pods] of [
    ['web', { 'web-1': true, 'web-2': false }],
    ['db', { 'db-1': false, 'db-2': false }],
  ] as const) {
    await plane.client.create(SERVICES, service(name));
    const endpoints = Object.keys(pods).map((one) => endpoint(addressOf(one), one));
    await plane.client.create(SLICES, slice(name, name, endpoints));
    for (const [one, ready] of Object.entries(pods)) {
      await plane.client.create(PODS, pod(one, name));
      await plane.client.patch(`${PODS}/${one}/status`, podStatus(addressOf(one), ready, ready ? {} : CRASHING));
    }
  }
  listener = createServer().listen(0, '127.0.0.1');
  await once(listener, 'listening');
  upstream = await freePort();
});
after(async () => {
  for (const { serving: one, relay } of replicas) {
    await one.stop();
    await relay.close();
  }
  listener?.close();
  await plane?.stop();
});

const addressOf = (name: string) => `10.6.${name.startsWith('web') ? 0 : 1}.${name.at(-1)}`;

/** A replica with its own way to the API server. */
async function startReplica(name: string, prepare: (relay: ApiRelay) => void = () => {}): Promise<Replica> {
  const relay = await startApiRelay(plane);
  prepare(relay);
  const dns = await freePort();
  const http = await freePort();
  const file = join(plane.folder, `${name}.yaml`);
  const { port } = listener.address() as { port: number };
  const zones = [
    {
      name: 'cluster.local',
      reverse: [],
      kubernetes: {
        kubeconfig: relay.kubeconfig,
        staleAfterSeconds: 1,
        snapshot: { file: join(plane.folder, `${name}.snapshot`) },
      },
    },
    {
      name: 'static.test',
      services: [
        {
          name: 'api',
          healthCheck: { type: 'tcp', interval: 1, timeout: 1, retries: 1 },
          instances: [{ id: 'api-1', ipv4: '127.0.0.1', port: await freePort() }],
        },
        {
          name: 'flapping',
          externalHealth: { sources: [{ name: 'monitor' }] },
          flapDamping: { falls: 2, halfLifeSeconds: 600 },
          instances: [{ id: 'f-1', ipv4: '127.0.0.1', port }],
        },
      ],
    },
  ];
  const forward = [{ zone: '.', to: [`127.0.0.1:${upstream}`] }];
  await writeFile(file, JSON.stringify({ listen: [`127.0.0.1:${dns}`], http: `127.0.0.1:${http}`, zones, forward }));
  const replica: Replica = {
    dns,
    http: `http://127.0.0.1:${http}`,
    relay,
    serving: serving([file]),
    async restart() {
      await replica.serving.stop();
      replica.serving = serving([file]);
      await replica.serving.shows(/serves/);
    },
  };
  replicas.push(replica);
  await replica.serving.shows(/serves/);
  return replica;
}

const explain = async ({ http }: Replica, ...args: readonly string[]) =>
  (await healthdns('explain', ...args, '--http', http)).stdout;

/** The extended error as dig prints it: "0 (Other): (text)". */
async function edeOf({ dns }: Replica, name: string): Promise<string> {
  const { stdout } = await run('dig', ['@127.0.0.1', '-p', String(dns), '+tries=1', '+timeout=8', name]);
  return /EDE: (.*)/.exec(stdout)?.[1] ?? 'none';
}

interface Incident {
  readonly what: string;
  readonly explain: readonly string[];
  readonly says: RegExp;
  /** Absent: DNS cannot carry the cause. */
  readonly dig?: readonly [name: string, ede: RegExp];
}

async function play(replica: Replica, { what, explain: args, says, dig }: Incident): Promise<void> {
  await until(
    async () => says.exec(await explain(replica, ...args)) !== null || (await explain(replica, ...args)),
    true,
  );
  if (dig === undefined) return;
  const [name, ede] = dig;
  await until(
    async () => ede.exec(await edeOf(replica, name)) !== null || `${what}: ${await edeOf(replica, name)}`,
    true,
  );
}

const push = ({ http }: Replica, status: string) =>
  fetch(`${http}/external-health`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ zone: 'static.test', service: 'flapping', instance: 'f-1', source: 'monitor', status }),
  });

const INCIDENTS: readonly Incident[] = [
  {
    what: 'a pod is not ready',
    explain: ['web.default'],
    says: /OUT web-2 .*UNHEALTHY\n.*container app is waiting: CrashLoopBackOff/,
    dig: [
      '10-6-0-2.web.default.svc.cluster.local',
      /0 of 1 healthy: web-2 .*container app is waiting: CrashLoopBackOff/,
    ],
  },
  {
    what: 'all instances are unhealthy',
    explain: ['db.default'],
    says: /NXDOMAIN: .*0 of 2 instances may be answered[\s\S]*OUT db-1 [\s\S]*CrashLoopBackOff[\s\S]*OUT db-2 /,
    dig: ['db.default.svc.cluster.local', /0 of 2 healthy: db-1 .*CrashLoopBackOff/],
  },
  {
    what: 'a check fails',
    explain: ['api.static.test'],
    says: /OUT api-1 .*UNHEALTHY\n.*rule unhealthy: connect ECONNREFUSED 127\.0\.0\.1/,
    dig: ['api.static.test', /0 of 1 healthy: api-1 connect ECONNREFUSED 127\.0\.0\.1/],
  },
  {
    what: 'an upstream server is dead',
    explain: ['www.example.com.'],
    says: /forwarded by the route for \.\n.*127\.0\.0\.1:\d+: \d+ of \d+ queries failed; last error at \S+: ECONNREFUSED/,
    dig: ['www.example.com', /upstream 127\.0\.0\.1:\d+ ECONNREFUSED/],
  },
  {
    what: 'a typo in the name',
    explain: ['wbe.default.svc.cluster.local'],
    says: /NXDOMAIN[\s\S]*did you mean web\.default\.svc\.cluster\.local\?/,
  },
  {
    what: 'a wrong zone',
    explain: ['web.default.svc.cluster.lcoal'],
    says: /Forwarded by the default route[\s\S]*did you mean web\.default\.svc\.cluster\.local\?/,
  },
];

test('incidents of instances, checks, upstream servers and names are explained', options, async (t) => {
  const replica = await startReplica('first');
  await until(async () => /in {2}web-1/.test(await explain(replica, 'web.default')), true);
  await edeOf(replica, 'www.example.com');
  for (const incident of INCIDENTS) await t.test(incident.what, () => play(replica, incident));

  await t.test('explain shows the history of an instance that flaps', async () => {
    for (const status of ['HEALTHY', 'UNHEALTHY', 'HEALTHY', 'UNHEALTHY', 'HEALTHY']) await push(replica, status);
    await play(replica, {
      what: 'flapping',
      explain: ['flapping.static.test'],
      says: /OUT f-1 [\s\S]*rule flap-damping: /,
      dig: ['flapping.static.test', /0 of 1 healthy: f-1 /],
    });
    const history = await explain(replica, 'flapping.static.test', '--history');
    assert.ok(history.split('OUT f-1').length > 2, history);
  });
});

test('an API server that hangs is shown as stale, with the age of its data', options, async () => {
  const replica = await startReplica('hanging');
  await until(async () => /in {2}web-1/.test(await explain(replica, 'web.default')), true);
  replica.relay.fail('*', 'hang');
  await play(replica, {
    what: 'hung',
    explain: ['web.default'],
    says: /EDE 3[\s\S]*STALE kubernetes\/\S+: \d+ s old/,
    dig: [
      'web.default.svc.cluster.local',
      /3 \(Stale Answer\): \(stale: kubernetes\/\S+ has not been confirmed since 20/,
    ],
  });
  const page = await (await fetch(`${replica.http}/`)).text();
  assert.match(page, /Not confirmed for \d+ s; last known data are served/);
  assert.match(page, /<td><span class="badge bad">stale<\/span><\/td><td>\d+ s ago<\/td>/);
});

test(
  'a replica that restarts while the API server is unreachable says that it serves a snapshot, and remembers',
  options,
  async () => {
    const replica = await startReplica('restarted');
    await until(async () => /in {2}web-1/.test(await explain(replica, 'web.default')), true);
    await plane.client.patch(`${PODS}/web-1/status`, podStatus(addressOf('web-1'), false, CRASHING));
    await until(async () => /0 of 2 instances/.test(await explain(replica, 'web.default')), true);
    await plane.client.patch(`${PODS}/web-1/status`, podStatus(addressOf('web-1'), true));
    await until(async () => /1 of 2 instances/.test(await explain(replica, 'web.default')), true);
    await replica.serving.shows(/instance is left out/);
    replica.relay.fail('*', 'cut');
    await replica.restart();
    await play(replica, {
      what: 'snapshot',
      explain: ['web.default'],
      says: /EDE 3[\s\S]*STALE kubernetes\/\S+: \d+ s old/,
      dig: [
        'web.default.svc.cluster.local',
        /3 \(Stale Answer\): \(stale: kubernetes\/\S+ is served from a snapshot of 20/,
      ],
    });
    const history = await explain(replica, 'web.default', '--history', '--since', '1h');
    assert.match(
      history,
      /OUT web-1: HEALTHY → UNHEALTHY, rule unhealthy: .*CrashLoopBackOff[\s\S]*in {2}web-1: UNHEALTHY → HEALTHY/,
    );
  },
);

test('a replica that may not read a kind names the kind', options, async () => {
  const replica = await startReplica('forbidden', (relay) => relay.fail('endpointslices', 'forbidden'));
  await play(replica, {
    what: 'RBAC',
    explain: ['web.default.svc.cluster.local'],
    says: /SERVFAIL \(EDE 14, not ready\): [\s\S]*kubernetes\/\S+[\s\S]*endpointslices forbidden: /,
    dig: [
      'web.default.svc.cluster.local',
      /14 \(Not Ready\): \(not ready: kubernetes\/\S+ may not list endpointslices/,
    ],
  });
});
