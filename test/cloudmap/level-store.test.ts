import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdir, open, readdir, rm, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { openState } from '../../src/cloudmap/cloud-map-state.ts';
import { openLevelStore } from '../../src/cloudmap/level-store.ts';
import { requirement } from '../support/requirement.ts';
import { temporary } from '../support/temporary.ts';

const script = fileURLToPath(new URL('../support/store-on-full-disk.js', import.meta.url));

test('writes acknowledged after a full disk has space again survive a crash and a restart', {
  ...requirement('network-namespace'),
  timeout: 60_000,
}, async () => {
  const folder = await temporary();
  try {
    const mount = 'mkdir "$0/disk" && mount -t tmpfs -o size=2m none "$0/disk" && exec "$1" "$2" "$0/disk" "$0"';
    const { stdout } = await promisify(execFile)('unshare', [
      '-rm',
      'sh',
      '-c',
      mount,
      folder,
      process.execPath,
      script,
    ]);
    const { refusedWhileFull, acknowledged, messages, startWhileFull, reopened } = JSON.parse(stdout);
    assert.ok(refusedWhileFull > 10, 'the disk was full');
    assert.ok(acknowledged >= 220, 'all writes are taken again once there is room');
    for (const message of messages) assert.match(message, /^not stored: .*No space left on device/);
    assert.match(
      startWhileFull,
      /^the disk is full \(.*No space left on device.*\)\. Free some space .*disk\/store and start again/,
    );
    assert.deepEqual(reopened, [
      { lost: 0, ghosts: 0 },
      { lost: 0, ghosts: 0 },
    ]);
  } finally {
    await rm(folder, { recursive: true });
  }
});

/** A store with 300 acknowledged writes, copied as a crash would leave it: everything is in the log. */
async function crashedStore(folder: string): Promise<string> {
  const store = await openLevelStore(join(folder, 'live'));
  const state = await openState(store, () => {});
  for (let i = 0; i < 300; i++) {
    const id = `i-${i < 200 ? i : i - 100}`;
    const value = {
      serviceId: 's',
      id,
      attributes: { round: String(i), pad: 'x'.repeat(400) },
      registeredMs: i,
    };
    const change = { collection: 'instance' as const, key: `s/${id}`, value };
    await state.mutate(() => ({ changes: [change], result: undefined }));
  }
  const crashed = join(folder, 'crashed');
  await cp(join(folder, 'live'), crashed, { recursive: true });
  await store.close();
  return crashed;
}

async function logOf(store: string): Promise<string> {
  const [log] = (await readdir(store)).filter((name) => name.endsWith('.log'));
  return join(store, log!);
}

async function flip(file: string, share: number): Promise<void> {
  const handle = await open(file, 'r+');
  const { size } = await handle.stat();
  const at = Math.floor(size * share);
  const bytes = Buffer.alloc(8);
  await handle.read(bytes, 0, 8, at);
  await handle.write(
    bytes.map((byte) => byte ^ 0xff),
    0,
    8,
    at,
  );
  await handle.close();
}

const damages: Record<string, { damage: (log: string) => Promise<void>; message: RegExp }> = {
  'bytes flipped behind the middle of the log, where records were overwritten': {
    damage: (log) => flip(log, 0.8),
    message: /\d+\.log: \d+ bytes are unreadable \(.*; some records differ from what was last written/,
  },
  'bytes flipped near the start of the log': {
    damage: (log) => flip(log, 0.05),
    message: /bytes are unreadable .*; \d+ of 200 records are missing/,
  },
  'the second half of the log cut off': {
    damage: async (log) => truncate(log, Math.floor((await stat(log)).size / 2)),
    message: /the last \d+ acknowledged writes are missing \(\d+ to 300\)/,
  },
  'the last acknowledged write cut off': {
    damage: async (log) => truncate(log, (await stat(log)).size - 10),
    message: /the last 1 acknowledged writes are missing \(300 to 300\)/,
  },
};

for (const [name, { damage, message }] of Object.entries(damages)) {
  test(`${name}: start-up keeps failing until the operator accepts the loss`, async () => {
    const folder = await temporary();
    try {
      const store = await crashedStore(folder);
      await damage(await logOf(store));
      const expected = (error: Error) => {
        assert.equal(error.name, 'StoreDamaged');
        assert.match(
          error.message,
          /^.*crashed is damaged: .* Restore the folder from a backup, or delete .*acknowledged/,
        );
        return true;
      };
      await assert.rejects(openLevelStore(store), (error: Error) => expected(error) && message.test(error.message));
      await assert.rejects(openLevelStore(store), expected);
      await rm(join(store, 'acknowledged'));
      const accepted = await openLevelStore(store);
      const state = await openState(accepted, () => {});
      assert.ok(state.instancesOf('s').size > 0);
      await state.mutate(() => ({ changes: [{ collection: 'instance', key: 's/i-0', value: undefined }], result: 0 }));
      await accepted.close();
      await (await openLevelStore(store)).close();
    } finally {
      await rm(folder, { recursive: true });
    }
  });
}

test('an unacknowledged batch torn off by a crash is dropped without an error', async () => {
  const folder = await temporary();
  try {
    const store = await crashedStore(folder);
    // As if the crash had come before the acknowledgement of the last write.
    const handle = await open(join(store, 'acknowledged'), 'r+');
    await handle.write('299'.padStart(16), 0);
    await handle.close();
    const log = await logOf(store);
    await truncate(log, (await stat(log)).size - 10);
    const opened = await openLevelStore(store);
    assert.equal((await openState(opened, () => {})).instancesOf('s').get('i-198')?.attributes.round, '298');
    await opened.close();
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('damage to a file that LevelDB needs to open is reported as damage', async () => {
  const folder = await temporary();
  try {
    const store = await crashedStore(folder);
    const [manifest] = (await readdir(store)).filter((name) => name.startsWith('MANIFEST'));
    await flip(join(store, manifest!), 0.3);
    await assert.rejects(openLevelStore(store), { name: 'StoreDamaged', message: /is damaged: Corruption/ });
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('a store opened by another process is reported as locked, not as damaged', async () => {
  const folder = await temporary();
  try {
    await mkdir(join(folder, 'store'));
    const store = await openLevelStore(join(folder, 'store'));
    const locked = (error: Error & { cause?: { code?: string } }) => error.cause?.code === 'LEVEL_LOCKED';
    await assert.rejects(openLevelStore(join(folder, 'store')), locked);
    await store.close();
  } finally {
    await rm(folder, { recursive: true });
  }
});
