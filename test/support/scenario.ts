// A tiny language for what is served and what is answered (test/scenarios/README.md). Text → scenarios.
import { FLAG, parseType, RCODE } from '../../src/dns/types.ts';
import { parseClass } from './zone-text.ts';

export interface Scenario {
  readonly title: string;
  readonly place: string;
  readonly steps: readonly Step[];
}

export type Step =
  | { readonly kind: 'zone'; readonly name: string; readonly words: readonly string[] }
  | { readonly kind: 'remove-zone'; readonly name: string }
  | { readonly kind: 'record'; readonly line: RecordLine }
  | { readonly kind: 'policy'; readonly name: string; readonly type: number; readonly values: Values }
  /** `verified`: the labels of pods, without which every address is answered. */
  | { readonly kind: 'pods'; readonly name: string; readonly ttlSeconds: number; readonly verified: readonly string[] }
  | { readonly kind: 'health'; readonly labels: readonly string[]; readonly up: boolean }
  | { readonly kind: 'ask'; readonly place: string; readonly ask: Ask; readonly expect: Expectation };

export type Values = Readonly<Record<string, string>>;

export interface RecordLine {
  readonly name: string;
  readonly ttlSeconds: number;
  readonly type: string;
  readonly value: string;
  readonly slot: string | undefined;
  readonly weight: number;
}

export interface Ask {
  readonly raw: Uint8Array | undefined;
  readonly name: string;
  readonly type: number;
  readonly class: number;
  readonly opcode: number;
  readonly flags: number;
  readonly edns:
    | { readonly version: number; readonly udpBytes: number; readonly dnssecOk: boolean; readonly option: boolean }
    | undefined;
  /** Only over this transport. */
  readonly only: 'udp' | 'tcp' | undefined;
}

export interface Expectation {
  readonly nothing: boolean;
  readonly rcode: number;
  /** "aa", "aa tc", …; QR is always expected. */
  readonly flags: string;
  readonly ede: number | undefined;
  /** The answer has so many of the answer lines; undefined: all. */
  readonly some: number | undefined;
  readonly answer: readonly string[];
  readonly authority: readonly string[];
  readonly additional: readonly string[];
}

/** Throws with file and line where the text is not in the language. */
export function parseScenarios(file: string, text: string): Scenario[] {
  const scenarios: { title: string; place: string; steps: Step[] }[] = [];
  const lines = text.split('\n');
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i].replace(/\s+$/, '');
    const place = `${file}:${i + 1}`;
    if (line === '' || line.startsWith('#')) continue;
    if (line.startsWith('scenario ')) {
      scenarios.push({ title: line.slice(9), place, steps: [] });
      continue;
    }
    const steps = scenarios.at(-1)?.steps;
    if (steps === undefined) throw new Error(`${place}: a line before the first scenario`);
    try {
      if (line.startsWith('ask ') || line.startsWith('send ')) {
        const indented: string[] = [];
        while (/^ {2}\S/.test(lines[i + 1] ?? '')) indented.push(lines[++i].trim());
        steps.push({ kind: 'ask', place, ask: parseAsk(line), expect: parseExpectation(indented) });
      } else steps.push(parseStep(line));
    } catch (error) {
      throw new Error(`${place}: ${(error as Error).message}`);
    }
  }
  return scenarios;
}

function parseStep(line: string): Step {
  const [first, ...words] = line.split(/\s+/);
  switch (first) {
    case 'zone':
      return { kind: 'zone', name: words[0], words: words.slice(1) };
    case 'remove-zone':
      return { kind: 'remove-zone', name: words[0] };
    case 'policy':
      return { kind: 'policy', name: words[0], type: typeOf(words[1]), values: valuesOf(words.slice(2)) };
    case 'pods':
      return { kind: 'pods', name: words[0], ttlSeconds: Number(words[1]), verified: words.slice(2) };
    case 'up':
    case 'down':
      return { kind: 'health', labels: words, up: first === 'up' };
    default:
      return { kind: 'record', line: parseRecordLine(line) };
  }
}

/** `name ttl TYPE value ; slot=x weight=2`; `name exists` is a name without records. */
function parseRecordLine(line: string): RecordLine {
  const [record, options = ''] = line.split(/\s+;\s*/);
  const exists = /^(\S+) exists$/.exec(record);
  const { slot, weight = '1' } = valuesOf(options.split(/\s+/));
  if (exists) return { name: exists[1], ttlSeconds: 0, type: '', value: '', slot, weight: 1 };
  const parts = /^(\S+)\s+(\d+)\s+(\S+)\s+(.*)$/.exec(record);
  if (!parts) throw new Error(`not a record, and no other kind of line: ${line}`);
  return {
    name: parts[1],
    ttlSeconds: Number(parts[2]),
    type: parts[3],
    value: parts[4],
    slot,
    weight: Number(weight),
  };
}

function parseAsk(line: string): Ask {
  const [verb, ...words] = line.split(/\s+/);
  const only = words.includes('udp') ? 'udp' : words.includes('tcp') ? 'tcp' : undefined;
  const values = valuesOf(words);
  const raw =
    verb === 'send'
      ? Uint8Array.from(Buffer.from(words.filter((word) => /^[0-9a-f]+$/.test(word)).join(''), 'hex'))
      : undefined;
  const edns = words.some((word) => /^(edns|do|version|option)(=|$)/.test(word));
  return {
    raw,
    name: raw ? '.' : words[0],
    type: raw ? 0 : typeOf(words[1]),
    class: parseClass(values.class ?? 'IN') ?? 0,
    opcode: Number(values.opcode ?? 0),
    flags: (['RD', 'AD', 'CD', 'Z'] as const).reduce(
      (sum, name) => sum | (words.includes(name.toLowerCase()) ? FLAG[name] : 0),
      0,
    ),
    edns: edns
      ? {
          version: Number(values.version ?? 0),
          udpBytes: Number(values.edns ?? 1232),
          dnssecOk: words.includes('do'),
          option: words.includes('option'),
        }
      : undefined,
    only,
  };
}

function parseExpectation(lines: readonly string[]): Expectation {
  if (lines.length === 0) throw new Error('nothing is expected of this query');
  const words = lines[0].split(/\s+/);
  const values = valuesOf(words);
  const records = lines.slice(1);
  const section = (name: string) =>
    records.filter((line) => line.startsWith(`${name}: `)).map((line) => line.slice(name.length + 2));
  const rcode = RCODE[words[0] as keyof typeof RCODE];
  if (rcode === undefined && words[0] !== 'nothing') throw new Error(`"${words[0]}" is not an RCODE`);
  return {
    nothing: words[0] === 'nothing',
    rcode: rcode ?? 0,
    flags: words.filter((word) => /^(aa|tc|rd|ra|ad|cd|z)$/.test(word)).join(' '),
    ede: values.ede === undefined ? undefined : Number(values.ede),
    some: values.some === undefined ? undefined : Number(values.some),
    answer: records.filter((line) => !/^(authority|additional): /.test(line)),
    authority: section('authority'),
    additional: section('additional'),
  };
}

function valuesOf(words: readonly string[]): Values {
  return Object.fromEntries(words.filter((word) => word.includes('=')).map((word) => word.split(/=(.*)/s).slice(0, 2)));
}

function typeOf(text: string): number {
  const type = parseType(text);
  if (type === undefined) throw new Error(`"${text}" is not a type`);
  return type;
}
