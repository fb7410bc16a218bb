import assert from 'node:assert/strict';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { FileState } from '../../src/ecs/model/file-state.ts';
import { temporary } from '../support/temporary.ts';

let folder: string;
before(async () => {
  folder = await temporary();
});
after(() => rm(folder, { recursive: true, force: true }));

const cluster = { name: 'default', createdMs: 1_700_000_000_000, tags: {} };

async function stored(): Promise<{ file: string; bytes: Buffer }> {
  const file = join(folder, 'state.json');
  const state = new FileState(file);
  await state.mutate(() => ({
    changes: [{ collection: 'cluster', key: 'default', value: cluster }],
    result: undefined,
  }));
  return { file, bytes: await readFile(file) };
}

test('the stored ECS state is read back unchanged', async () => {
  const { file } = await stored();
  const state = new FileState(file);
  await state.load();
  assert.deepEqual([...state.clusters.values()], [cluster]);
});

test('a state file with any bit flipped or any part missing is an error that names the file and the remedy', async () => {
  const { file, bytes } = await stored();
  const places = { byte: fc.nat(bytes.length - 2), bit: fc.nat(7), cut: fc.boolean() };
  await fc.assert(
    fc.asyncProperty(fc.record(places), async ({ byte, bit, cut }) => {
      const damaged = Buffer.from(cut ? bytes.subarray(0, byte) : bytes);
      if (!cut) damaged[byte]! ^= 1 << bit;
      await writeFile(file, damaged);
      await assert.rejects(
        new FileState(file).load(),
        /state\.json is damaged, .*: restore it from a backup, or remove it/,
      );
    }),
  );
});
