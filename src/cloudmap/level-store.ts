import type { Collection, StoreChange } from './model.ts';
import type { Store } from './store.ts';

/**
 * An embedded LevelDB (classic-level) in the folder `path`, made if it is missing. Each write is one batch with
 * `sync`, so LevelDB's log is on the disk before the client hears of it, and a torn batch is dropped whole at the
 * next opening. Only one process can have it open.
 * @throws Error with code LEVEL_DATABASE_NOT_OPEN when the folder is locked or cannot be used
 */
export async function openLevelStore(path: string): Promise<Store> {
  // Loaded here: whoever has no such store does without the native module.
  const { ClassicLevel } = await import('classic-level');
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
