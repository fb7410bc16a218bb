// Regular expressions of CoreDNS, which are searched for anywhere in a name, for healthdns, where they are for the whole name.

/** What precedes the pattern is as short as possible, so that its groups capture the same as when it is searched for. */
export function wholeName(pattern: string): string {
  if (hasAlternatives(pattern)) return `.*?(?:${pattern}).*`;
  const isEndAnchored = /(?<!\\)(\\\\)*\$$/.test(pattern);
  const start = pattern.startsWith('^') ? '' : '.*?';
  return `${start}${pattern.slice(start === '' ? 1 : 0, isEndAnchored ? -1 : undefined)}${isEndAnchored ? '' : '.*'}`;
}

/** Whether a "|" stands outside all groups: an anchor is then that of one alternative only. */
function hasAlternatives(pattern: string): boolean {
  let rest = pattern.replaceAll(/\\[\s\S]|\[\^?\]?(?:\\[\s\S]|[^\]])*\]/g, '');
  for (let shorter = ''; shorter !== rest; ) {
    shorter = rest;
    rest = rest.replaceAll(/\([^()]*\)/g, '');
  }
  return rest.includes('|');
}
