import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { openState } from '../../src/cloudmap/cloud-map-state.ts';
import { openLevelStore } from '../../src/cloudmap/level-store.ts';

const writer = fileURLToPath(new URL('../support/level-writer.js', import.meta.url));
const KILLS = 200;
const ACKNOWLEDGED_AT_LEAST = 20_000;

/** Runs the writer until it has acknowledged `count` writes, kills it with SIGKILL, and returns all it acknowledged. */
function writeAndKill(folder: string, first: number, count: number): Promise<string[]> {
  const child = spawn(process.execPath, [writer, folder, String(first)], { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  let lines = 0;
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    output += chunk;
    for (const character of chunk) if (character === '\n') lines++;
    if (lines >= count) child.kill('SIGKILL');
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (_, signal) => {
      if (signal !== 'SIGKILL') reject(new Error(`the writer ended by itself, by ${signal}`));
      // The last line may have been cut by the kill: it was not acknowledged whole.
      else resolve(output.slice(0, output.lastIndexOf('\n')).split('\n'));
    });
  });
}

test(`${KILLS} kills at random times lose none of at least ${ACKNOWLEDGED_AT_LEAST} acknowledged writes`, {
  timeout: 600_000,
}, async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'healthdns-crash-'));
  const acknowledged = new Set<string>();
  try {
    for (let kill = 0; kill < KILLS; kill++) {
      const count = 100 + ((kill * 37) % 50);
      for (const id of await writeAndKill(folder, kill * 100_000, count)) acknowledged.add(id);
    }
    const store = await openLevelStore(folder);
    const state = await openState(store, () => {});
    const kept = state.instancesOf('srv-1');
    const lost = [...acknowledged].filter((id) => !kept.has(id));
    await store.close();
    t.diagnostic(`${acknowledged.size} acknowledged, ${kept.size} kept, ${lost.length} lost`);
    assert.ok(acknowledged.size >= ACKNOWLEDGED_AT_LEAST);
    assert.deepEqual(lost, []);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('a failing store changes nothing and reports an error to the client', async () => {
  let broken = false;
  const errors: unknown[] = [];
  const store = {
    load: async () => [],
    write: async () => {
      if (broken) throw new Error('disk full');
    },
    close: async () => {},
  };
  const state = await openState(store, (error) => errors.push(error));
  const namespace = (id: string) => ({ id, name: id, type: 'HTTP' as const, createMs: 0, tags: {} });
  const put = (id: string) =>
    state.mutate(() => ({ changes: [{ collection: 'namespace', key: id, value: namespace(id) }], result: id }));
  const heard: string[] = [];
  state.onChange((changes) => heard.push(...changes.map(({ key }) => key)));

  await put('one');
  broken = true;
  await assert.rejects(Promise.all([put('two'), put('three')]), { code: 'ServiceUnavailable', message: /disk full/ });
  assert.deepEqual([...state.namespaces.keys()], ['one']);
  assert.deepEqual(heard, ['one']);
  assert.equal(errors.length, 1);
  broken = false;
  assert.equal(await put('two'), 'two');
});

test('a plan that throws fails alone', async () => {
  const state = await openState({ load: async () => [], write: async () => {}, close: async () => {} }, () => {});
  const value = { id: 'a', name: 'a', type: 'HTTP' as const, createMs: 0, tags: {} };
  const failing = state.mutate(() => {
    throw new Error('refused');
  });
  const passing = state.mutate(() => ({ changes: [{ collection: 'namespace', key: 'a', value }], result: 'kept' }));
  await assert.rejects(failing, /refused/);
  assert.equal(await passing, 'kept');
  assert.ok(state.namespaces.has('a'));
});

test('a store whose folder cannot be created fails at once; missing parents are created', async () => {
  await assert.rejects(openLevelStore('/proc/nowhere/store'), { code: 'ENOENT' });
  const folder = await mkdtemp(join(tmpdir(), 'healthdns-store-'));
  try {
    await (await openLevelStore(join(folder, 'a/b/store'))).close();
  } finally {
    await rm(folder, { recursive: true });
  }
});
