import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { loadConfig } from '../../src/config/loading/load.ts';
import { loadConfigAside } from '../../src/config/loading/load-aside.ts';
import { temporaryFolder } from '../support/command.ts';

const threadUrl = new URL('../../src/config/loading/load-thread.js', import.meta.url);
const records = Array.from(
  { length: 3000 },
  (_, i) => `      - { name: r${i}, type: A, value: 10.0.${i >> 8}.${i & 255} }`,
);
const large = `${['forward: 192.0.2.1', 'acl: [{ action: block, net: 10.0.0.0/8 }]', 'zones:', '  - name: a.local', '    records:', ...records].join('\n')}\n`;

test('a large configuration is loaded in another thread, with the same result, without blocking this one', async (t) => {
  const file = join(await temporaryFolder(t), 'zones.yaml');
  await writeFile(file, large);
  let turns = 0;
  const ticking = setInterval(() => turns++, 5);
  const aside = await loadConfigAside(file, [file], threadUrl);
  clearInterval(ticking);
  assert.ok(turns > 3, `${turns} turns`);
  assert.deepEqual(aside, await loadConfig(file));
  await writeFile(file, `${large}nonsense: 1\n`);
  const refused = await loadConfigAside(file, [file], threadUrl);
  assert.equal(refused.ok, false);
  assert.deepEqual(refused, await loadConfig(file));
});

test('a missing file is reported with its location', async () => {
  const result = await loadConfigAside('/nowhere/zones.yaml', ['/nowhere/zones.yaml'], threadUrl);
  assert.ok(!result.ok && /no such file/.test(result.problems[0].message));
});
