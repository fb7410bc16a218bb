// Everything that the page shows comes from outside: names, reasons, output of commands. JSX escapes it; what can still
// mislead people are characters that cannot be seen, or that change the order of others, and length.

const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u;
const ALL_UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;
const MAX_LENGTH = 500;

/** The same value with every text in it fit to be shown. */
export function cleaned<Value>(value: Value): Value {
  return clean(value) as Value;
}

function clean(value: unknown): unknown {
  if (typeof value === 'string') return cleanText(value);
  if (Array.isArray(value)) return value.map(clean);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, clean(one)]));
}

export function cleanText(text: string): string {
  const more = text.length - MAX_LENGTH;
  const shown = more > 0 ? `${text.slice(0, MAX_LENGTH)}… (${more} more characters)` : text;
  return UNSEEN.test(shown) ? shown.replaceAll(ALL_UNSEEN, '\u{fffd}') : shown;
}
