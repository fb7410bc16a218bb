import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseConfig } from '../../src/config/loading/load.ts';
import { compilePattern, patternProblem } from '../../src/dns/pattern.ts';
import { CACHE_DEFAULTS, FORWARD_DEFAULTS, ROUTE_DEFAULTS } from '../../src/plane/forward-settings.ts';
import { temporaryFolder } from '../support/command.ts';
import { requirement } from '../support/requirement.ts';

const ZONES = 'zones: [{ name: production.local }]\n';

async function load(text: string) {
  const result = await parseConfig(ZONES + text, '/etc/healthdns/zones.yaml');
  assert.ok(result.ok, JSON.stringify(result));
  return result.config.forward;
}

async function problems(text: string): Promise<string[]> {
  const result = await parseConfig(ZONES + text, '/etc/healthdns/zones.yaml');
  return result.ok ? [] : result.problems.map(({ line, message }) => `${line} ${message}`);
}

test('a single forward target applies to every name, with the defaults', async () => {
  const upstreams = [{ address: '1.1.1.1', port: 53, tls: undefined }];
  assert.deepEqual(await load('forward: 1.1.1.1'), {
    ...FORWARD_DEFAULTS,
    cache: CACHE_DEFAULTS,
    routes: [{ ...ROUTE_DEFAULTS, zone: '.', upstreams }],
  });
});

test('a forward entry in a list has the same defaults', async () => {
  const settings = await load('forward: [{ to: 1.1.1.1 }]');
  assert.deepEqual(settings, await load('forward: 1.1.1.1'));
});

test('forward targets are addresses, with ports, over TLS, or files', async () => {
  const settings = await load(
    'forward: [{ to: [10.0.0.1, "10.0.0.2:5353", "[2001:DB8::1]:5353", "2001:db8::2", "tls://9.9.9.9", "tls://9.9.9.9:8853", ./resolv.conf], tls: { serverName: dns.quad9.net } }]',
  );
  const route = settings?.routes[0];
  assert.deepEqual(
    route?.upstreams.map(({ address, port, tls }) => [address, port, tls?.serverName]),
    [
      ['10.0.0.1', 53, undefined],
      ['10.0.0.2', 5353, undefined],
      ['2001:db8::1', 5353, undefined],
      ['2001:db8::2', 53, undefined],
      ['9.9.9.9', 853, 'dns.quad9.net'],
      ['9.9.9.9', 8853, 'dns.quad9.net'],
    ],
  );
  assert.deepEqual(route?.resolvConf, ['/etc/healthdns/resolv.conf']);
});

test('invalid targets, duplicate zones and inverted TTL bounds are rejected', async () => {
  const found = await problems(
    'forward: [{ to: [dns.google, "1.1.1.1:99999"] }]\ncache: { minTtlSeconds: 60, maxTtlSeconds: 30 }',
  );
  assert.equal(found.length, 3);
  assert.match(found[0], /^2 `to\[0\]`: expected ADDRESS, .* got "dns.google"/);
  assert.match(found[2], /^3 .*minTtlSeconds/);
  assert.match(
    (await problems('forward: [{ zone: a.test, to: 1.1.1.1 }, { zone: A.Test., to: 1.1.1.2 }]'))[0],
    /duplicate/,
  );
});

test('any path is a file relative to the configuration; URLs and addresses with a slash are not paths', async () => {
  const settings = await load('forward: [{ to: [rc/resolv.conf, ../resolv.conf, /etc/resolv.conf] }]');
  assert.deepEqual(settings?.routes[0].resolvConf, [
    '/etc/healthdns/rc/resolv.conf',
    '/etc/resolv.conf',
    '/etc/resolv.conf',
  ]);
  for (const bad of ['https://dns.google/dns-query', '10.0.0.0/8', '1.1.1.1/53', '"[::1]/53"', 'resolv.conf'])
    assert.match((await problems(`forward: [{ to: ${bad} }]`))[0], /expected ADDRESS/, bad);
});

test('hosts, templates, dns64 and the rebinding filter reach the settings', async () => {
  const settings = await load(`
hosts: { entries: [{ address: 10.0.0.1, names: Printer.Office }] }
templates: [{ zone: ip.test, type: A, match: 'ip-(\\d+)-(\\d+)-(\\d+)-(\\d+)\\.ip\\.test\\.', values: ["$1.$2.$3.$4"] }]
dns64: true
rebindingFilter: { allow: [plex.direct] }
cache: { serveStale: true, prefetch: { hits: 9 } }`);
  assert.deepEqual(settings?.hosts?.entries, [{ address: '10.0.0.1', names: ['printer.office.'] }]);
  assert.equal(settings?.templates[0].type, 1);
  assert.deepEqual(settings?.dns64, { prefix: '64:ff9b::', prefixBits: 96, translateAll: false });
  assert.deepEqual(settings?.rebinding, { allow: ['plex.direct.'] });
  assert.equal(settings?.cache.serveStale?.ttlSeconds, 30);
  assert.deepEqual(settings?.cache.prefetch, { hits: 9, windowSeconds: 60, percent: 10 });
});

test('patterns use the syntax of RE2; back references and lookaround are rejected', () => {
  for (const bad of ['(a)\\1', '(?=a)', '(?<!a)b', '(', 'a{2000}', '*'])
    assert.match(patternProblem(bad) ?? '', /./, bad);
  for (const good of [
    '(.*)\\.example\\.',
    'ip-(\\d+)-(\\d+)\\.',
    '(?P<host>[a-z]+)\\.test\\.',
    '^(?:[^.]+\\.){4,}test\\.$',
    '(a+)+',
  ])
    assert.equal(patternProblem(good), undefined, good);
});

test('a pattern that blocks a backtracking engine forever is matched in time linear in the name', () => {
  const name = `${'a'.repeat(63)}.${'a'.repeat(63)}.${'a'.repeat(63)}.`;
  assert.equal(compilePattern('(([a.]+)+)+b').exec(name), null);
  assert.deepEqual(compilePattern('((a+)+)\\.(.*)').exec('aa.b.'), ['aa.b.', 'aa', 'aa', 'b.']);
});

test('access lists, rewrites, autopath and the query log reach the settings', async () => {
  const result = await parseConfig(
    `${ZONES}
acl:
  - { action: allow, clients: [10.0.0.0/8, "fd00::/8"] }
  - { action: block, zones: [Secret.Test], types: [A] }
rewrite:
  - { from: Old.Test, to: new.test }
  - { kind: regex, from: '(.*)\\.dc\\.', to: '$1.cluster.local.' }
autopath: { zone: production.local }
queryLog: { every: 100, rcodes: [SERVFAIL] }`,
    '/etc/healthdns/zones.yaml',
  );
  assert.ok(result.ok, JSON.stringify(result));
  assert.deepEqual(result.config.front, {
    acl: [
      { action: 'allow', zones: [], types: [], networks: ['10.0.0.0/8', 'fd00::/8'] },
      { action: 'block', zones: ['secret.test.'], types: [1], networks: [] },
    ],
    rewrites: [
      { kind: 'exact', from: 'old.test.', to: 'new.test.' },
      { kind: 'regex', from: '(.*)\\.dc\\.', to: '$1.cluster.local.' },
    ],
    autopath: { zone: 'production.local.', search: [] },
    dns64: undefined,
    queryLog: { every: 100, rcodes: [2], format: undefined, classes: [], names: [], networks: [] },
  });
  assert.match(result.warnings[0].message, /`autopath` does nothing/);
});

test('a rewrite suffix may have a leading dot on both sides', async () => {
  const text = `rewrite: [{ kind: suffix, from: .Corp.Test, to: .example. }, { kind: suffix, from: .a, to: . }]`;
  const result = await parseConfig(`${ZONES}${text}`, '/etc/healthdns/zones.yaml');
  assert.ok(result.ok, JSON.stringify(result));
  assert.deepEqual(
    result.config.front?.rewrites.map(({ from, to }) => [from, to]),
    [
      ['.corp.test.', '.example.'],
      ['.a.', '.'],
    ],
  );
  assert.match((await problems('rewrite: [{ kind: suffix, from: .a, to: b }]'))[0], /both begin with a dot/);
  assert.match((await problems('rewrite: [{ kind: exact, from: .a, to: b }]'))[0], /empty label/);
  assert.match((await problems('rewrite: [{ kind: suffix, from: ..a, to: .b }]'))[0], /empty label/);
});

test('dns64 alone is applied before answers from own zones', async () => {
  const result = await parseConfig(`${ZONES}\ndns64: { prefix: "2001:db8::/32" }`, '/etc/healthdns/zones.yaml');
  assert.ok(result.ok, JSON.stringify(result));
  assert.deepEqual(result.config.front?.dns64, { prefix: '2001:db8::', prefixBits: 32, translateAll: false });
});

test('invalid networks, names and patterns are rejected at their location', async () => {
  const found = await problems(
    "acl: [{ action: block, clients: [10.0.0.0/33] }]\nrewrite: [{ kind: regex, from: '(a', to: b }, { from: a..b, to: c }]",
  );
  assert.equal(found.length, 3);
  assert.match(found[0], /^2 .*expected an address or network/);
  assert.match(found[1], /^3 .*missing closing \)/);
  assert.match(found[2], /^3 .*empty label/);
});

test(
  'certificates and keys of upstream servers are loaded, and problems are reported at their location',
  requirement('openssl'),
  async (t) => {
    const folder = await temporaryFolder(t);
    const make = (name: string) => {
      const to = ['-keyout', `${name}.key`, '-out', `${name}.pem`, '-subj', `/CN=${name}`];
      const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
      execFileSync('openssl', ['req', '-x509', '-days', '2', ...key, ...to], { cwd: folder, stdio: 'ignore' });
    };
    make('one');
    make('two');
    await writeFile(join(folder, 'empty.pem'), 'no certificate\n');
    await writeFile(join(folder, 'bad.pem'), '-----BEGIN CERTIFICATE-----\nbm90aGluZw==\n-----END CERTIFICATE-----\n');
    const said = async (tls: string) => {
      const text = `forward:\n  - to: tls://192.0.2.1\n    tls:\n${tls.replace(/^/gm, '      ')}\n`;
      const result = await parseConfig(text, join(folder, 'zones.yaml'));
      return result.ok ? [] : result.problems.map(({ line, column, message }) => `${line}:${column} ${message}`);
    };
    assert.deepEqual(await said('ca: two.pem\ncert: one.pem\nkey: one.key'), []);
    for (const [tls, place, what] of [
      ['cert: one.pem\nkey: two.key', '5:12', /`key` two\.key does not match `cert` one\.pem: .*mismatch/],
      ['ca: empty.pem', '4:11', /cannot use empty\.pem: it contains no certificate/],
      ['cert: bad.pem\nkey: one.key', '4:13', /cannot use bad\.pem: /],
      ['cert: one.pem\nkey: one.pem', '5:12', /cannot use one\.pem: /],
      ['ca: absent.pem', '4:11', /cannot read absent\.pem: /],
    ] as const) {
      const [problem, ...others] = await said(tls);
      assert.match(problem, what);
      assert.deepEqual([problem.split(' ')[0], others], [place, []]);
    }
  },
);

test('$5 without a fifth group in the pattern is an error', async () => {
  const template = (values: string, match = 'match: "a(b)(?:c)(?<d>e)", ') =>
    problems(`forward: 192.0.2.1\ntemplates: [{ zone: t.test, type: A, ${match}values: ["${values}"] }]`);
  assert.deepEqual(await template('10.0.$1.$2'), []);
  assert.deepEqual(await template('10.0.$1.$3'), ['3 "10.0.$1.$3": `match` has no group $3']);
  assert.deepEqual(await template('10.0.0.$1', ''), ['3 "10.0.0.$1": `match` has no group $1']);
  const rewrite = (to: string) => problems(`rewrite: [{ kind: regex, from: '(a)-(b)\\.test\\.', to: '${to}' }]`);
  assert.deepEqual(await rewrite('$2-$1.test'), []);
  assert.deepEqual(await rewrite('$5.test'), ['2 `to` "$5.test": `from` has no group $5']);
});
