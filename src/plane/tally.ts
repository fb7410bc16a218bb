// A data thread's report on a few seconds of queries: the most frequent names, clients, and names answered with
// NXDOMAIN or SERVFAIL. One transferred buffer:
//
//   tally   | seconds | queries | entries of each view … | entries … |
//   entry   | count | error | length of the key | key |
//
// Numbers are 64-bit floats, lengths bytes.
import type { Heavy } from '../memory/space-saving.ts';

export const TOP_VIEWS = ['names', 'clients', 'nxdomain', 'servfail'] as const;
export type TopView = (typeof TOP_VIEWS)[number];

export interface Tally {
  readonly seconds: number;
  /** All queries, counted or not. */
  readonly queries: number;
  /** A key is a name in wire format and lower case, or an address of 4 or 16 bytes. */
  readonly views: Readonly<Record<TopView, readonly Heavy[]>>;
}

const NUMBER = 8;
const HEAD_BYTES = (2 + TOP_VIEWS.length) * NUMBER;
const ENTRY_BYTES = 2 * NUMBER + 1;

export function encodeTally({ seconds, queries, views }: Tally): ArrayBuffer {
  const lists = TOP_VIEWS.map((view) => views[view]);
  const size = lists.flat().reduce((sum, { key }) => sum + ENTRY_BYTES + key.length, HEAD_BYTES);
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  [seconds, queries, ...lists.map((list) => list.length)].forEach((number, i) => {
    view.setFloat64(i * NUMBER, number);
  });
  let at = HEAD_BYTES;
  for (const { key, count, error } of lists.flat()) {
    view.setFloat64(at, count);
    view.setFloat64(at + NUMBER, error);
    bytes[at + 2 * NUMBER] = key.length;
    bytes.set(key, at + ENTRY_BYTES);
    at += ENTRY_BYTES + key.length;
  }
  return bytes.buffer;
}

export function decodeTally(buffer: ArrayBuffer): Tally {
  const bytes = new Uint8Array(buffer);
  const view = new DataView(buffer);
  let at = HEAD_BYTES;
  const next = (): Heavy => {
    const start = at + ENTRY_BYTES;
    const end = start + bytes[at + 2 * NUMBER];
    const entry = { key: bytes.subarray(start, end), count: view.getFloat64(at), error: view.getFloat64(at + NUMBER) };
    at = end;
    return entry;
  };
  const lists = TOP_VIEWS.map((_, i) => Array.from({ length: view.getFloat64((2 + i) * NUMBER) }, next));
  return {
    seconds: view.getFloat64(0),
    queries: view.getFloat64(NUMBER),
    views: Object.fromEntries(TOP_VIEWS.map((name, i) => [name, lists[i]])) as unknown as Tally['views'],
  };
}
