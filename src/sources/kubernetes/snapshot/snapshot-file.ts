// A snapshot on disk: one JSON object per line, first a header, last a footer with the number of lines and a hash over all
// preceding bytes. A file is used completely or not at all.
import { createHash } from 'node:crypto';
import { open, readdir, rename, stat, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { openRegularFile } from '../../../native/regular-file.ts';

export interface Snapshot {
  /** Wall-clock milliseconds at which its source was last confirmed. */
  readonly takenMs: number;
  readonly lines: readonly Line[];
}

export type Line = Readonly<Record<string, unknown>>;

interface Header {
  readonly healthdnsSnapshot: number;
  /** Source and zone: a snapshot of another cluster is not ours. */
  readonly of: string;
  readonly takenMs: number;
}

/** Increased when the format changes: older files are then ignored. */
const VERSION = 3;
const MAX_LINES = 5_000_000;
const MAX_LINE_BYTES = 64 * 1024 * 1024;
const LINES_A_WRITE = 500;
const MAX_HEADER_BYTES = 4096;
const NEWLINE = 0x0a;
/** Age of a file left by a process that was killed while writing; the file of a running process is younger. */
const STRAY_AFTER_MS = 60_000;

/** Not a snapshot of this source and version. */
export class UnusableSnapshot extends Error {
  override readonly name: string = 'UnusableSnapshot';
}

/** A snapshot of this source that has been damaged. */
export class DamagedSnapshot extends UnusableSnapshot {
  override readonly name = 'DamagedSnapshot';
}

/** Writes a new file and atomically replaces the old one. */
export async function writeSnapshot(file: string, of: string, takenMs: number, lines: Iterable<object>): Promise<void> {
  const temporary = `${file}.${process.pid}.tmp`;
  try {
    const handle = await open(temporary, 'w', 0o600);
    try {
      const hash = createHash('sha256');
      const write = async (texts: readonly string[]) => {
        const bytes = Buffer.from(`${texts.join('\n')}\n`);
        hash.update(bytes);
        await handle.write(bytes); // also lets others run
      };
      const header: Header = { healthdnsSnapshot: VERSION, of, takenMs };
      let pending = [JSON.stringify(header)];
      let count = 0;
      for (const line of lines) {
        pending.push(JSON.stringify(line));
        count++;
        if (pending.length < LINES_A_WRITE) continue;
        await write(pending);
        pending = [];
      }
      if (pending.length > 0) await write(pending);
      await handle.write(`${JSON.stringify({ end: count, sha256: hash.digest('hex') })}\n`);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
  } catch (error) {
    await unlink(temporary).catch(() => {}); // it may not exist; the first error is reported
    throw error;
  }
}

/** undefined: there is no file. Throws UnusableSnapshot, DamagedSnapshot or the system's error. */
export async function readSnapshot(file: string, of: string): Promise<Snapshot | undefined> {
  try {
    const { takenMs } = await readHeader(file, of);
    return { takenMs, lines: await readLines(file) };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Moves it aside, and keeps it for analysis. Returns its new name. */
export async function putAside(file: string): Promise<string> {
  const aside = `${file}.damaged`;
  await rename(file, aside);
  return aside;
}

/** Temporary files left by processes that were killed while writing this file. */
export async function removeStrays(file: string, nowMs: number): Promise<void> {
  const folder = dirname(file);
  const isStray = (name: string) => name.startsWith(`${basename(file)}.`) && /\.\d+\.tmp$/.test(name);
  for (const name of (await readdir(folder)).filter(isStray)) {
    const { mtimeMs } = await stat(join(folder, name));
    if (nowMs - mtimeMs > STRAY_AFTER_MS) await unlink(join(folder, name));
  }
}

/** Checked before reading everything: the file of another program may be a single line of any length. */
async function readHeader(file: string, of: string): Promise<Header> {
  const handle = await openRegularFile(file);
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(MAX_HEADER_BYTES));
    const end = buffer.subarray(0, bytesRead).indexOf(NEWLINE);
    const header = end < 0 ? undefined : (parse(buffer.subarray(0, end)) as Partial<Header> | undefined);
    if (header?.healthdnsSnapshot === undefined) throw new UnusableSnapshot('it does not begin with a snapshot header');
    if (header.healthdnsSnapshot !== VERSION)
      throw new UnusableSnapshot('it was written by another version of healthdns');
    if (header.of !== of) throw new UnusableSnapshot(`it is a snapshot of ${String(header.of)}, not of ${of}`);
    if (typeof header.takenMs !== 'number') throw new DamagedSnapshot('its header has no time');
    return header as Header;
  } finally {
    await handle.close();
  }
}

/** Between header and footer. */
async function readLines(file: string): Promise<Line[]> {
  const hash = createHash('sha256');
  const lines: Line[] = [];
  let last: Buffer | undefined;
  let count = 0;
  for await (const bytes of splitLines(file)) {
    if (last !== undefined) {
      hash.update(last).update('\n');
      if (count++ > 0) lines.push(parse(last) ?? damaged(`line ${count} is not a JSON object`));
    }
    last = bytes;
    if (count > MAX_LINES) throw new UnusableSnapshot(`it has more than ${MAX_LINES} lines`);
  }
  const footer = last === undefined ? undefined : parse(last);
  if (footer?.end !== lines.length) return damaged('it is cut off');
  if (footer.sha256 !== hash.digest('hex')) return damaged('its content does not match its hash');
  return lines;
}

async function* splitLines(file: string): AsyncGenerator<Buffer> {
  let rest: Buffer[] = [];
  let bytes = 0;
  const handle = await openRegularFile(file);
  for await (const chunk of handle.createReadStream() as AsyncIterable<Buffer>) {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      yield Buffer.concat([...rest, chunk.subarray(start, end)]);
      rest = [];
      bytes = 0;
      start = end + 1;
    }
    rest.push(chunk.subarray(start));
    bytes += chunk.length - start;
    if (bytes > MAX_LINE_BYTES) damaged(`a line is longer than ${MAX_LINE_BYTES} bytes`);
  }
  if (bytes > 0) damaged('it is cut off');
}

function parse(bytes: Buffer): Line | undefined {
  try {
    const value: unknown = JSON.parse(bytes.toString());
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Line) : undefined;
  } catch {
    return undefined;
  }
}

function damaged(problem: string): never {
  throw new DamagedSnapshot(problem);
}
