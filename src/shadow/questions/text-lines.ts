// The questions in text: the query log of CoreDNS or healthdns, or "NAME [TYPE]" lines as dnsperf and queryperf read them.
import { NameError, parseNameKeepingCase } from '../../dns/name.ts';
import { CLASS, FLAG, parseType, TYPE, typeName } from '../../dns/types.ts';
import type { Question, Way } from '../answers/question.ts';
import type { Bytes } from './bytes.ts';
import { type Notes, skip } from './notes.ts';

const MAX_LINE_BYTES = 16_384;
const LINE_FEED = 10;

export async function* readTextLines(bytes: Bytes, notes: Notes): AsyncGenerator<Question> {
  for await (const line of linesOf(bytes)) {
    notes.read++;
    const question = line === undefined ? 'line longer than 16 KiB' : readLine(line);
    if (question === undefined) continue;
    if (typeof question === 'string') skip(notes, question, `line ${notes.read}`);
    else yield question;
  }
}

/** undefined in place of a line that is too long. */
async function* linesOf(bytes: Bytes): AsyncGenerator<string | undefined> {
  let parts: Buffer[] = [];
  let length = 0;
  const take = (): string | undefined => {
    const line = length > MAX_LINE_BYTES ? undefined : Buffer.concat(parts).toString('utf8');
    parts = [];
    length = 0;
    return line;
  };
  const add = (part: Buffer) => {
    length += part.length;
    if (length <= MAX_LINE_BYTES) parts.push(part);
    else parts = [];
  };
  for (let chunk = await bytes.some(); chunk !== undefined; chunk = await bytes.some()) {
    let start = 0;
    for (let end = chunk.indexOf(LINE_FEED); end >= 0; end = chunk.indexOf(LINE_FEED, start)) {
      add(chunk.subarray(start, end));
      yield take();
      start = end + 1;
    }
    add(chunk.subarray(start));
  }
  if (length > 0) yield take();
}

/** The question; undefined: a comment or an empty line; a string: why there is none. Each kind of line is tried. */
export function readLine(line: string): Question | string | undefined {
  const text = line.trim();
  if (text === '' || /^[;#]/.test(text)) return undefined;
  return readCoreDnsLine(text) ?? readOwnLine(text) ?? readPair(text) ?? 'line without a question';
}

/** `… "A IN www.example.org. udp 45 false 512" NOERROR qr,aa,rd 90 0.0001s`, whatever comes before. */
const COREDNS = /"(\S+) (\S+) (\S+) (udp|tcp|tls|https|quic|grpc) \d+ (true|false) (\d+)"(?: \S+ (\S+))?/;
/** What CoreDNS writes for a client without EDNS. */
const WITHOUT_EDNS = 512;

function readCoreDnsLine(line: string): Question | string | undefined {
  const [, type, classText, name, protocol, dnssecOk, udpBytes, flags] = COREDNS.exec(line) ?? [];
  if (type === undefined) return undefined;
  const hasEdns = dnssecOk === 'true' || Number(udpBytes) !== WITHOUT_EDNS;
  const way: Way = {
    transport: protocol === 'udp' ? 'udp' : 'tcp',
    ...(hasEdns && { edns: { udpBytes: Math.min(Number(udpBytes), 65_535), dnssecOk: dnssecOk === 'true' } }),
    flags: flags === undefined || /\brd\b/.test(flags) ? FLAG.RD : 0,
  };
  return questionOf(name!, type, way, classText);
}

/** A line of our log: JSON with the fields of the query. */
function readOwnLine(line: string): Question | string | undefined {
  const fields = line.startsWith('{') ? parseJson(line) : undefined;
  if (fields === undefined) return undefined;
  const { name, type, class: asked, protocol, flags } = fields;
  if (typeof name !== 'string' || typeof type !== 'string' || fields.rcode === undefined)
    return 'line without a question';
  const hasRd = typeof flags !== 'string' || /\brd\b/.test(flags);
  const transport = protocol === 'tcp' ? 'tcp' : 'udp';
  const way: Way = { transport, edns: USUAL_EDNS, flags: hasRd ? FLAG.RD : 0 };
  return questionOf(name, type, way, typeof asked === 'string' ? asked : undefined);
}

function parseJson(line: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(line);
  } catch {
    return undefined; // It only looked like JSON.
  }
}

/** Where the log does not say. */
const USUAL_EDNS = { udpBytes: 1232, dnssecOk: false };

/** "www.example.org A"; A if there is no type. */
function readPair(line: string): Question | undefined {
  const [name, type = 'A', ...more] = line.split(/\s+/);
  if (more.length > 0) return undefined;
  const question = questionOf(name!, type.toUpperCase(), { transport: 'udp', edns: USUAL_EDNS });
  return typeof question === 'string' ? undefined : question;
}

function questionOf(name: string, typeText: string, way: Way, classText = 'IN'): Question | string {
  const type = parseType(typeText);
  const asked = classText === 'IN' ? CLASS.IN : CLASS[classText as keyof typeof CLASS];
  if (type === undefined || asked === undefined || !isName(name)) return 'line without a question';
  if (type === TYPE.AXFR || type === TYPE.IXFR) return 'zone transfer';
  return { name: name.endsWith('.') ? name : `${name}.`, type: typeName(type), class: asked, way };
}

function isName(text: string): boolean {
  try {
    parseNameKeepingCase(text);
    return true;
  } catch (error) {
    if (error instanceof NameError) return false;
    throw error;
  }
}
