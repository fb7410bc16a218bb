// A source's snapshot on disk: one JSON value a line, a header first and a footer last, so that a file that was cut off
// or was written by another version is never half believed.
import { createReadStream } from 'node:fs';
import { open, rename, unlink } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import type { Statement } from './recorder.ts';

export interface Snapshot {
  /** Wall-clock milliseconds at which the source was last known to be right. */
  readonly takenMs: number;
  readonly statements: readonly Statement[];
  /** Keys of the known objects, by the label of their kind. */
  readonly keys: ReadonlyMap<string, readonly string[]>;
}

interface Header {
  readonly healthdnsSnapshot: number;
  /** Source and zone: a snapshot of another cluster is not ours. */
  readonly of: string;
  readonly takenMs: number;
}

/** Raised when what is stated changes its form: older files are then left aside. */
const VERSION = 1;
const MAX_LINES = 5_000_000;
const LINES_A_WRITE = 500;
const MAX_HEADER_BYTES = 4096;

/** Why a snapshot cannot be used. */
export class UnusableSnapshot extends Error {
  override readonly name = 'UnusableSnapshot';
}

/** Writes a new file beside and puts it in place of the old one, whole or not at all. */
export async function writeSnapshot(
  file: string,
  of: string,
  takenMs: number,
  lines: Iterable<Statement | { readonly kind: string; readonly key: string }>,
): Promise<void> {
  const temporary = `${file}.${process.pid}.tmp`;
  try {
    const handle = await open(temporary, 'w', 0o600);
    try {
      const header: Header = { healthdnsSnapshot: VERSION, of, takenMs };
      let pending = [JSON.stringify(header)];
      let count = 0;
      for (const line of lines) {
        pending.push(JSON.stringify(line));
        count++;
        if (pending.length < LINES_A_WRITE) continue;
        await handle.write(`${pending.join('\n')}\n`); // also lets others run
        pending = [];
      }
      await handle.write(`${[...pending, JSON.stringify({ end: count })].join('\n')}\n`);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
  } catch (error) {
    await unlink(temporary).catch(() => {}); // it may not be there; the first error says why
    throw error;
  }
}

/** undefined where there is no file. Throws UnusableSnapshot for one that is cut off, foreign or of another version. */
export async function readSnapshot(file: string, of: string): Promise<Snapshot | undefined> {
  const statements: Statement[] = [];
  const keys = new Map<string, string[]>();
  let header: Header | undefined;
  let count = 0;
  let ended = false;
  try {
    await refuseForeign(file);
    for await (const text of createInterface({ input: createReadStream(file) })) {
      const line = parse(text);
      if (header === undefined) header = checkHeader(line as Partial<Header>, of);
      else if ('end' in line) ended = line.end === count;
      else {
        if (++count > MAX_LINES) throw new UnusableSnapshot(`it has more than ${MAX_LINES} lines`);
        if ('kind' in line) append(keys, String(line.kind), String(line.key));
        else statements.push(line as unknown as Statement);
      }
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  if (header === undefined || !ended) throw new UnusableSnapshot('it is cut off');
  return { takenMs: header.takenMs, statements, keys };
}

/** Before anything is read whole: another file may be one line of any length. */
async function refuseForeign(file: string): Promise<void> {
  const handle = await open(file);
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(MAX_HEADER_BYTES));
    const end = buffer.subarray(0, bytesRead).indexOf('\n');
    if (bytesRead > 0 && end < 0) throw new UnusableSnapshot('it does not begin with a line of a snapshot');
  } finally {
    await handle.close();
  }
}

function append(keys: Map<string, string[]>, kind: string, key: string): void {
  const known = keys.get(kind);
  if (known === undefined) keys.set(kind, [key]);
  else known.push(key);
}

function parse(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  } catch {
    // said below
  }
  throw new UnusableSnapshot('it has a line that is not a JSON object');
}

function checkHeader(header: Partial<Header>, of: string): Header {
  if (header.healthdnsSnapshot !== VERSION)
    throw new UnusableSnapshot('it was written by another version of healthdns');
  if (header.of !== of) throw new UnusableSnapshot(`it is of ${String(header.of)}, not of ${of}`);
  if (typeof header.takenMs !== 'number') throw new UnusableSnapshot('it does not say when it was taken');
  return header as Header;
}
