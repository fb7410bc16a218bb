// A damaged store is evidence and perhaps the only copy: the start names what is wrong and what to do, and changes nothing.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, readdir, readFile, rm, unlink, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { openState } from '../../src/cloudmap/cloud-map-state.ts';
import { openLevelStore } from '../../src/cloudmap/level-store.ts';
import { temporary } from '../support/temporary.ts';

const writer = fileURLToPath(new URL('../support/level-writer.js', import.meta.url));

/** A store with a table file (from the restart), a log with 20 more writes, and no process that has it open. */
async function crashedStore(folder: string): Promise<string> {
  const live = join(folder, 'live');
  const crashed = join(folder, 'crashed');
  for (const round of [0, 1]) {
    const store = await openLevelStore(live);
    const state = await openState(store, () => {});
    for (let i = 0; i < 20; i++) {
      const value = { serviceId: 's', id: `i-${i}`, attributes: { round: String(round) }, registeredMs: i };
      const change = { collection: 'instance' as const, key: `s/i-${i}`, value };
      await state.mutate(() => ({ changes: [change], result: undefined }));
    }
    if (round === 1) await cp(live, crashed, { recursive: true });
    await store.close();
  }
  return crashed;
}

async function contentOf(folder: string): Promise<Record<string, string>> {
  const names = (await readdir(folder)).sort();
  return Object.fromEntries(
    await Promise.all(names.map(async (name) => [name, await readFile(join(folder, name), 'base64')])),
  );
}

async function fileOf(store: string, name: RegExp): Promise<string> {
  return join(store, (await readdir(store)).find((one) => name.test(one))!);
}

async function flip(file: string): Promise<void> {
  const bytes = await readFile(file);
  const middle = Math.floor(bytes.length / 2);
  bytes[middle]! ^= 0xff;
  await writeFile(file, bytes);
}

const RESTORE = /Restore the folder from a backup, or move it away to start with an empty store$/;
const ACCEPT = /Restore the folder from a backup, or delete .*crashed\/acknowledged to continue without the lost data$/;

const damages: Record<string, { damage: (store: string) => Promise<void>; what: RegExp; remedy: RegExp }> = {
  'CURRENT is missing': {
    damage: (store) => unlink(join(store, 'CURRENT')),
    what: /CURRENT is missing, but there is \d+\.ldb, \d+\.log, MANIFEST-\d+, acknowledged\./,
    remedy: RESTORE,
  },
  'only `acknowledged` is left': {
    damage: async (store) => {
      for (const name of await readdir(store)) if (name !== 'acknowledged') await unlink(join(store, name));
    },
    what: /CURRENT is missing, but there is acknowledged\./,
    remedy: RESTORE,
  },
  'CURRENT is empty': {
    damage: (store) => writeFile(join(store, 'CURRENT'), ''),
    what: /CURRENT does not name a manifest: ""/,
    remedy: RESTORE,
  },
  'CURRENT names another manifest': {
    damage: (store) => writeFile(join(store, 'CURRENT'), 'MANIFEST-000099\n'),
    what: /CURRENT names MANIFEST-000099, which is missing; there is MANIFEST-\d+\./,
    remedy: RESTORE,
  },
  'the manifest is missing': {
    damage: async (store) => unlink(await fileOf(store, /^MANIFEST/)),
    what: /CURRENT names MANIFEST-\d+, which is missing; and there is no other manifest\./,
    remedy: RESTORE,
  },
  'a byte of the manifest is flipped': {
    damage: async (store) => flip(await fileOf(store, /^MANIFEST/)),
    what: /Corruption/,
    remedy: RESTORE,
  },
  'a byte of the log is flipped': {
    damage: async (store) => flip(await fileOf(store, /\.log$/)),
    what: /\d+\.log: \d+ bytes are unreadable \(.*\); the last \d+ acknowledged writes are missing/,
    remedy: ACCEPT,
  },
  'the log is missing': {
    damage: async (store) => unlink(await fileOf(store, /\.log$/)),
    what: /the last \d+ acknowledged writes are missing/,
    remedy: ACCEPT,
  },
  'a byte of a table file is flipped': {
    damage: async (store) => flip(await fileOf(store, /\.ldb$/)),
    what: /Corruption/i,
    remedy: RESTORE,
  },
  'a table file is missing': {
    damage: async (store) => unlink(await fileOf(store, /\.ldb$/)),
    what: /Corruption: 1 missing files; e\.g\.: .*crashed\/\d+\.ldb/,
    remedy: RESTORE,
  },
};

for (const [name, { damage, what, remedy }] of Object.entries(damages)) {
  test(`${name}: each start reports the same damage and changes no file`, async () => {
    const folder = await temporary();
    try {
      const store = await crashedStore(folder);
      await damage(store);
      const before = await contentOf(store);
      const messages: string[] = [];
      for (let start = 0; start < 2; start++) {
        await assert.rejects(openLevelStore(store), (error: Error) => {
          messages.push(error.message);
          return error.name === 'StoreDamaged';
        });
        assert.deepEqual(await contentOf(store), before);
      }
      assert.match(messages[0]!, /^.*crashed is damaged: /);
      assert.match(messages[0]!, what);
      assert.match(messages[0]!, remedy);
      assert.doesNotMatch(messages[0]!, /inspection/, 'the path is that of the store, not of its copy');
      assert.equal(messages[1], messages[0]);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
}

test('a store whose very first start was cut short is new', async () => {
  const folder = await temporary();
  try {
    await writeFile(join(folder, 'MANIFEST-000001'), '');
    await (await openLevelStore(folder)).close();
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('a copy left behind by a crash during the start is deleted', async () => {
  const folder = await temporary();
  try {
    const store = await crashedStore(folder);
    await mkdir(join(store, 'inspection-x'));
    await (await openLevelStore(store)).close();
    assert.deepEqual(
      (await readdir(store)).filter((name) => name.startsWith('inspection')),
      [],
    );
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('a store that another process is writing to is reported as locked, never as damaged', async () => {
  const folder = await temporary();
  const store = join(folder, 'store');
  const child = spawn(process.execPath, [writer, store, '0'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(child, 'close');
  try {
    await once(child.stdout.resume(), 'data');
    const isLocked = (error: Error & { cause?: { code?: string } }) => error.cause?.code === 'LEVEL_LOCKED';
    for (let start = 0; start < 5; start++) await assert.rejects(openLevelStore(store), isLocked);
    await assert.rejects(openLevelStore(relative(process.cwd(), store)), isLocked);
  } finally {
    child.kill('SIGKILL');
    await ended;
  }
  await (await openLevelStore(store)).close();
  await rm(folder, { recursive: true });
});
