// What a person may type instead of a whole name, and what is explained then.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { NameError } from '../../src/dns/name.ts';
import { HealthSync } from '../../src/health/sync.ts';
import { explainChain } from '../../src/http/explain.ts';
import { type AskedContext, explainAsked } from '../../src/http/explain-asked.ts';
import { explanationText } from '../../src/http/explanation-text.ts';
import { forwardingSummary } from '../../src/http/forwarding.ts';
import { createStatusBoard } from '../../src/sources/status.ts';
import { fact } from '../support/model.ts';
import { clusterZone, instance, kubernetesService, POLICY, setUpZones } from '../support/zone-setup.ts';

let context: AskedContext;

before(async () => {
  const { state, registry, zones, plane, clock } = setUpZones([clusterZone('cluster.local.', {})]);
  const health = new HealthSync({ registry, slots: plane.slots, clock, schedule() {} });
  const pod = (id: string, address: string, status: 'HEALTHY' | 'UNHEALTHY' = 'HEALTHY') =>
    instance(id, [address], { subjects: [`pod/test/shop/${id}`], facts: [fact(status, 'pod')] });
  const namespace = { kind: 'namespace' as const, names: ['{namespace}.svc'], policy: POLICY };
  state(kubernetesService('shop/', namespace), []);
  state(kubernetesService('shop/web'), [pod('web-0', '10.0.0.1'), pod('web-1', '10.0.0.2', 'UNHEALTHY')]);
  state(kubernetesService('shop/cart', { kind: 'clusterIp', clusterIps: ['10.96.0.9'] }), []);
  state(kubernetesService('prod/billing'), [instance('b-0', ['10.0.1.1'])]);
  zones.setState('cluster.local.', { ready: true, stale: false });
  health.flush();
  await zones.flush();
  const board = createStatusBoard(clock);
  context = {
    explain: (name) => explainChain(name, (one) => zones.explain(one), registry, board),
    registry,
    zones: () => [{ name: 'cluster.local.', isCluster: true }],
    replica: 'healthdns-7d9f-abc',
  };
});

const text = async (asked: string, from?: string) => explanationText(await explainAsked(asked, from, context));

test('a short name is completed to the service', async () => {
  for (const short of ['web.shop', 'web.shop.svc']) {
    const found = await explainAsked(short, undefined, context);
    assert.deepEqual([found.name, found.askedFor], ['web.shop.svc.cluster.local.', short]);
  }
  assert.match(await text('web.shop'), /^web\.shop is short for\nweb\.shop\.svc\.cluster\.local\.\n/);
});

test('a final dot means that the name is complete', async () => {
  assert.equal((await explainAsked('web.shop.', undefined, context)).name, 'web.shop.');
});

/** What was typed, and what is suggested first. */
const TYPOS: readonly (readonly [string, string])[] = [
  ['wbe.shop.svc.cluster.local', 'web.shop.svc.cluster.local'],
  ['web.shpo.svc.cluster.local', 'web.shop.svc.cluster.local'],
  ['web.shop.svc.cluster.lcoal', 'web.shop.svc.cluster.local'],
  ['web.shop.svc.clustr.local.', 'web.shop.svc.cluster.local'],
  ['web.shp', 'web.shop.svc.cluster.local'],
  ['billing.shop.svc.cluster.local', 'billing.prod.svc.cluster.local'],
];
for (const [typed, meant] of TYPOS) {
  test(`${typed}: did you mean ${meant}?`, async () => {
    assert.equal((await explainAsked(typed, undefined, context)).suggestions?.[0], meant);
    assert.ok((await text(typed)).includes(`did you mean ${meant}?`));
  });
}

test('explain of a name that resembles no other has no suggestion, whatever characters it has', async () => {
  for (const typed of ['qqqqqqqq.zzzzzz.example.com', `${'a'.repeat(60)}.${'b'.repeat(60)}`, '<script>.shop', '*.*'])
    assert.equal((await explainAsked(typed, undefined, context)).suggestions, undefined, typed);
});

test('explain of an address explains the instances that have it', async () => {
  assert.match(await text('10.0.0.2'), /OUT instance web-1 of web\.shop\.svc\.cluster\.local\.: pod says UNHEALTHY/);
  assert.match(await text('10.96.0.9'), /cluster IP of cart\.shop\.svc\.cluster\.local\./);
  assert.match(await text('192.0.2.77'), /no service, instance or pod has 192\.0\.2\.77/);
  assert.match(await text('10.0.0.2'), /^2\.0\.0\.10\.in-addr\.arpa\./);
  assert.match(await text('2001:db8::1'), /ip6\.arpa\./);
});

test('explain from a pod tries the names of its search path in order until one exists', async () => {
  const { search, name } = await explainAsked('web', '10.0.0.1', context);
  assert.equal(name, 'web.shop.svc.cluster.local.');
  assert.deepEqual(search?.steps, [{ name, outcome: 'answered' }]);
  const other = await explainAsked('billing.prod', '10.0.0.1', context);
  assert.deepEqual(other.search?.steps, [
    { name: 'billing.prod.shop.svc.cluster.local.', outcome: 'NXDOMAIN' },
    { name: 'billing.prod.svc.cluster.local.', outcome: 'answered' },
  ]);
  const outside = await explainAsked('www.example.com', '10.0.0.1', context);
  assert.deepEqual(outside.search?.steps.at(-1), { name: 'www.example.com.', outcome: 'forwarded' });
  assert.equal(outside.search?.steps.length, 4);
  const absolute = await explainAsked('billing.', '10.0.0.1', context);
  assert.equal(absolute.search?.steps.length, 1);
});

test('explain from an address that no pod has reports that', async () => {
  assert.match(await text('web.shop', '192.0.2.1'), /^From 192\.0\.2\.1: no pod with the address/);
  await assert.rejects(() => explainAsked('web.shop', 'nonsense', context), NameError);
});

test('instances in trouble are listed first, a cluster IP is called that, and the replica is named', async () => {
  const shown = await text('web.shop');
  assert.ok(shown.indexOf('OUT web-1') < shown.indexOf('in  web-0'));
  assert.match(await text('cart.shop'), /answers its cluster IP 10\.96\.0\.9, regardless of health/);
  assert.match(shown, /\nanswered by healthdns-7d9f-abc$/);
});

test('explain shows rules and upstream servers of a forwarded name, and only the rules of an own name', async () => {
  const asked: unknown[] = [];
  const forwarding: AskedContext['forwarding'] = async (name, from, isForwarded) => {
    asked.push([name, from, isForwarded]);
    return {
      rules: ['acl rule 2: block'],
      ...(isForwarded && { route: '.' }),
      upstreams: isForwarded
        ? [
            {
              ...{ upstream: '192.0.2.53:53', up: false, loops: false, requests: 9, failures: 7 },
              ...{ lastError: 'no reply in time', lastErrorAt: '2026-11-28T02:47:10.000Z' },
            },
          ]
        : [],
      cached: isForwarded ? [{ type: 'A', rcode: 'SERVFAIL', ttlSeconds: 3, why: 'upstream timed out' }] : [],
    };
  };
  const shown = explanationText(await explainAsked('www.example.com.', '10.0.0.1', { ...context, forwarding }));
  assert.match(shown, /rule: acl rule 2: block\n {2}forwarded by the route for \.\n/);
  assert.match(
    shown,
    /DOWN 192\.0\.2\.53:53: 7 of 9 queries failed; last error at 2026-11-28T02:47:10.000Z: no reply in time/,
  );
  assert.match(shown, /cached: A SERVFAIL, for another 3 s: upstream timed out/);
  assert.match(shown, /\n {2}REFUSED by acl rule 2\.\n/);
  await explainAsked('web.shop', undefined, { ...context, forwarding });
  assert.deepEqual(asked, [
    ['www.example.com.', '10.0.0.1', true],
    ['web.shop.svc.cluster.local.', undefined, false],
  ]);
});

test('the summary of an external name states how its query is answered', () => {
  const servers = (up: boolean) => [{ upstream: '192.0.2.53:53', up, loops: false, requests: 1, failures: 0 }];
  const nothing = { rules: [], upstreams: [], cached: [] };
  for (const [explanation, summary] of [
    [{ ...nothing, rules: ['acl rule 1: drop'], route: '.' }, 'No answer by acl rule 1.'],
    [{ ...nothing, rules: ['acl rule 3: filter'] }, 'An empty answer by acl rule 3.'],
    [{ ...nothing, rules: ['acl rule 2: allow', 'answered from hosts'], route: '.' }, 'Answered from hosts.'],
    [{ ...nothing, route: '.', upstreams: servers(true) }, 'Forwarded by the default route.'],
    [
      { ...nothing, route: 'corp.', upstreams: servers(false) },
      'Forwarded by the route for corp, whose servers are all down.',
    ],
    [nothing, 'REFUSED: not in a zone of this server, and no route of `forward` matches it.'],
  ] as const)
    assert.equal(forwardingSummary(explanation), summary);
});
