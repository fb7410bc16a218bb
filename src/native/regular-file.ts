// Files that a configuration names. Opening a named pipe waits for a writer, in a system call that not even the end of the thread
// interrupts, and a device may be endless: only regular files are opened, and opening never waits.
import { closeSync, constants, fstatSync, openSync, readFileSync, type Stats } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';

/** Larger files than a configuration has any use for. */
const MAX_BYTES = 16 * 1024 * 1024;
/** Windows has no such flag, and no named pipes in folders. */
const NONBLOCK = constants.O_NONBLOCK ?? 0;

export class NotRegularFile extends Error {
  override readonly name = 'NotRegularFile';
  /** "a named pipe" */
  readonly kind: string;

  constructor(path: string, kind: string) {
    super(`'${path}' is ${kind}, not a regular file`);
    this.kind = kind;
  }
}

/** Rejects with the system's error or NotRegularFile. `flags` and `mode` as those of open(2). */
export async function openRegularFile(path: string, flags = constants.O_RDONLY, mode?: number): Promise<FileHandle> {
  const handle = await open(path, flags | NONBLOCK, mode).catch((error) => {
    throw withKind(error, path);
  });
  try {
    requireRegular(path, await handle.stat());
    return handle;
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** The whole file. Rejects as openRegularFile, and for one that is too large. */
export async function readRegularFile(path: string, maxBytes = MAX_BYTES): Promise<string> {
  const handle = await openRegularFile(path);
  try {
    requireSize(path, (await handle.stat()).size, maxBytes);
    return await handle.readFile('utf8');
  } finally {
    await handle.close();
  }
}

/** As readRegularFile. */
export function readRegularFileSync(path: string): string {
  const fd = openSyncOf(path);
  try {
    const found = fstatSync(fd);
    requireRegular(path, found);
    requireSize(path, found.size, MAX_BYTES);
    return readFileSync(fd, 'utf8');
  } finally {
    closeSync(fd);
  }
}

function openSyncOf(path: string): number {
  try {
    return openSync(path, constants.O_RDONLY | NONBLOCK);
  } catch (error) {
    throw withKind(error as NodeJS.ErrnoException, path);
  }
}

/** open(2): a socket, a device without a driver, or (for writing) a named pipe that nobody reads. */
const withKind = (error: NodeJS.ErrnoException, path: string): Error =>
  error.code === 'ENXIO' ? new NotRegularFile(path, 'a socket, pipe or device') : error;

function requireRegular(path: string, found: Stats): void {
  if (found.isFile()) return;
  throw new NotRegularFile(path, found.isDirectory() ? 'a folder' : found.isFIFO() ? 'a named pipe' : 'a device');
}

function requireSize(path: string, size: number, maxBytes: number): void {
  if (size > maxBytes) throw new Error(`'${path}' has ${size} bytes, at most ${maxBytes} are read`);
}
