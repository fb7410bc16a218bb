// Whether a name has anything that may be answered now.

import { chunkOf, wordOf } from '../../memory/arena.ts';
import { BLOCK, BLOCK_FLAG, POLICY, RRSET } from '../../plane/layout.ts';
import { policyOf, type Selector } from './select.ts';
import type { Table } from './table.ts';

/** Whether the name has a policy `nxdomain` and nothing at all of it may be answered: then it does not exist. */
export function isGone(table: Table, selector: Selector, handle: number): boolean {
  const words = table.arena.words[chunkOf(handle)];
  const block = wordOf(handle);
  if (((words[block + BLOCK.NAME] >> 16) & BLOCK_FLAG.MAY_NOT_EXIST) === 0) return false;
  const headers = block + BLOCK.NAME_BYTES + (((words[block + BLOCK.NAME] & 0xff) + 3) >> 2);
  for (let i = 0; i < words[block + BLOCK.RRSETS]; i++) {
    const rrset = headers + i * RRSET.WORDS;
    if (policyOf(words, rrset) === POLICY.ALL || selector.anyAlive(words, block, rrset)) return false;
  }
  return true;
}

/** Whether the name has records, and is not gone. */
export function hasRecords(table: Table, selector: Selector, handle: number): boolean {
  return table.arena.words[chunkOf(handle)][wordOf(handle) + BLOCK.RRSETS] > 0 && !isGone(table, selector, handle);
}
