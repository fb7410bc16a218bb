// Configuration files and files that they refer to, read up to a limit.
import { closeSync, constants, openSync, readFileSync, statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { buffer } from 'node:stream/consumers';
import { NotRegularFile, openRegularFile } from '../native/regular-file.ts';

const MAX_FILE_BYTES = 16 * 1024 * 1024;

export type TextFile =
  | { readonly text: string }
  /** `isAbsent`: there may be another file here later, or for someone else. */
  | { readonly problem: string; readonly isAbsent: boolean };

/** Up to this size, reading takes less time than a turn through the thread pool. */
const SMALL_BYTES = 64 * 1024;
/** In case a pipe takes the file's place meanwhile. */
const NOT_WAITING = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);

export interface Reading {
  /** Ends the message about a file that is too large. */
  readonly advice?: string;
  /** Pipes are read as well: whoever runs a command may give one, and waits for its writer. */
  readonly takesPipes?: boolean;
}

/** Never throws. */
export async function readTextFile(path: string, { advice = '', takesPipes }: Reading = {}): Promise<TextFile> {
  try {
    const bytes = readSmallFile(path) ?? (await readFile(path, takesPipes === true));
    if (typeof bytes === 'string') return { problem: `${bytes}${advice}`, isAbsent: false };
    return { text: new TextDecoder('utf-8', { fatal: true, ignoreBOM: false }).decode(bytes) };
  } catch (error) {
    if (error instanceof TypeError) return { problem: 'the file is not UTF-8 text', isAbsent: false };
    return { problem: `cannot read the file: ${reason(error)}`, isAbsent: !(error instanceof NotRegularFile) };
  }
}

/** undefined: a large file, or one without a size, as a pipe or a device. */
function readSmallFile(path: string): Uint8Array | undefined {
  const stats = statSync(path);
  if (!stats.isFile() || stats.size === 0 || stats.size > SMALL_BYTES) return undefined;
  const fd = openSync(path, NOT_WAITING);
  try {
    return readFileSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** A string is a problem. */
async function readFile(path: string, takesPipes: boolean): Promise<Uint8Array | string> {
  const handle = await (takesPipes ? open(path) : openRegularFile(path));
  try {
    const { size } = await handle.stat();
    if (size > MAX_FILE_BYTES) return tooLarge(`${size} bytes`);
    // A pipe or a device has no size, and may be endless: one byte more than allowed is enough.
    const bytes = await buffer(handle.createReadStream({ end: MAX_FILE_BYTES, autoClose: false }));
    return bytes.length > MAX_FILE_BYTES ? tooLarge(`more than ${MAX_FILE_BYTES} bytes`) : bytes;
  } finally {
    await handle.close();
  }
}

const tooLarge = (size: string) => `the file has ${size}, at most ${MAX_FILE_BYTES} are read`;

function reason(error: unknown): string {
  if (error instanceof NotRegularFile) return `it is ${error.kind}`;
  const code = (error as NodeJS.ErrnoException).code;
  if (code === 'ENOENT') return 'there is no such file';
  if (code === 'EACCES') return 'permission denied';
  if (code === 'EISDIR') return 'it is a folder';
  return error instanceof Error ? error.message : String(error);
}
