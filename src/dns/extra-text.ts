// The text beside an extended error (EXTRA-TEXT, RFC 8914 section 2): for people, so it is short, and printable ASCII.

/** With it, a response without records fits into 512 bytes whatever its question is. */
export const MAX_EXTRA_TEXT = 200;

/** Reasons come from outside: other characters are replaced, and a long text is cut. */
export function extraText(text: string, most = MAX_EXTRA_TEXT): string {
  const printable = text.replaceAll(/[^\x20-\x7e]+/g, '?');
  return printable.length <= most ? printable : `${printable.slice(0, most - 3)}...`;
}
