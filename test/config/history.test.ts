import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CloudMapConfig, ZoneConfig } from '../../src/config/config.ts';
import { buildHistory } from '../../src/config/sections/history.ts';

const limits = { perService: 50, inAll: 10_000 };
const zone = (snapshot?: string) =>
  ({ kubernetes: [{ snapshot: snapshot && { file: snapshot, maxAgeSeconds: 60 } }] }) as unknown as ZoneConfig;
const store = (value: object) => ({ store: value }) as unknown as CloudMapConfig;

test('the history is kept beside the first snapshot, or beside the Cloud Map store, unless a file is named', () => {
  const file = (...given: Parameters<typeof buildHistory>) => buildHistory(...given).file;
  assert.equal(file(limits, '/etc/dns', [], undefined), undefined);
  assert.equal(file(limits, '/etc/dns', [zone(), zone('/var/a.snapshot')], undefined), '/var/history.jsonl');
  const folder = store({ kind: 'folder', path: '/var/cloudmap' });
  assert.equal(file(limits, '/etc/dns', [], folder), '/var/cloudmap-history.jsonl');
  const cluster = store({ kind: 'kubernetes', snapshot: { file: '/var/b.snapshot' } });
  assert.equal(file(limits, '/etc/dns', [zone()], cluster), '/var/history.jsonl');
  assert.equal(file(limits, '/etc/dns', [], store({ kind: 'memory' })), undefined);
  assert.equal(file({ ...limits, file: 'h.jsonl' }, '/etc/dns', [zone('/var/a')], undefined), '/etc/dns/h.jsonl');
});
