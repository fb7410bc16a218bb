import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { PLUGINS } from '../../src/migrate/plugins.ts';
import { repository } from '../support/command.ts';
import { withPluginTables } from '../support/plugin-tables.ts';

test('the tables of docs/migrating-from-coredns.md are those of the plugins (node scripts/schema.mjs writes them)', () => {
  const page = readFileSync(join(repository, 'docs/migrating-from-coredns.md'), 'utf8');
  assert.equal(page, withPluginTables(page));
  for (const { name } of PLUGINS.values()) assert.ok(page.includes(`\`${name}`), name);
});
