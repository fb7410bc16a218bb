// Single directives whose zones.yaml answers as CoreDNS does.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parse } from 'yaml';
import { migrateCorefile } from '../../src/migrate/translate.ts';

const nothing = { filesOf: () => [], environment: () => undefined };

function zonesYaml(corefile: string) {
  return parse(migrateCorefile(corefile, 'Corefile', nothing).zonesYaml!);
}

test('a prefix of rewrite is whole labels, as CoreDNS completes it to an absolute name', () => {
  const { rewrite } = zonesYaml(
    '. {\n rewrite name prefix pre- foo\n rewrite name prefix a. b.\n rewrite ttl prefix c 5\n}\n',
  );
  assert.deepEqual(rewrite, [
    { kind: 'prefix', from: 'pre-.', to: 'foo.' },
    { kind: 'prefix', from: 'a.', to: 'b.' },
    { kind: 'prefix', from: 'c.', minTtlSeconds: 5, maxTtlSeconds: 5 },
  ]);
});

test('a view has the name that it has in the Corefile', () => {
  const view = ". {\n view lan {\n expr incidr(client_ip(), '192.0.2.0/24')\n }\n forward . 192.0.2.1\n}\n";
  const { views } = zonesYaml(`${view}. {\n forward . 192.0.2.2\n}\n`);
  assert.deepEqual(
    views.map(({ name, clients }: { name: string; clients: string[] }) => [name, clients]),
    [['lan', ['192.0.2.0/24']]],
  );
});

test('log has its names, classes and format; further lines of a block are joined', () => {
  const logOf = (lines: string) => zonesYaml(`. {\n${lines}\n}\n`).queryLog;
  assert.equal(logOf('log'), true);
  assert.equal(logOf('log . {\n class all\n}'), true);
  assert.deepEqual(logOf('log a.test b.test. "{remote} {name}" {\n class denial error\n}'), {
    names: ['a.test', 'b.test'],
    classes: ['denial', 'error'],
    format: '{remote} {name}',
  });
  assert.deepEqual(logOf('log a.test {\n class error\n}\nlog b.test {\n class denial\n}'), {
    names: ['a.test', 'b.test'],
    classes: ['error', 'denial'],
  });
  assert.deepEqual(logOf('log a.test {\n class error\n}\nlog . {combined}'), { format: '{combined}' });
});

test('a substring of rewrite names is replaced as text', () => {
  const { rewrite } = zonesYaml('. {\n rewrite name substring a. $1.\n rewrite ttl substring b 5\n}\n');
  assert.deepEqual(rewrite, [
    { kind: 'substring', from: 'a.', to: '$1.' },
    { kind: 'substring', from: 'b', minTtlSeconds: 5, maxTtlSeconds: 5 },
  ]);
});

test('file is the zone file of its zones, in the folder that root names', () => {
  const { zones } = zonesYaml(
    'one.test two.test {\n file db.one\n root /etc/zones\n}\nthree.test {\n file db.three 192.0.2.0/24 three.test\n kubernetes three.test\n}\n',
  );
  assert.deepEqual(
    zones.map(({ name, file }: { name: string; file: string }) => [name, file]),
    [
      ['one.test', '/etc/zones/db.one'],
      ['two.test', '/etc/zones/db.one'],
      ['2.0.192.in-addr.arpa', 'db.three'],
      ['three.test', 'db.three'],
    ],
  );
  assert.deepEqual(zones[3].kubernetes, {});
});

test('the probes of the manifests find /health and /ready also where the Corefile has no plugin for them', () => {
  assert.equal(zonesYaml('. {\n kubernetes cluster.local\n}\n').http, '0.0.0.0:8053');
  assert.deepEqual(zonesYaml('. {\n kubernetes cluster.local\n ready\n}\n').http, ['0.0.0.0:8053', '0.0.0.0:8181']);
  assert.equal(zonesYaml('. {\n forward . 192.0.2.1\n}\n').http, undefined);
});
