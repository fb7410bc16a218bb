// The embedded store as files, before LevelDB opens it. Opening is not read-only: LevelDB creates a new database over one
// without CURRENT, and replaces a damaged log by what it could read of it. So a store is opened only after a copy of it has
// proved to be whole, and a damaged one stays as it is.
import { constants, copyFile, mkdtemp, readdir, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

/** Opening the store failed for good: acknowledged writes are missing. The message tells the operator what to do. */
export class StoreDamaged extends Error {
  override readonly name = 'StoreDamaged';
}

export const ACKNOWLEDGED = 'acknowledged';
/** A crash during the very first start leaves a MANIFEST-000001 without records and without CURRENT. */
const HOLDS_RECORDS = /^(acknowledged|MANIFEST-(?!0*1$)\d+|\d+\.(ldb|sst|log))$/;
const COPIED = /^(acknowledged|CURRENT|MANIFEST-\d+|\d+\.(ldb|sst|log))$/;
const COPY_PREFIX = 'inspection-';

/** Whether the folder has a database; if not, it has no part of one either. @throws StoreDamaged */
export async function hasDatabase(path: string): Promise<boolean> {
  const names = (await readdir(path)).sort();
  if (!names.includes('CURRENT')) {
    const parts = names.filter((name) => HOLDS_RECORDS.test(name));
    if (parts.length === 0) return false;
    throw unreadable(path, `the file CURRENT is missing, but there is ${listed(parts)}`);
  }
  const manifest = (await readFile(join(path, 'CURRENT'), 'latin1')).slice(0, 100);
  if (!/^MANIFEST-\d+\n$/.test(manifest))
    throw unreadable(path, `Corruption: CURRENT does not name a manifest: ${JSON.stringify(manifest)}`);
  if (names.includes(manifest.trimEnd())) return true;
  const manifests = names.filter((name) => name.startsWith('MANIFEST-'));
  const others = manifests.length > 0 ? `there is ${listed(manifests)}` : 'and there is no other manifest';
  throw unreadable(path, `CURRENT names ${manifest.trimEnd()}, which is missing; ${others}`);
}

const listed = (names: readonly string[]): string =>
  names.length > 5 ? `${names.slice(0, 5).join(', ')} and ${names.length - 5} more` : names.join(', ');

export const unreadable = (path: string, what: string): StoreDamaged =>
  new StoreDamaged(
    `${path} is damaged: ${what}. Restore the folder from a backup, or move it away to start with an empty store`,
  );

/** Calls `use` with a copy of the store: inside its folder, or in the system's folder for temporary files if that is full. */
export async function withCopy(path: string, use: (copy: string) => Promise<void>): Promise<void> {
  for (const name of await readdir(path))
    if (name.startsWith(COPY_PREFIX)) await rm(join(path, name), { recursive: true, force: true });
  try {
    await withCopyIn(path, path, use);
  } catch (error) {
    if (!isDiskFull(error)) throw error;
    await withCopyIn(tmpdir(), path, use);
  }
}

async function withCopyIn(parent: string, path: string, use: (copy: string) => Promise<void>): Promise<void> {
  const copy = await mkdtemp(join(parent, COPY_PREFIX));
  try {
    for (const name of await readdir(path)) {
      // The lock of the copy is that of the store, so that a store in use is reported as locked.
      if (name === 'LOCK') await symlink(resolve(path, name), join(copy, name));
      else if (COPIED.test(name)) await copyIfThere(join(path, name), join(copy, name));
    }
    await use(copy);
  } finally {
    await rm(copy, { recursive: true, force: true });
  }
}

/** A process that uses the store deletes files at any time. */
async function copyIfThere(from: string, to: string): Promise<void> {
  try {
    await copyFile(from, to, constants.COPYFILE_FICLONE);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

/** LevelDB's own reason, which classic-level hides in the cause of its error. */
export function reasonOf(error: unknown): string {
  const { cause, message } = error as Error;
  return cause instanceof Error ? cause.message : message;
}

export const isDiskFull = (error: unknown): boolean =>
  /ENOSPC|EDQUOT|No space left on device|quota exceeded/i.test(reasonOf(error));
