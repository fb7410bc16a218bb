import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseConfig } from '../../src/config/loading/load.ts';
import { changedFixedSettings } from '../../src/wiring/fixed-settings.ts';

async function configOf(text: string) {
  const result = await parseConfig(`zones: [{ name: a.local }]\n${text}`, '/etc/healthdns/zones.yaml');
  assert.ok(result.ok, JSON.stringify(result));
  return result.config;
}

const FORWARD = 'forward: 192.0.2.1\n';

/** What is changed in a file that forwards, and what is said of it. */
const CHANGES: Record<string, readonly string[]> = {
  'logLevel: debug': [],
  'server: { lameduckSeconds: 7 }': [],
  'server: { idServer: me }': ['server'],
  'threads: 3': ['threads'],
  'listen: 127.0.0.1:5300': ['listen'],
  'limits: { forwardedQueries: 9 }': ['limits'],
  'cache: { maxTtlSeconds: 9 }': ['cache'],
  'hosts: { entries: [{ address: 10.0.0.1, names: a.test }] }': ['hosts'],
  'templates: [{ zone: t.test, type: A, values: [10.0.0.1] }]': ['templates'],
  'dns64: true': ['dns64'],
  'rebindingFilter: true': ['rebindingFilter'],
  'loopDetection: false': ['loopDetection'],
  'loadbalance: false': ['loadbalance'],
  'acl: [{ action: block }]\nrewrite: [{ from: a.test, to: b.test }]': ['acl', 'rewrite'],
  'autopath: { zone: a.local }': ['autopath'],
  'queryLog: true': ['queryLog'],
};

for (const [text, keys] of Object.entries(CHANGES)) {
  test(`changing ${JSON.stringify(text)} requires a restart for: ${keys.join(', ') || 'nothing'}`, async () => {
    assert.deepEqual(changedFixedSettings(await configOf(FORWARD), await configOf(FORWARD + text)), keys);
  });
}

test('forwarding that is added or removed is reported as `forward` alone', async () => {
  assert.deepEqual(changedFixedSettings(await configOf(''), await configOf(FORWARD)), ['forward']);
});
