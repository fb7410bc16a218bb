import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { hintsFor } from '../../src/cli/query-hint.ts';
import { healthdns, serving, temporaryFolder } from '../support/command.ts';
import { freePort } from '../support/free-ports.ts';

test('query suggests names for one that does not exist, from the server that HEALTHDNS_HTTP names', async (t) => {
  const folder = await temporaryFolder(t);
  const [dns, http] = [await freePort(), await freePort()];
  const services = [{ name: 'billing', instances: [{ id: 'b-1', ipv4: '192.0.2.1' }] }];
  const config = {
    listen: [`127.0.0.1:${dns}`],
    http: `127.0.0.1:${http}`,
    zones: [{ name: 'shop.test', services }],
  };
  await writeFile(join(folder, 'zones.yaml'), JSON.stringify(config));
  const server = serving([join(folder, 'zones.yaml')]);
  t.after(() => server.stop());
  await server.shows(/serves/);
  const env = { HEALTHDNS_HTTP: `http://127.0.0.1:${http}` };
  process.env.HEALTHDNS_HTTP = env.HEALTHDNS_HTTP;
  t.after(() => {
    delete process.env.HEALTHDNS_HTTP;
  });
  const typo = await healthdns('query', 'biling.shop.test', `@127.0.0.1:${dns}`, '--short');
  assert.deepEqual([typo.code, typo.stderr.trim()], [3, 'did you mean billing.shop.test?']);
  const right = await healthdns('query', 'billing.shop.test', `@127.0.0.1:${dns}`, '--short');
  assert.deepEqual([right.code, right.stdout.trim(), right.stderr], [0, '192.0.2.1', '']);
  assert.deepEqual(await hintsFor('192.0.2.1', '127.0.0.1', env), []);
  const explained = await healthdns('explain', 'billing');
  assert.match(explained.stdout, /^billing is short for\nbilling\.shop\.test\./);
});

test('without a server to ask there are no suggestions, and no error', async () => {
  const env = { HEALTHDNS_HTTP: `http://127.0.0.1:${await freePort()}` };
  assert.deepEqual(await hintsFor('biling.shop.test', '127.0.0.1', env), []);
  assert.deepEqual(await hintsFor('biling.shop.test', '192.0.2.53', {}), []);
});
