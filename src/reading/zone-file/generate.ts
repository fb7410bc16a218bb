// $GENERATE: one entry for each number of a range, as in BIND's Administrator Reference Manual.

/** More names than any network needs; a range is easily mistyped. */
const MAX_GENERATED = 1 << 20;

export interface Range {
  readonly start: number;
  readonly stop: number;
  readonly step: number;
}

/** "1-10" or "1-10/2"; or the problem with it. */
export function parseRange(text: string): Range | string {
  const match = /^(\d{1,10})-(\d{1,10})(?:\/(\d{1,10}))?$/.exec(text);
  if (match === null) return `expected a range such as 1-10 or 1-10/2, got "${text.slice(0, 40)}"`;
  const [start, stop, step] = [Number(match[1]), Number(match[2]), Number(match[3] ?? 1)];
  if (start > stop) return `the range ${text} ends before it begins`;
  if (step === 0) return `the step of ${text} must be at least 1`;
  const count = Math.floor((stop - start) / step) + 1;
  return count > MAX_GENERATED
    ? `${text} gives ${count} records, at most ${MAX_GENERATED} are generated`
    : { start, stop, step };
}

/**
 * A template with `$` replaced by the number. `${offset,width,base}` adds an offset and pads with zeros; bases are d, o, x, X,
 * and n and N for nibbles in reverse order. `$$` and `\$` are a dollar sign. Throws RangeError.
 */
export function expand(template: string, value: number): string {
  return template.replace(/\\\$|\$\$|\$(?:\{([^}]*)\})?/g, (found, modifiers: string | undefined) => {
    if (found === '$$' || found === '\\$') return '$';
    return modifiers === undefined ? String(value) : modified(value, modifiers);
  });
}

function modified(value: number, modifiers: string): string {
  const match = /^([+-]?\d{1,10})(?:,(\d{1,3})(?:,([doxXnN]))?)?$/.exec(modifiers);
  if (match === null)
    throw new RangeError(
      `expected \${offset,width,base} with a base of d, o, x, X, n or N, got \${${modifiers.slice(0, 40)}}`,
    );
  const number = value + Number(match[1]);
  if (number < 0) throw new RangeError(`\${${modifiers}} is ${number} for ${value}: it must not be negative`);
  const width = Math.min(255, Number(match[2] ?? 0));
  const base = match[3] ?? 'd';
  if (base === 'n' || base === 'N') return nibbles(number, width, base);
  const digits = number.toString(base === 'd' ? 10 : base === 'o' ? 8 : 16).padStart(width, '0');
  return base === 'X' ? digits.toUpperCase() : digits;
}

/** "f.e.0.0": the width counts the dots. */
function nibbles(number: number, width: number, base: string): string {
  const count = Math.ceil((width + 1) / 2);
  const digits = number.toString(16).padStart(count, '0');
  const reversed = [...digits].reverse().join('.');
  return base === 'N' ? reversed.toUpperCase() : reversed;
}
