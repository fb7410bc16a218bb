// Cloud Map's records on disk, so that a replica that starts while the API server is away answers the last known names. The
// last line is a hash of all lines before it: a damaged file is renamed and not used at all.
import { createHash } from 'node:crypto';
import { open, readFile, rename, stat, unlink } from 'node:fs/promises';
import type { StoreChange } from '../records.ts';

export interface StoreSnapshot {
  /** Wall-clock milliseconds at which the API server was last heard. */
  readonly takenMs: number;
  readonly records: readonly StoreChange[];
}

/** The snapshot cannot be used; the message gives the reason. */
export class UnusableStoreSnapshot extends Error {
  override readonly name = 'UnusableStoreSnapshot';
}

const VERSION = 1;
const MAX_BYTES = 512 * 1024 * 1024;
const LINES_PER_WRITE = 500;

/** `of` identifies the cluster and namespace. Replaces the file atomically. */
export async function writeStoreSnapshot(file: string, of: string, { takenMs, records }: StoreSnapshot): Promise<void> {
  const temporary = `${file}.${process.pid}.tmp`;
  const hash = createHash('sha256');
  try {
    const handle = await open(temporary, 'w', 0o600);
    try {
      const header = { healthdnsCloudMap: VERSION, of, takenMs };
      for (let at = -1; at < records.length; at += LINES_PER_WRITE) {
        const lines = [...(at < 0 ? [header] : []), ...records.slice(Math.max(0, at), at + LINES_PER_WRITE)];
        const text = lines.map((line) => `${JSON.stringify(line)}\n`).join('');
        hash.update(text);
        await handle.write(text);
      }
      await handle.write(`${JSON.stringify({ sha256: hash.digest('hex') })}\n`);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
  } catch (error) {
    await unlink(temporary).catch(() => {}); // it may not exist; the first error is the reason
    throw error;
  }
}

/** undefined: no file. A damaged file is renamed to FILE.damaged. @throws UnusableStoreSnapshot */
export async function readStoreSnapshot(file: string, of: string): Promise<StoreSnapshot | undefined> {
  let text: string;
  try {
    if ((await stat(file)).size > MAX_BYTES) throw new UnusableStoreSnapshot(`it is larger than ${MAX_BYTES} bytes`);
    text = await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  const footer = text.lastIndexOf('\n', text.length - 2) + 1;
  const sha256 = createHash('sha256').update(text.slice(0, footer)).digest('hex');
  if (text.slice(footer) !== `${JSON.stringify({ sha256 })}\n`) {
    await rename(file, `${file}.damaged`);
    throw new UnusableStoreSnapshot(`it is damaged, and was renamed to ${file}.damaged`);
  }
  const [header, ...records] = text
    .slice(0, footer - 1)
    .split('\n')
    .map((line) => JSON.parse(line));
  if (header.healthdnsCloudMap !== VERSION) throw new UnusableStoreSnapshot('another version of healthdns wrote it');
  if (header.of !== of) throw new UnusableStoreSnapshot(`it belongs to ${String(header.of)}, not to ${of}`);
  return { takenMs: header.takenMs, records };
}
