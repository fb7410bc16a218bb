// `npm run bench:containers`: what the containers of src/memory/ save against those of the language. Bytes an entry after a
// full collection, 100,000 entries each.
import { Arena } from '../src/memory/arena.ts';
import { createIdTable } from '../src/memory/id-table.ts';
import { added } from '../src/memory/one-or-many.ts';
import { cutBytes } from '../src/memory/short-lived-bytes.ts';
import { createSlab } from '../src/memory/slab.ts';
import { TextTable } from '../src/memory/text-table.ts';

const ENTRIES = 100_000;
const rows: string[] = [];
const kept: unknown[] = [];

function usedBytes(): number {
  if (globalThis.gc === undefined) throw new Error('run with node --expose-gc, or by npm run bench:containers');
  for (let i = 0; i < 4; i++) globalThis.gc();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** Bytes an entry of what `make` returns. */
function bytesOf(make: () => unknown): number {
  const before = usedBytes();
  kept.push(make());
  return (usedBytes() - before) / ENTRIES;
}

/** Milliseconds: the median of some runs. */
function timeOf(run: () => void): number {
  const times = Array.from({ length: 21 }, () => {
    const start = performance.now();
    run();
    return performance.now() - start;
  });
  return times.sort((a, b) => a - b)[10];
}

function row(what: string, ours: number, others: number, unit: string): void {
  rows.push(
    `| ${what} | ${ours.toFixed(unit === 'ms' ? 2 : 0)} | ${others.toFixed(unit === 'ms' ? 2 : 0)} | ${unit} |`,
  );
}

const each = <T>(make: (i: number) => T): T[] => Array.from({ length: ENTRIES }, (_, i) => make(i));

/** Flat strings: a concatenated one is copied when it is first read. */
const subjects = each((i) => ({ text: Buffer.from(`pod/default/web-${i}`).toString('latin1') }));
row(
  'TextTable / Map of objects by their text',
  bytesOf(() => {
    const table = new TextTable<{ text: string }>(({ text }) => text);
    for (const subject of subjects) table.set(subject);
    return table;
  }),
  bytesOf(() => new Map(subjects.map((subject) => [subject.text, subject]))),
  'bytes',
);

const member = {};
row(
  'OneOrMany / Set, of one member',
  bytesOf(() => each(() => ({ members: added(undefined, member) }))),
  bytesOf(() => each(() => ({ members: new Set([member]) }))),
  'bytes',
);

/** Packed cache entries have 64 bytes beside the message. */
const messageBytes = (i: number) => 60 + (i % 120);
row(
  'slab / object with a Uint8Array, of a cached answer',
  bytesOf(() => {
    const slab = createSlab();
    return { slab, handles: Int32Array.from({ length: ENTRIES }, (_, i) => slab.allocate(64 + messageBytes(i))) };
  }),
  bytesOf(() =>
    each((i) => ({ bytes: new Uint8Array(messageBytes(i)), numbers: new Array(12).fill(i), storedMs: i + 0.5 })),
  ),
  'bytes',
);

/** A cache of 32 MiB whose answers become larger: what is held in the end for each byte that is in use. */
function heldByChurn(allocate: (bytes: number) => number, free: (handle: number) => void, held: () => number): number {
  const limit = 32 << 20;
  const queue: [handle: number, bytes: number][] = [];
  let first = 0;
  let live = 0;
  for (const size of [150, 230, 310, 430, 560, 700, 900, 1100, 1400, 1900]) {
    for (let total = 0; total < 2 * limit; total += size) {
      queue.push([allocate(size), size]);
      live += size;
      while (live > limit) {
        const [handle, bytes] = queue[first++];
        free(handle);
        live -= bytes;
      }
    }
  }
  return held() / live;
}

const slab = createSlab();
const arena = new Arena();
const chunks = new Map<object, number>();
row(
  'slab / arena whose blocks never move, of cached answers that change size',
  heldByChurn(
    (bytes) => {
      const handle = slab.allocate(bytes);
      const chunk = slab.chunkOf(handle);
      chunks.set(chunk, (chunks.get(chunk) ?? 0) + 1);
      return handle;
    },
    (handle) => {
      const chunk = slab.chunkOf(handle);
      slab.free(handle);
      const left = chunks.get(chunk)! - 1;
      if (left === 0) chunks.delete(chunk);
      else chunks.set(chunk, left);
    },
    () => [...chunks.keys()].reduce((sum, chunk) => sum + (chunk as { bytes: Uint8Array }).bytes.length, 0),
  ),
  heldByChurn(
    (bytes) => arena.allocate(bytes >> 2),
    arena.free,
    () => 4 * arena.totalWords(),
  ),
  'times',
);

const attempt = {};
const table = createIdTable<object>(256);
const map = new Map<number, object>();
row(
  'IdTable / Map, 100,000 message IDs, 200 at a time',
  timeOf(() => {
    for (let i = 0; i < ENTRIES; i++) {
      table.add((i * 40_503) & 0xffff, attempt);
      if (i >= 200) table.delete(((i - 200) * 40_503) & 0xffff);
    }
    table.takeAll();
  }),
  timeOf(() => {
    for (let i = 0; i < ENTRIES; i++) {
      map.set((i * 40_503) & 0xffff, attempt);
      if (i >= 200) map.delete(((i - 200) * 40_503) & 0xffff);
    }
    map.clear();
  }),
  'ms',
);

row(
  'cutBytes / new Uint8Array, 100,000 SRV rdata of 70 bytes',
  timeOf(() => each(() => cutBytes(70))),
  timeOf(() => each(() => new Uint8Array(70))),
  'ms',
);

console.log(`| ours / the language's | ours | other | |\n| --- | ---: | ---: | --- |\n${rows.join('\n')}`);
