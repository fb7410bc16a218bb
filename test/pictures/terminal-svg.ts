// A terminal session as an SVG of text: lines appear as they did, again and again; all at once where motion is reduced.
export interface Line {
  readonly atMs: number;
  /** event: what happens outside of the terminal. */
  readonly kind: 'typed' | 'shown' | 'event';
  readonly text: string;
}

const [WIDTH, LINE_HEIGHT, TOP, LEFT] = [860, 19, 46, 18];
/** Of a monospace letter at 13 px. */
const LETTER = 7.83;
const MAX_LETTERS = Math.floor((WIDTH - 2 * LEFT) / LETTER);
/** The last line stays this long. */
const REST_MS = 6_000;

const escaped = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

export function terminalSvg(lines: readonly Line[], title: string): string {
  const folded = lines.flatMap(fold);
  const height = TOP + folded.length * LINE_HEIGHT + 12;
  const totalMs = folded.at(-1)!.atMs + REST_MS;
  const moments = [...new Set(folded.map(({ atMs }) => atMs))];
  const frames = moments.map((atMs, i) => {
    const percent = ((100 * atMs) / totalMs).toFixed(2);
    return `.at${i} { animation: at${i} ${totalMs}ms step-end infinite; } @keyframes at${i} { 0% { opacity: 0 } ${percent}% { opacity: 1 } }`;
  });
  const body = folded.map(
    ({ atMs, kind, text }, i) =>
      `<text class="${kind} at${moments.indexOf(atMs)}" x="${LEFT}" y="${TOP + (i + 0.7) * LINE_HEIGHT}" xml:space="preserve">${
        kind === 'typed' ? `<tspan class="prompt">$ </tspan>${escaped(text)}` : escaped(text)
      }</text>`,
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-labelledby="title text">
<title id="title">${escaped(title)}</title>
<desc id="text">${escaped(folded.map(({ text }) => text).join('\n'))}</desc>
<style>
  text { font: 13px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; fill: #d1d7e0; }
  .prompt { fill: #3fb950; } .typed { fill: #f0f6fc; } .event { fill: #d29922; font-style: italic; }
  @media (prefers-reduced-motion: no-preference) { ${frames.join(' ')} }
</style>
<rect width="${WIDTH}" height="${height}" rx="8" fill="#0d1117" stroke="#3d444d"/>
<g fill="#3d444d"><circle cx="22" cy="20" r="5.5"/><circle cx="40" cy="20" r="5.5"/><circle cx="58" cy="20" r="5.5"/></g>
${body.join('\n')}
</svg>
`;
}

/** Lines longer than the terminal, cut between words. */
function fold(line: Line): Line[] {
  const parts: string[] = [];
  const indent = `${/^ */.exec(line.text)![0]}  `;
  let rest = line.text;
  while (rest.length > MAX_LETTERS) {
    const end = rest.lastIndexOf(' ', MAX_LETTERS);
    parts.push(rest.slice(0, end));
    rest = indent + rest.slice(end + 1);
  }
  return [...parts, rest].map((text) => ({ ...line, text }));
}
