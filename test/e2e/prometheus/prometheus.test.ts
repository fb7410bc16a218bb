// Dashboards and alerts that were made for CoreDNS, evaluated by a real Prometheus that scrapes both servers while they serve the
// same cluster and are asked the same questions.
import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { isDeepStrictEqual, promisify } from 'node:util';
import { METRICS } from '../../../src/metric-table.ts';
import { NODES, PODS, pod, podStatus, SERVICES, service } from '../../support/cluster-objects.ts';
import { type Serving, serving } from '../../support/command.ts';
import { type ControlPlane, startControlPlane } from '../../support/control-plane.ts';
import { dig, digAddresses } from '../../support/dig.ts';
import { freePorts } from '../../support/free-ports.ts';
import { ALERTS } from '../../support/monitoring/alerts.ts';
import { ROWS } from '../../support/monitoring/dashboard.ts';
import { requirement } from '../../support/requirement.ts';
import { until } from '../../support/until.ts';
import { EXPRESSIONS } from './expressions.ts';
import { type Prometheus, startPrometheus, stop } from './scraped.ts';

const options = requirement('controller-manager', 'coredns', 'dig', 'prometheus');
const NAME = 'web.default.svc.cluster.local';
/** Of each transport; the last three go to upstream servers, of which one is dead and one refuses. */
const QUESTIONS = [
  [NAME, 'A'],
  [NAME, 'AAAA'],
  [NAME, 'TYPE4711'],
  ['absent.default.svc.cluster.local', 'A'],
  ['host.hosts.test', 'A'],
  ['www.up.test', 'A'],
  ['www.up.test', 'A'],
  ['absent.up.test', 'A'],
  ['absent.up.test', 'A'],
  ['refused.test', 'A'],
  ['www.dead.test', 'A'],
] as const;
const ROUNDS = 4;

let plane: ControlPlane;
let coredns: ChildProcess;
let healthdns: Serving;
let prometheus: Prometheus;
const ports = { coredns: 0, healthdns: 0 };
const metrics = { coredns: 0, healthdns: 0 };

before(async () => {
  if (options.skip !== false) return;
  const all = await freePorts(7);
  [ports.coredns, ports.healthdns, metrics.coredns, metrics.healthdns] = all as [number, number, number, number];
  plane = await startControlPlane({ controllerManager: true });
  const [up, dead, health] = all.slice(4);
  await writeFile(join(plane.folder, 'hosts'), '192.0.2.7 host.hosts.test\n');
  await writeFile(join(plane.folder, 'up.zone'), UP_ZONE);
  await writeFile(join(plane.folder, 'Corefile'), corefile(plane, up!, dead!, health!));
  await writeFile(join(plane.folder, 'zones.yaml'), zonesFile(up!, dead!));
  const program = join(process.env.KUBEBUILDER_ASSETS!, 'coredns');
  coredns = spawn(program, ['-conf', join(plane.folder, 'Corefile'), '-quiet'], { stdio: 'ignore' });
  healthdns = serving([join(plane.folder, 'zones.yaml')]);
  await until(async () => (await fetch(`http://127.0.0.1:${metrics.healthdns}/ready`)).status, 200);
  await plane.client.create(NODES, { metadata: { name: 'node-1' } });
  await plane.client.create(SERVICES, service('web'));
  for (const port of Object.values(ports))
    await until(async () => (await dig(port, 'kubernetes.default.svc.cluster.local', 'A')).status, 'NOERROR');
  // After both follow the cluster: a change that they are told of.
  await plane.client.create(PODS, pod('web-1', 'web'));
  await plane.client.patch(`${PODS}/web-1/status`, podStatus('10.1.0.1', true));
  for (const port of Object.values(ports)) await until(() => digAddresses(port, NAME), ['10.1.0.1']);
  prometheus = await startPrometheus(plane.folder, {
    coredns: `127.0.0.1:${metrics.coredns}`,
    healthdns: `127.0.0.1:${metrics.healthdns}`,
  });
});
after(async () => {
  await prometheus?.stop();
  await healthdns?.stop();
  if (coredns !== undefined) await stop(coredns);
  await plane?.stop();
});

const UP_ZONE = `$ORIGIN up.test.
@ 3600 IN SOA ns hostmaster 1 7200 900 1209600 60
@ 3600 IN NS ns
ns 3600 IN A 192.0.2.1
www 3600 IN A 192.0.2.2
`;

const corefile = (
  { kubeconfig, folder }: ControlPlane,
  up: number,
  dead: number,
  health: number,
) => `.:${ports.coredns} {
  bind 127.0.0.1
  errors
  health 127.0.0.1:${health}
  kubernetes cluster.local {
    kubeconfig ${kubeconfig} admin
  }
  hosts ${folder}/hosts {
    fallthrough
  }
  prometheus 127.0.0.1:${metrics.coredns}
  forward dead.test 127.0.0.1:${dead} {
    health_check 200ms
  }
  forward . 127.0.0.1:${up}
  cache 30
  loadbalance
  reload
}
up.test:${up} {
  bind 127.0.0.1
  file ${folder}/up.zone
}
`;

const zonesFile = (up: number, dead: number) => `listen: ["127.0.0.1:${ports.healthdns}"]
http: 127.0.0.1:${metrics.healthdns}
metrics: coredns
hosts: { files: [./hosts] }
forward:
  - { zone: dead.test, to: 127.0.0.1:${dead}, healthCheck: { interval: 0.2 } }
  - { to: 127.0.0.1:${up} }
zones:
  - name: cluster.local
    kubernetes: { kubeconfig: ./kubeconfig, context: admin }
`;

async function ask(): Promise<void> {
  for (const port of Object.values(ports))
    for (const [name, type] of QUESTIONS)
      for (const transport of ['+notcp', '+tcp'])
        await dig(port, name, type, transport, '+dnssec', '+timeout=5', '+tries=1');
}

/** Sizes and durations are those of one response in 64. */
async function askMany(): Promise<void> {
  const file = join(plane.folder, 'many');
  await writeFile(file, `${NAME} A\n`.repeat(1_000));
  for (const port of Object.values(ports))
    await promisify(execFile)('dig', ['@127.0.0.1', '-p', String(port), '-f', file, '+tcp', '+keepopen', '+noall']);
}

test('every expression of common dashboards and alerts has series for both servers', options, async (t) => {
  for (let round = 0; round < ROUNDS; round++) await ask();
  await askMany();
  const at = await momentOfScrapes();
  for (const { from, panel, query, goneFromCoredns, notHere } of EXPRESSIONS)
    await t.test(`${from}: ${panel}`, async () => {
      const of = (job: string) => prometheus.query(query.replaceAll('SELECT', `job="${job}"`), at);
      const [theirs, ours] = [await of('coredns'), await of('healthdns')];
      assert.equal(theirs.length > 0, goneFromCoredns === undefined, `CoreDNS has ${theirs.length} series`);
      assert.equal(ours.length > 0, notHere === undefined, `healthdns has ${ours.length} series`);
      if (theirs.some(({ value }) => Number.isFinite(value)))
        assert.ok(
          notHere !== undefined || ours.some(({ value }) => Number.isFinite(value)),
          'none of ours is a number',
        );
    });
});

/**
 * A time in seconds at which both servers had been scraped, and each of their series several times: rates need two scrapes. Expressions
 * are evaluated at it, so that neither a late scrape nor the time that the others take changes what they give.
 */
async function momentOfScrapes(): Promise<number> {
  let at = 0;
  await until(async () => {
    at = Date.now() / 1000;
    const up = await prometheus.query('up == 1', at);
    const refused = await prometheus.query('count(coredns_dns_responses_total{rcode="SERVFAIL"}) by (job)', at);
    const sampled = await prometheus.query('count(coredns_dns_request_duration_seconds_count) by (job)', at);
    const scraped = await prometheus.query('sum_over_time(up[8s]) >= 4', at);
    const all = 'count({__name__=~"(coredns|healthdns|process)_.+"}) by (job)';
    const [before, now] = [await prometheus.query(all, at - 8), await prometheus.query(all, at)];
    const isComplete = now.length === 2 && isDeepStrictEqual(now, before);
    return [up.length, refused.length, sampled.length, scraped.length, isComplete];
  }, [2, 2, 2, 2, true]);
  return at;
}

test('every panel of our dashboard has series', options, async (t) => {
  const at = await momentOfScrapes();
  for (const { title, panels } of ROWS)
    for (const { title: panel, targets, isOptional } of panels)
      await t.test(`${title}: ${panel}`, async () => {
        const queries = targets.map(([expr]) =>
          expr.replaceAll('$job', 'healthdns').replaceAll('$instance', '.+').replaceAll('$__rate_interval', '1m'),
        );
        const found = await Promise.all(queries.map((query) => prometheus.query(query, at)));
        assert.ok(isOptional || found.some((series) => series.length > 0), queries.join('\n'));
      });
});

test('every alert can be evaluated, and no outage alert fires for a server that answers', options, async () => {
  for (const { name, expr } of ALERTS) {
    const firing = await prometheus.query(expr);
    if (name === 'HealthdnsDown' || name === 'HealthdnsSourceNotSynced') assert.deepEqual(firing, [], name);
  }
});

test('both servers count the same questions alike', options, async () => {
  const counts = async (job: keyof typeof metrics) => {
    const text = await (await fetch(`http://127.0.0.1:${metrics[job]}/metrics`)).text();
    const sums = new Map<string, number>();
    for (const [, name, labels, value] of text.matchAll(COUNTED)) {
      // Of CoreDNS's upstream here: what none of its zones is for.
      if (labels!.includes('zone="dropped"')) continue;
      const of = ['proto', 'family', 'type', 'rcode'].map(
        (label) => new RegExp(`\\b${label}="([^"]*)"`).exec(labels!)?.[1],
      );
      // We ask on, and end with SERVFAIL, where an upstream server refuses.
      const key = [name, ...of.filter((label) => label !== undefined)].join(' ').replace('REFUSED', 'SERVFAIL');
      sums.set(key, (sums.get(key) ?? 0) + Number(value));
    }
    return sums;
  };
  const before = { coredns: await counts('coredns'), healthdns: await counts('healthdns') };
  await ask();
  const counted = async (job: keyof typeof metrics) =>
    Object.fromEntries(
      [...(await counts(job))]
        .map(([key, value]) => [key, value - (before[job].get(key) ?? 0)] as const)
        .filter(([, value]) => value > 0)
        .sort(),
    );
  const theirs = await counted('coredns');
  assert.ok(Object.keys(theirs).length > 0);
  await until(() => counted('healthdns'), theirs); // our text is kept for a second
});

/** Those of which one query counts one. */
const COUNTED = /^(coredns_dns_(?:requests_total|do_requests_total|responses_total))\{(.*)\} (\S+)$/gm;

test('families have the labels and the buckets of CoreDNS', options, async () => {
  const series = async (job: string) => {
    const families = new Map<string, { labels: Set<string>; bounds: Set<string> }>();
    for (const { metric } of await prometheus.query(`{__name__=~"coredns_.+", job="${job}"}`)) {
      const { __name__, job: _job, instance: _instance, le, ...labels } = metric;
      const name = __name__!.replace(/_(bucket|sum|count)$/, '');
      const family = families.get(name) ?? { labels: new Set(), bounds: new Set() };
      for (const [label, value] of Object.entries(labels)) if (value !== '') family.labels.add(label);
      if (le !== undefined) family.bounds.add(le);
      families.set(name, family);
    }
    return families;
  };
  const [theirs, ours] = [await series('coredns'), await series('healthdns')];
  assert.ok(theirs.size > 15, `CoreDNS has ${[...theirs.keys()]}`);
  const missing = [...theirs.keys()].filter((name) => !ours.has(name) && !NOT_OURS.test(name));
  assert.deepEqual(missing, [], 'families of CoreDNS that healthdns does not have');
  for (const [name, { labels, bounds }] of theirs) {
    const own = ours.get(name);
    if (own === undefined) continue;
    assert.deepEqual([...own.bounds].sort(), [...bounds].sort(), name);
    assert.deepEqual([...own.labels].sort(), [...labels].sort(), name);
  }
});

/** Of Go's client of API servers, and of a plugin that has no counterpart. */
const NOT_OURS = /^coredns_(kubernetes_rest_client|local_localhost|reload_version_info)/;

for (const mode of ['healthdns', 'coredns'] as const)
  test(`promtool reports no problem in the metrics of mode ${mode}`, options, async () => {
    const text = await (await fetch(`http://127.0.0.1:${metrics.healthdns}/metrics`)).text();
    const input = mode === 'coredns' ? text : withoutCoredns(text);
    const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input, encoding: 'utf8' });
    assert.deepEqual([status, stdout, stderr], [0, '', '']);
  });

/** What `metrics: healthdns` shows: the same without these families. */
function withoutCoredns(text: string): string {
  const lines = text.split('\n').filter((line) => !/^(# (HELP|TYPE) )?coredns_/.test(line));
  assert.ok(lines.length > Object.keys(METRICS).length);
  return lines.join('\n');
}
