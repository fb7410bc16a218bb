import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Store } from './cloud-map-store.ts';
import type { Collection, StoreChange } from './records.ts';

/**
 * An embedded LevelDB (classic-level) in the folder `path`, made if it is missing. Each write is one batch with
 * `sync`, so LevelDB's log is on the disk before the client hears of it, and a torn batch is dropped whole at the
 * next opening. Only one process can have it open.
 * @throws Error with code LEVEL_DATABASE_NOT_OPEN when the folder is locked, another when it cannot be made or used
 */
export async function openLevelStore(path: string): Promise<Store> {
  // Imported here, so that other stores do not need the native module.
  const { ClassicLevel } = await import('classic-level');
  await makeFolder(path);
  const database = new ClassicLevel<string, string>(path, { keyEncoding: 'utf8', valueEncoding: 'utf8' });
  await database.open();
  return {
    async load() {
      const changes: StoreChange[] = [];
      for await (const [key, value] of database.iterator()) {
        const slash = key.indexOf('/');
        const collection = key.slice(0, slash) as Collection;
        changes.push({ collection, key: key.slice(slash + 1), value: JSON.parse(value) } as StoreChange);
      }
      return changes;
    },
    async write(changes) {
      const batch = changes.map(({ collection, key, value }) =>
        value === undefined
          ? { type: 'del' as const, key: `${collection}/${key}` }
          : { type: 'put' as const, key: `${collection}/${key}`, value: JSON.stringify(value) },
      );
      await database.batch(batch, { sync: true });
    },
    close: () => database.close(),
  };
}

/**
 * Like mkdir with `recursive`, which loops for ever in Node 20 where an existing folder answers ENOENT to a new one, as /proc
 * does.
 */
async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') return;
    const parent = dirname(path);
    if (code !== 'ENOENT' || parent === path || (await exists(parent))) throw error;
    await makeFolder(parent);
    await mkdir(path);
  }
}

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );
