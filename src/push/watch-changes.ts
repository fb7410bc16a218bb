// Which subscriptions a change of the table concerns. Asked before the change is applied: it compares with what was there.
import { parentOf, type WireName } from '../dns/name.ts';
import { type HashSeed, hashName } from '../dns/name-hash.ts';
import { chunkOf, wordOf } from '../memory/arena.ts';
import { BLOCK, BLOCK_FLAG } from '../plane/layout.ts';
import type { ChangeTarget } from '../plane/messages.ts';
import { type Table, wordsOf } from '../server/table/table.ts';
import type { Key, Keys } from './keys.ts';

/** Marks keys whose records may be others. */
export function createChangeWatcher(
  keys: Keys,
  table: Table,
  seed: HashSeed,
  changed: (key: Key, isRestructured: boolean) => void,
): ChangeTarget {
  const restructured = (concerned: Iterable<Key>): void => {
    for (const key of concerned) changed(key, true);
  };

  /** Of the name's block; -1: there is none. */
  const flagsBefore = (hash: number, nameWords: Int32Array, length: number): number => {
    const handle = table.findWords(hash, nameWords, length);
    return handle < 0 ? -1 : table.arena.words[chunkOf(handle)][wordOf(handle) + BLOCK.NAME] >>> 16;
  };

  /** `after` and `before` are flags of the block, -1: none. */
  const nameChanges = (hash: number, name: WireName, before: number, after: number): void => {
    if (keys.size === 0) return;
    restructured(keys.ofName(hash));
    // Every zone's apex has NS records: only those that come or go make a cut, or an end of one.
    const either = Math.max(0, before) | Math.max(0, after);
    const both = Math.max(0, before) & Math.max(0, after);
    if ((either & ~both & (BLOCK_FLAG.HAS_NS | BLOCK_FLAG.HAS_DNAME)) !== 0) {
      restructured(keys.all());
      return;
    }
    // Names below it that do not exist have another closest encloser, or synthesis.
    const decidesBelow = BLOCK_FLAG.HAS_DNAME | BLOCK_FLAG.SYNTHESIZES_PODS;
    if (before < 0 || after < 0 || (either & decidesBelow) !== 0) restructured(keys.below(hash));
    if ((either & BLOCK_FLAG.WILDCARD) !== 0) restructured(keys.below(hashName(parentOf(name) ?? name, seed)));
  };

  const blockChanges = (words: Int32Array, at: number): void => {
    const length = words[at + BLOCK.NAME] & 0xff;
    const start = at + BLOCK.NAME_BYTES;
    const nameWords = words.subarray(start, start + ((length + 3) >> 2));
    const name = new Uint8Array(words.buffer, words.byteOffset + start * 4, length);
    const hash = words[at + BLOCK.HASH];
    nameChanges(hash, name, flagsBefore(hash, nameWords, length), words[at + BLOCK.NAME] >>> 16);
  };

  return {
    replaceName: blockChanges,
    replaceParts: (_isWhole, [{ words }]) => blockChanges(words, 0),
    removeName(hash, name) {
      nameChanges(hash, name, flagsBefore(hash, wordsOf(name), name.length), -1);
    },
    replaceZone: () => restructured(keys.all()),
    removeZone: () => restructured(keys.all()),
    replaceReason(slot) {
      // Only an answer that health has emptied says why.
      for (const key of keys.ofSlot(slot)) if (key.sent.records.size === 0) changed(key, false);
    },
    podName: (hash) => restructured(keys.ofName(hash)),
  };
}
