import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseConfig } from '../../src/config/loading/load.ts';
import { changedFixedSettings } from '../../src/wiring/fixed-settings.ts';

async function configOf(text: string) {
  const result = await parseConfig(`zones: [{ name: a.local }]\n${text}`, '/etc/healthdns/zones.yaml');
  assert.ok(result.ok, JSON.stringify(result));
  return result.config;
}

/** What is changed in a file that forwards, and what is said of it. */
const CHANGES: Record<string, readonly string[]> = {
  'logLevel: debug': [],
  'threads: 3': [],
  'cloudMap: { namespaces: [a.test] }': ['cloudMap'],
};

for (const [text, keys] of Object.entries(CHANGES)) {
  test(`changing ${JSON.stringify(text)} requires a restart for: ${keys.join(', ') || 'nothing'}`, async () => {
    assert.deepEqual(changedFixedSettings(await configOf(''), await configOf(text)), keys);
  });
}
