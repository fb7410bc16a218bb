// Runs in a mount namespace with a small tmpfs: fills the disk until the store refuses, makes room, writes more, and opens the
// store again as after a crash. Prints one JSON object. Arguments: the folder, and whether to close before opening again.
import { closeSync, cpSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { openState } from '../../src/cloudmap/cloud-map-state.ts';
import { openLevelStore } from '../../src/cloudmap/level-store.ts';

const [, , disk, copies] = process.argv as unknown as [string, string, string, string];
const folder = join(disk, 'store');
const store = await openLevelStore(folder);
const state = await openState(store, () => {});
const acknowledged: string[] = [];
const refused = new Map<string, string>();

function fill(): void {
  const filler = openSync(join(disk, 'filler'), 'w');
  try {
    for (;;) writeSync(filler, Buffer.alloc(4096));
  } catch {
    closeSync(filler);
  }
}

async function register(id: string): Promise<void> {
  const value = { serviceId: 's', id, attributes: { pad: 'x'.repeat(300) }, registeredMs: 0 };
  try {
    await state.mutate(() => ({ changes: [{ collection: 'instance', key: `s/${id}`, value }], result: undefined }));
    acknowledged.push(id);
  } catch (error) {
    refused.set(id, (error as Error).message);
  }
}

for (let i = 0; i < 20; i++) await register(`before-${i}`);
fill();
for (let i = 0; i < 60; i++) await register(`full-${i}`);
rmSync(join(disk, 'filler'));
for (let i = 0; i < 200; i++) await register(`after-${i}`);

// What a kill at this moment leaves behind, without giving up the lock.
const crashed = join(copies, 'crashed');
cpSync(folder, crashed, { recursive: true });
await store.close();
fill();
const startWhileFull = await openLevelStore(folder).then(
  () => 'it started',
  (error: Error) => error.message,
);
rmSync(join(disk, 'filler'));
const reopened = [];
for (const path of [crashed, folder]) {
  const again = await openLevelStore(path);
  const kept = (await openState(again, () => {})).instancesOf('s');
  reopened.push({
    lost: acknowledged.filter((id) => !kept.has(id)).length,
    ghosts: [...refused.keys()].filter((id) => kept.has(id)).length,
  });
  await again.close();
}
const messages = [...new Set(refused.values())];
const counts = { refusedWhileFull: refused.size, acknowledged: acknowledged.length };
console.log(JSON.stringify({ ...counts, messages, startWhileFull, reopened }));
