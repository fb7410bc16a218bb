// Strings of Protocol Buffers, which are UTF-8. Words that come again and again (namespaces, nodes, "Ready") are made once:
// to find a word that is known costs less than to make it, and a hundred thousand pods share it.

/** Known words by their hash; one takes another's place. */
const known: string[] = new Array(4096).fill('');
const MAX_WORD_BYTES = 64;

/** What is no UTF-8 becomes U+FFFD, as in JSON. */
export const textOf = (buffer: Buffer, start: number, end: number): string => buffer.toString('utf8', start, end);

/** As `textOf`; equal ones are one string as long as it is remembered. */
export function wordOf(buffer: Buffer, start: number, end: number): string {
  if (end - start > MAX_WORD_BYTES) return textOf(buffer, start, end);
  let hash = 0x811c_9dc5;
  let allBits = 0;
  for (let at = start; at < end; at++) {
    allBits |= buffer[at];
    hash = Math.imul(hash ^ buffer[at], 0x0100_0193);
  }
  if (allBits > 0x7f) return textOf(buffer, start, end);
  const place = (hash ^ (hash >>> 15)) & (known.length - 1);
  if (!isWord(known[place], buffer, start, end)) known[place] = textOf(buffer, start, end);
  return known[place];
}

function isWord(word: string, buffer: Buffer, start: number, end: number): boolean {
  if (word.length !== end - start) return false;
  for (let i = 0; i < word.length; i++) if (word.charCodeAt(i) !== buffer[start + i]) return false;
  return true;
}
