// Why records are not answered, for the text beside an extended error: by slot, since a slot is one instance. Only answers that
// health has emptied read it.
import { MAX_EXTRA_TEXT } from '../../dns/extra-text.ts';
import { chunkOf, wordOf } from '../../memory/arena.ts';
import { BLOCK, DUPLICATE, RRSET, SLOT_MASK } from '../../plane/layout.ts';
import type { Table } from '../table/table.ts';

export interface Reasons {
  /** An empty text: the instance is answered, or removed. */
  replace(slot: number, text: string): void;
  /** "0 of 3 healthy: db-0 not ready" for an RRset of which nothing is answered; '' if no reason is known. */
  whyNone(table: Table, handle: number, rrset: number): string;
  /** The same for the first RRset of a name. */
  whyGone(table: Table, handle: number): string;
}

/** Instances whose reasons are read. */
const MAX_READ = 16;

export function createReasons(): Reasons {
  const texts = new Map<number, string>();

  const whyNone = (table: Table, handle: number, rrset: number): string => {
    if (texts.size === 0) return '';
    const words = table.arena.words[chunkOf(handle)];
    const block = wordOf(handle);
    const count = words[rrset + RRSET.COUNT];
    const first = block + words[rrset + RRSET.FIRST];
    const stride = words[rrset + RRSET.STRIDE];
    let why = '';
    for (let at = 0; at < count && at < MAX_READ; at++) {
      const slot = words[stride > 0 ? first + at * stride : block + words[first + at]];
      const text = texts.get(slot & SLOT_MASK & ~DUPLICATE);
      if (text !== undefined && why.length + text.length + 2 + COUNT_BYTES <= MAX_EXTRA_TEXT && !why.includes(text))
        why += why === '' ? text : `, ${text}`;
    }
    return why === '' ? '' : `0 of ${count} healthy: ${why}`;
  };

  return {
    replace(slot, text) {
      if (text === '') texts.delete(slot);
      else texts.set(slot, text);
    },
    whyNone,
    whyGone(table, handle) {
      const words = table.arena.words[chunkOf(handle)];
      const block = wordOf(handle);
      if (words[block + BLOCK.RRSETS] === 0) return '';
      return whyNone(table, handle, block + BLOCK.NAME_BYTES + (((words[block + BLOCK.NAME] & 0xff) + 3) >> 2));
    },
  };
}

/** "0 of 1000000 healthy: " */
const COUNT_BYTES = 22;
