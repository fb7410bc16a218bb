// Tables as kubectl prints them: columns without lines, as wide as they need to be. States have a colour on a terminal.

export type Colour = 'good' | 'doubtful' | 'bad' | 'quiet';
export type Cell = string | readonly [text: string, colour: Colour];

const CODES: Readonly<Record<Colour, number>> = { good: 32, doubtful: 33, bad: 31, quiet: 2 };
const GAP = '   ';
const MAX_CELL = 100;

/** Whether output is coloured: on a terminal, unless NO_COLOR is set (https://no-color.org). */
export const wantsColour = (isTerminal: boolean, { NO_COLOR, TERM }: NodeJS.ProcessEnv): boolean =>
  isTerminal && (NO_COLOR === undefined || NO_COLOR === '') && TERM !== 'dumb';

/** Lines of the table, without control characters of its content. The last column is not padded. */
export function table(header: readonly string[], rows: readonly (readonly Cell[])[], inColour: boolean): string[] {
  const all = [header.map((title): Cell => title), ...rows];
  const widths = header.map((_, column) => Math.max(...all.map((row) => textOf(row[column] ?? '').length)));
  return all.map((row) =>
    row
      .map((cell, column) => {
        const text = textOf(cell);
        const padding = column === row.length - 1 ? '' : ' '.repeat(widths[column] - text.length);
        return `${coloured(text, typeof cell === 'string' ? undefined : cell[1], inColour)}${padding}`;
      })
      .join(GAP)
      .trimEnd(),
  );
}

export const coloured = (text: string, colour: Colour | undefined, inColour: boolean): string =>
  inColour && colour !== undefined && text !== '' ? `\u001b[${CODES[colour]}m${text}\u001b[0m` : text;

function textOf(cell: Cell): string {
  const text = (typeof cell === 'string' ? cell : cell[0]).replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '?');
  return text.length > MAX_CELL ? `${text.slice(0, MAX_CELL - 1)}…` : text;
}
