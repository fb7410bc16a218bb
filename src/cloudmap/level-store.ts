// An embedded LevelDB (classic-level) that notices what LevelDB itself passes over in silence: it skips damaged parts of its
// log, and after a failed append it writes to a misaligned log whose new records are lost at the next start.
//
// Every batch also writes a ledger: its sequence number, the number of records, and the sum of their hashes. The file
// `acknowledged` holds the last sequence number that a client was told about, written after the batch is on the disk. So a
// record that vanished, a value that became an older one, and a log that ends too early all show at the start. A batch that
// a crash tore off was never acknowledged and does not.
import { createHash } from 'node:crypto';
import { mkdir, open, readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ClassicLevel } from 'classic-level';
import type { Store } from './cloud-map-store.ts';
import type { Collection, StoreChange } from './records.ts';
import { ACKNOWLEDGED, hasDatabase, isDiskFull, reasonOf, StoreDamaged, unreadable, withCopy } from './store-folder.ts';

type Database = ClassicLevel<string, string>;
type Entry =
  | { readonly type: 'del'; readonly key: string }
  | { readonly type: 'put'; readonly key: string; readonly value: string };

interface Ledger {
  readonly sequence: number;
  readonly count: number;
  readonly sum: number;
}

const LEDGER_KEY = '~ledger';
const EMPTY: Ledger = { sequence: 0, count: 0, sum: 0 };
/** Sums of hashes are kept below 2^48, where a number is exact. */
const MODULUS = 2 ** 48;

/**
 * Opens the store in the folder `path`, which is created if missing. Each write is one batch that is on the disk before the
 * write resolves. Only one process can have it open. A damaged store is left as it is.
 * @throws StoreDamaged; Error with code LEVEL_DATABASE_NOT_OPEN (its cause: LEVEL_LOCKED) or a system error otherwise
 */
export async function openLevelStore(path: string): Promise<Store> {
  try {
    await makeFolder(path);
    const isNew = !(await inspect(path));
    const { store, changes } = await openVerified(path, { path, isNew });
    return {
      load: async () => changes,
      write: (batch, undo) => store.write(batch, undo),
      close: () => store.close(),
    };
  } catch (error) {
    if (!isDiskFull(error)) throw error;
    throw new Error(
      `the disk is full (${reasonOf(error)}). Free some space in the file system of ${path} and start again; no acknowledged write is lost`,
    );
  }
}

/** Whether there is a store, after opening a copy of it. @throws StoreDamaged */
async function inspect(path: string): Promise<boolean> {
  for (let isSecond = false; ; isSecond = true) {
    try {
      if (!(await hasDatabase(path))) return false;
      await withCopy(path, async (copy) => {
        const { store } = await openVerified(copy, { path, isNew: false });
        await store.close();
      });
      return true;
    } catch (error) {
      // The copy is inconsistent if another process that used the store stopped just then.
      if (isSecond || !(error instanceof StoreDamaged)) throw error;
    }
  }
}

interface Opening {
  /** Of the store, for messages; the folder may be a copy. */
  readonly path: string;
  readonly isNew: boolean;
}

async function openVerified(folder: string, opening: Opening) {
  const store = new LevelStore(folder, opening.path, await openDatabase(folder, opening));
  try {
    return { store, changes: await store.verify() };
  } catch (error) {
    await store.close();
    throw error;
  }
}

async function openDatabase(folder: string, { path, isNew }: Opening): Promise<Database> {
  // Imported here, so that other stores do not need the native module.
  const { ClassicLevel: Level } = await import('classic-level');
  const options = { keyEncoding: 'utf8', valueEncoding: 'utf8', createIfMissing: isNew };
  const database: Database = new Level(folder, options);
  try {
    await database.open();
    return database;
  } catch (error) {
    const { code } = ((error as Error).cause ?? {}) as { code?: string };
    const reason = reasonOf(error).replaceAll(folder, path);
    if (code !== 'LEVEL_LOCKED' && /corruption|No such file|does not exist/i.test(reason))
      throw unreadable(path, reason);
    throw error;
  }
}

class LevelStore {
  readonly #folder: string;
  readonly #path: string;
  #database: Database;
  #ledger = EMPTY;
  readonly #hashes = new Map<string, number>();
  /** The failed batch, undone; set while the database has not been reopened since. */
  #toUndo: readonly StoreChange[] | undefined;
  #damage: StoreDamaged | undefined;

  /** `path` is that of the store in messages; `folder` may be a copy of it. */
  constructor(folder: string, path: string, database: Database) {
    this.#folder = folder;
    this.#path = path;
    this.#database = database;
  }

  /** Reads everything and compares it with the ledger and with the acknowledged sequence number. @throws StoreDamaged */
  async verify(): Promise<readonly StoreChange[]> {
    const acknowledged = await this.#acknowledged();
    const records = await this.#records();
    const changes: StoreChange[] = [];
    const broken: string[] = [];
    let stored: Ledger | undefined;
    for (const [key, text] of records) {
      const value = parse(text);
      if (value === undefined) broken.push(key);
      else if (key === LEDGER_KEY) stored = value as Ledger;
      else {
        this.#hashes.set(key, hashOf(key, text));
        changes.push(changeOf(key, value));
      }
    }
    const found = { sequence: stored?.sequence ?? 0, count: this.#hashes.size, sum: sumOf(this.#hashes.values()) };
    if (acknowledged !== undefined) {
      const losses = lossesOf(stored ?? EMPTY, found, acknowledged, broken);
      if (losses.length > 0) throw await this.#damaged(losses);
    }
    this.#ledger = found;
    // Without the file `acknowledged` the store is new, or the operator accepted its content as it is.
    if (acknowledged === undefined) {
      const discarded = broken.map((key) => ({ type: 'del' as const, key }));
      await this.#commit(discarded, found);
    }
    return changes;
  }

  async write(changes: readonly StoreChange[], undo: readonly StoreChange[]): Promise<void> {
    if (this.#damage !== undefined) throw this.#damage;
    if (this.#toUndo !== undefined) await this.#recover(this.#toUndo);
    try {
      await this.#put(changes);
    } catch (error) {
      this.#toUndo = undo;
      throw error;
    }
  }

  close(): Promise<void> {
    return this.#database.close();
  }

  /** After a failed append nothing can be written until LevelDB has started a new log. The batch may be in the old one. */
  async #recover(undo: readonly StoreChange[]): Promise<void> {
    if (this.#database.status === 'open') await this.#database.close();
    try {
      this.#database = await openDatabase(this.#folder, { path: this.#path, isNew: false });
    } catch (error) {
      throw error instanceof StoreDamaged ? error : new Error(reasonOf(error), { cause: error });
    }
    const text = await this.#database.get(LEDGER_KEY);
    const { sequence } = text === undefined ? EMPTY : (parse(text) as Ledger);
    if (sequence < this.#ledger.sequence) {
      this.#damage = await this.#damaged([lostWrites(sequence, this.#ledger.sequence)]);
      throw this.#damage;
    }
    if (sequence > this.#ledger.sequence) {
      this.#ledger = { ...this.#ledger, sequence };
      await this.#put(undo);
    }
    this.#toUndo = undefined;
  }

  async #put(changes: readonly StoreChange[]): Promise<void> {
    const hashes = new Map<string, number | undefined>();
    const batch = changes.map(({ collection, key: id, value }) => {
      const key = `${collection}/${id}`;
      if (value === undefined) {
        hashes.set(key, undefined);
        return { type: 'del' as const, key };
      }
      const text = JSON.stringify(value);
      hashes.set(key, hashOf(key, text));
      return { type: 'put' as const, key, value: text };
    });
    let { count, sum } = this.#ledger;
    for (const [key, hash] of hashes) {
      const before = this.#hashes.get(key);
      count += Number(hash !== undefined) - Number(before !== undefined);
      sum = (sum + (hash ?? 0) - (before ?? 0) + MODULUS) % MODULUS;
    }
    await this.#commit(batch, { sequence: this.#ledger.sequence + 1, count, sum });
    for (const [key, hash] of hashes) {
      if (hash === undefined) this.#hashes.delete(key);
      else this.#hashes.set(key, hash);
    }
  }

  async #commit(batch: readonly Entry[], ledger: Ledger): Promise<void> {
    await this.#database.batch([...batch, { type: 'put', key: LEDGER_KEY, value: JSON.stringify(ledger) }], {
      sync: true,
    });
    this.#ledger = ledger;
    // The write is durable even if this fails; then a later loss of it would go unnoticed.
    await acknowledge(join(this.#folder, ACKNOWLEDGED), ledger.sequence).catch(() => {});
  }

  async #acknowledged(): Promise<number | undefined> {
    try {
      const sequence = Number(await readFile(join(this.#folder, ACKNOWLEDGED), 'utf8'));
      return Number.isSafeInteger(sequence) ? sequence : 0;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  }

  async #records(): Promise<[string, string][]> {
    try {
      return await this.#database.iterator().all();
    } catch (error) {
      throw unreadable(this.#path, (error as Error).message.replaceAll(this.#folder, this.#path));
    }
  }

  async #damaged(losses: readonly string[]): Promise<StoreDamaged> {
    const skipped = await skippedParts(join(this.#folder, 'LOG'));
    const what = [...skipped, ...losses].join('; ');
    return new StoreDamaged(
      `${this.#path} is damaged: ${what}. Restore the folder from a backup, or delete ${join(this.#path, ACKNOWLEDGED)} to continue without the lost data`,
    );
  }
}

function lossesOf(stored: Ledger, found: Ledger, acknowledged: number, broken: readonly string[]): string[] {
  const missing = stored.count - found.count - broken.length;
  return [
    ...(stored.sequence < acknowledged ? [lostWrites(stored.sequence, acknowledged)] : []),
    ...(broken.length > 0 ? [`unreadable records: ${broken.slice(0, 5).join(', ')} (${broken.length} in total)`] : []),
    ...(missing > 0 ? [`${missing} of ${stored.count} records are missing`] : []),
    ...(missing < 0 ? [`${-missing} deleted records have come back`] : []),
    ...(missing === 0 && broken.length === 0 && stored.sum !== found.sum
      ? ['some records differ from what was last written']
      : []),
  ];
}

const lostWrites = (last: number, acknowledged: number): string =>
  `the last ${acknowledged - last} acknowledged writes are missing (${last + 1} to ${acknowledged})`;

/** LevelDB logs the parts of its files that it skipped: "000003.log: dropping 12 bytes; Corruption: checksum mismatch". */
async function skippedParts(log: string): Promise<string[]> {
  const text = await readFile(log, 'utf8').catch(() => '');
  return [...text.matchAll(/([^/\s]+\.log): dropping (\d+) bytes; (.*)/g)]
    .slice(0, 5)
    .map(([, file, bytes, reason]) => `${file}: ${bytes} bytes are unreadable (${reason})`);
}

/** Overwrites one small block in place, so that it needs no space on a full disk. */
async function acknowledge(file: string, sequence: number): Promise<void> {
  const handle = await open(file, 'r+').catch(() => open(file, 'w'));
  try {
    await handle.write(String(sequence).padStart(16, ' '), 0);
  } finally {
    await handle.close();
  }
}

function changeOf(key: string, value: unknown): StoreChange {
  const slash = key.indexOf('/');
  return { collection: key.slice(0, slash) as Collection, key: key.slice(slash + 1), value } as StoreChange;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const hashOf = (key: string, text: string): number =>
  createHash('sha256').update(key).update('\0').update(text).digest().readUIntBE(0, 6);

function sumOf(hashes: Iterable<number>): number {
  let sum = 0;
  for (const hash of hashes) sum = (sum + hash) % MODULUS;
  return sum;
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
