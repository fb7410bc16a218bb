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
