// Changes ↔ bytes. Names, and parts of large ones, are sent as blocks ready to be copied into a table (layout.ts), in messages of
// bounded size.

import type { WireName } from '../dns/name.ts';
import { type HashSeed, hashName } from '../dns/name-hash.ts';
import { createWordWriter, type WordWriter } from '../memory/word-writer.ts';
import { compileName } from './compile.ts';
import { compilePackedName } from './compile-packed.ts';
import { BLOCK, ENTRY, ENTRY_HEADER_WORDS, ZONE_FLAG } from './layout.ts';
import { nameEnd, unpackName } from './packed-names.ts';
import { keyOfName } from './pod-names.ts';
import type { Change, ZoneState } from './records.ts';

/** A message ends after the change that exceeds this: small enough to be applied in well under 1 ms. */
const MESSAGE_BYTES = 64 * 1024;

/** A change of one name, zone or slot. */
type Single = Exclude<Change, { kind: 'replace-names' }>;

/** Encoding is synchronous, so all of it uses the same memory. */
const writer = createWordWriter();

/**
 * Consumes changes until the message is full or none is left; undefined: there were none. Changes that cannot be encoded
 * are skipped and passed to `onBad`.
 */
export function encodeChanges(
  changes: Iterator<Change>,
  seed: HashSeed,
  onBad: (change: Change, error: Error) => void,
): ArrayBuffer | undefined {
  writer.truncate(0);
  while (writer.length * 4 < MESSAGE_BYTES) {
    const next = changes.next();
    if (next.done) break;
    if (next.value.kind === 'replace-names') {
      encodePacked(next.value.packed, seed, onBad);
      continue;
    }
    const start = writer.length;
    try {
      encodeChange(writer, next.value, seed);
      writer.words[start + 1] = writer.length - start - ENTRY_HEADER_WORDS;
    } catch (error) {
      writer.truncate(start);
      onBad(next.value, error as Error);
    }
  }
  return writer.length === 0 ? undefined : writer.finish();
}

/** An entry for each name. */
function encodePacked(packed: Uint8Array, seed: HashSeed, onBad: (change: Change, error: Error) => void): void {
  for (let at = 0; at < packed.length; ) {
    const end = nameEnd(packed, at);
    const start = writer.length;
    try {
      writer.putWord(ENTRY.REPLACE_NAME);
      writer.putWord(0);
      compilePackedName(writer, packed, at, end, seed);
      writer.words[start + 1] = writer.length - start - ENTRY_HEADER_WORDS;
    } catch (error) {
      writer.truncate(start);
      onBad({ kind: 'replace-name', records: unpackName(packed.subarray(at, end)) }, error as Error);
    }
    at = end;
  }
}

/** A part of a name: a block of that name which has only the part's records. */
export interface PartBlock {
  readonly part: number;
  readonly words: Int32Array;
}

/** The handlers of a data thread for the entries of a message. */
export interface ChangeTarget {
  /** The block begins at `words[at]`; it is copied. */
  replaceName(words: Int32Array, at: number): void;
  /** `blocks` are copies. */
  replaceParts(isWhole: boolean, blocks: readonly PartBlock[]): void;
  removeName(hash: number, name: WireName): void;
  replaceZone(hash: number, zone: ZoneState): void;
  removeZone(hash: number, name: WireName): void;
  replaceReason(slot: number, text: string): void;
  podName(hash: number, key: number, exists: boolean): void;
}

/** Applies the entry at `at` and returns the offset of the next. */
export function applyEntry(words: Int32Array, at: number, target: ChangeTarget): number {
  const body = at + ENTRY_HEADER_WORDS;
  switch (words[at]) {
    case ENTRY.REPLACE_NAME:
      target.replaceName(words, body);
      break;
    case ENTRY.REPLACE_PARTS:
      target.replaceParts(words[body] === 1, decodeParts(words, body + 1));
      break;
    case ENTRY.REMOVE_NAME:
      target.removeName(words[body], bytesAt(words, body + 1));
      break;
    case ENTRY.REPLACE_ZONE:
      target.replaceZone(words[body], decodeZone(words, body + 1));
      break;
    case ENTRY.REMOVE_ZONE:
      target.removeZone(words[body], bytesAt(words, body + 1));
      break;
    case ENTRY.REPLACE_REASON:
      target.replaceReason(words[body], textOf(bytesAt(words, body + 1)));
      break;
    case ENTRY.POD_NAME:
      target.podName(words[body], words[body + 1], words[body + 2] === 1);
      break;
    default:
      throw new Error(`a message to a data thread has an entry of kind ${words[at]} at word ${at}`);
  }
  return body + words[at + 1];
}

function encodeChange(writer: WordWriter, change: Single, seed: HashSeed): void {
  switch (change.kind) {
    case 'replace-name':
      writer.putWord(ENTRY.REPLACE_NAME);
      writer.putWord(0);
      compileName(writer, change.records, seed);
      break;
    case 'replace-parts':
      writer.put(ENTRY.REPLACE_PARTS, 0, change.isWhole ? 1 : 0, change.parts.length);
      for (const { part, rrsets } of change.parts) {
        writer.putWord(part);
        compileName(writer, { name: change.name, rrsets }, seed);
      }
      break;
    case 'remove-name':
      writer.put(ENTRY.REMOVE_NAME, 0, hashName(change.name, seed));
      putCounted(writer, change.name);
      break;
    case 'replace-zone':
      writer.put(ENTRY.REPLACE_ZONE, 0, hashName(change.zone.name, seed));
      encodeZone(writer, change.zone);
      break;
    case 'remove-zone':
      writer.put(ENTRY.REMOVE_ZONE, 0, hashName(change.name, seed));
      putCounted(writer, change.name);
      break;
    case 'pod-name':
      writer.put(ENTRY.POD_NAME, 0, hashName(change.name, seed));
      writer.put(keyOfName(change.name), change.exists ? 1 : 0);
      break;
    case 'replace-reason':
      writer.put(ENTRY.REPLACE_REASON, 0, change.slot);
      putCounted(writer, Buffer.from(change.text, 'latin1'));
      break;
  }
}

function decodeParts(words: Int32Array, at: number): PartBlock[] {
  let next = at + 1;
  return Array.from({ length: words[at] }, () => {
    const [part, block] = [words[next], next + 1];
    next = block + words[block + BLOCK.SIZE];
    return { part, words: words.slice(block, next) };
  });
}

function encodeZone(writer: WordWriter, zone: ZoneState): void {
  const { ready, stale, partial } = zone;
  const flags =
    (ready ? ZONE_FLAG.READY : 0) | (stale ? ZONE_FLAG.STALE : 0) | (partial === true ? ZONE_FLAG.PARTIAL : 0);
  writer.put(flags, zone.fallthrough.length);
  putCounted(writer, zone.name);
  for (const suffix of zone.fallthrough) putCounted(writer, suffix);
  putCounted(writer, Buffer.from(zone.why ?? '', 'latin1'));
}

function decodeZone(words: Int32Array, at: number): ZoneState {
  const flags = words[at];
  const name = bytesAt(words, at + 2);
  const fallthrough: WireName[] = [];
  let next = at + 3 + ((name.length + 3) >> 2);
  for (let i = words[at + 1]; i > 0; i--) {
    const suffix = bytesAt(words, next);
    fallthrough.push(suffix);
    next += 1 + ((suffix.length + 3) >> 2);
  }
  const why = textOf(bytesAt(words, next));
  return {
    name,
    ready: (flags & ZONE_FLAG.READY) !== 0,
    stale: (flags & ZONE_FLAG.STALE) !== 0,
    partial: (flags & ZONE_FLAG.PARTIAL) !== 0,
    fallthrough,
    why,
  };
}

const textOf = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');

function putCounted(writer: WordWriter, bytes: Uint8Array): void {
  writer.put(bytes.length);
  writer.putBytes(bytes);
}

/** A copy of bytes written by `putCounted`. */
function bytesAt(words: Int32Array, at: number): Uint8Array {
  return new Uint8Array(words.buffer, words.byteOffset + (at + 1) * 4, words[at]).slice();
}

/** Identifies changes that replace each other while they wait: later states of the same name, zone or slot. */
export function changeKey(change: Single): string {
  if (change.kind === 'replace-reason') return `r${change.slot}`;
  const zone = change.kind === 'replace-zone' || change.kind === 'remove-zone';
  const name =
    change.kind === 'replace-name'
      ? change.records.name
      : change.kind === 'replace-zone'
        ? change.zone.name
        : change.name;
  return (
    (zone ? 'z' : change.kind === 'pod-name' ? 'p' : 'n') +
    Buffer.from(name.buffer, name.byteOffset, name.length).toString('latin1')
  );
}
