// Configuration files and files that they refer to, read up to a limit.
import { open } from 'node:fs/promises';
import { buffer } from 'node:stream/consumers';
import { NotRegularFile, openRegularFile } from '../native/regular-file.ts';

const MAX_FILE_BYTES = 16 * 1024 * 1024;

export type TextFile =
  | { readonly text: string }
  /** `isAbsent`: there may be another file here later, or for someone else. */
  | { readonly problem: string; readonly isAbsent: boolean };

export interface Reading {
  /** Ends the message about a file that is too large. */
  readonly advice?: string;
  /** Pipes are read as well: whoever runs a command may give one, and waits for its writer. */
  readonly takesPipes?: boolean;
}

/** Never throws. */
export async function readTextFile(path: string, { advice = '', takesPipes }: Reading = {}): Promise<TextFile> {
  let handle: Awaited<ReturnType<typeof open>> | undefined;
  try {
    handle = await (takesPipes ? open(path) : openRegularFile(path));
    const { size } = await handle.stat();
    if (size > MAX_FILE_BYTES) return tooLarge(`${size} bytes`, advice);
    // A pipe or a device has no size, and may be endless: one byte more than allowed is enough.
    const bytes = await buffer(handle.createReadStream({ end: MAX_FILE_BYTES, autoClose: false }));
    if (bytes.length > MAX_FILE_BYTES) return tooLarge(`more than ${MAX_FILE_BYTES} bytes`, advice);
    return { text: new TextDecoder('utf-8', { fatal: true, ignoreBOM: false }).decode(bytes) };
  } catch (error) {
    if (error instanceof TypeError) return { problem: 'the file is not UTF-8 text', isAbsent: false };
    return { problem: `cannot read the file: ${reason(error)}`, isAbsent: !(error instanceof NotRegularFile) };
  } finally {
    await handle?.close();
  }
}

const tooLarge = (size: string, advice: string): TextFile => ({
  problem: `the file has ${size}, at most ${MAX_FILE_BYTES} are read${advice}`,
  isAbsent: false,
});

function reason(error: unknown): string {
  if (error instanceof NotRegularFile) return `it is ${error.kind}`;
  const code = (error as NodeJS.ErrnoException).code;
  if (code === 'ENOENT') return 'there is no such file';
  if (code === 'EACCES') return 'permission denied';
  if (code === 'EISDIR') return 'it is a folder';
  return error instanceof Error ? error.message : String(error);
}
