// A cached answer: a composed message with its metadata. Cache hits copy the bytes; response.ts
// writes what differs for each client.
import { NO_EDE } from '../../dns/fast/response-writer.ts';
import { HEADER_BYTES, MAX_MESSAGE_BYTES, MAX_NAME_BYTES } from '../../dns/limits.ts';
import { type Message, parseMessage } from '../../dns/message/message.ts';
import { type MessageRecord, writeQuestion, writeRecord } from '../../dns/message/record.ts';
import { CLASS, FLAG, RCODE, TYPE } from '../../dns/types.ts';
import { WireWriter, writeUint16 } from '../../dns/writer.ts';
import type { CacheSettings } from '../../plane/forward-settings.ts';
import type { Answer } from '../upstream/answer.ts';
import { ASKED_DNSSEC, bitsOf, type ForwardQuestion } from '../upstream/question.ts';

export interface CacheEntry {
  /**
   * From `start` on a message of `length` bytes (ID 0, no OPT), then 16 bits for the offset of each of its TTLs, and the
   * text beside `ede`.
   */
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly length: number;
  readonly ttlCount: number;
  readonly textBytes: number;
  /** Offset just after QCLASS. */
  readonly questionEnd: number;
  readonly type: number;
  /** The ASKED bits that belong to the key. */
  readonly bits: number;
  readonly rcode: number;
  /** Validated by the upstream server; AD is set for clients that sent AD or DO. */
  readonly authentic: boolean;
  /** The answer does not fit into a message, the upstream's or ours: clients get TC. Such an entry is never stored. */
  readonly truncated: boolean;
  /** RFC 8914 info code; -1: none. */
  readonly ede: number;
  /** False: NXDOMAIN, NODATA, SERVFAIL. */
  readonly hasData: boolean;
  /** The A or AAAA records that may trade places: index of the first one's TTL offset, and how many (0: fewer than two). */
  readonly rotateFrom: number;
  readonly rotateCount: number;
  readonly addressBytes: number;
  readonly storedMs: number;
  /** Fresh until then. Equal to `storedMs`: it must not be stored. */
  readonly expiresMs: number;
  /** Hits since `windowStartMs`, for prefetch. */
  hits: number;
  windowStartMs: number;
  /** A refresh failed: stale answers are given at once until then (RFC 8767 section 5, failure recheck). Negative: never. */
  staleUntilMs: number;
  refreshing: boolean;
}

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

/** The cache reuses one object for all hits, so that a hit allocates nothing. */
export type EntryView = Mutable<CacheEntry>;

/**
 * Every entry is made here, later parts over earlier ones: V8 then sees a single shape of them wherever one is read. With a
 * shape for each way of making one a hit took 15 % longer, one with ten addresses 25 %.
 */
export function makeEntry(...parts: readonly Partial<CacheEntry>[]): EntryView {
  const blank = {
    bytes: NO_BYTES,
    start: 0,
    length: 0,
    ttlCount: 0,
    textBytes: 0,
    questionEnd: 0,
    type: 0,
    addressBytes: 4,
    rcode: 0,
    bits: 0,
    hasData: false,
    authentic: false,
    truncated: false,
    refreshing: false,
    ede: NO_EDE,
    rotateFrom: 0,
    rotateCount: 0,
    hits: 0,
    // Fractions from the start, so that V8 never changes how it keeps these.
    storedMs: 0.5,
    expiresMs: 0.5,
    windowStartMs: 0.5,
    staleUntilMs: 0.5,
  };
  return Object.assign(blank, ...parts);
}

const NO_BYTES = new Uint8Array(0);

export function entryOf(question: ForwardQuestion, answer: Answer, settings: CacheSettings, nowMs: number): CacheEntry {
  const { rcode, hasData, truncated } = answer;
  const seconds = truncated ? 0 : cacheSeconds(settings, rcode, hasData, answer.ttlSeconds);
  const withTtl = (record: MessageRecord) => {
    // At least as long as it is kept, so that no TTL runs out while the answer is still given.
    if (seconds === 0) return record;
    return { ...record, ttlSeconds: Math.min(Math.max(record.ttlSeconds, seconds), settings.maxTtlSeconds) };
  };
  const negative = (record: MessageRecord) => (seconds === 0 ? record : { ...record, ttlSeconds: seconds });
  const answers = answer.answers.map(withTtl);
  const authority = answer.authority.map(hasData ? withTtl : negative);
  return compose(question, { ...answer, answers, authority }, seconds, nowMs);
}

/** SERVFAIL, kept so that not every client's query for a broken zone goes upstream (RFC 9520). */
export function failureEntry(question: ForwardQuestion, ede: number, seconds: number, nowMs: number): CacheEntry {
  const flags = { authentic: false, truncated: false, hasData: false };
  return compose(question, { rcode: RCODE.SERVFAIL, ede, ...flags, answers: [], authority: [] }, seconds, nowMs);
}

/**
 * A stale answer that stands in for the one to a question with other DO or CD bits (`bits`): without signatures, unless
 * they are asked for.
 */
export function standIn(entry: CacheEntry, bits: number): CacheEntry {
  if ((entry.bits & ASKED_DNSSEC) === 0 || (bits & ASKED_DNSSEC) !== 0) return makeEntry(entry, { bits });
  const { questions, answers, authorities } = parseMessage(bytesOf(entry));
  const isPlain = ({ type }: MessageRecord) =>
    type === entry.type || (type !== TYPE.RRSIG && type !== TYPE.NSEC && type !== TYPE.NSEC3);
  const plain = answers.filter(isPlain);
  const content = { rcode: entry.rcode, answers: plain, authority: authorities.filter(isPlain) };
  const { bytes, length, ttlCount } = composeMessage(questions[0], content);
  return makeEntry(entry, { bytes, length, ttlCount, textBytes: 0 }, rotatable(plain, entry.type), { start: 0, bits });
}

/** How long an answer is kept: its TTL within the bounds of its kind; 0: not at all. */
function cacheSeconds(settings: CacheSettings, rcode: number, hasData: boolean, ttlSeconds: number): number {
  if (rcode !== RCODE.NOERROR && rcode !== RCODE.NXDOMAIN && rcode !== RCODE.YXDOMAIN) return 0;
  // RFC 2181 section 8: TTL 0 is for this transaction only, regardless of the minimum.
  if (ttlSeconds === 0) return 0;
  return hasData
    ? Math.min(Math.max(ttlSeconds, settings.minTtlSeconds), settings.maxTtlSeconds)
    : Math.min(Math.max(ttlSeconds, settings.minNegativeTtlSeconds), settings.maxNegativeTtlSeconds);
}

type Content = Pick<
  Answer,
  'rcode' | 'authentic' | 'truncated' | 'ede' | 'edeText' | 'hasData' | 'answers' | 'authority'
>;

function compose(question: ForwardQuestion, content: Content, seconds: number, nowMs: number): CacheEntry {
  const entry = makeEntry();
  const { bytes, length, ttlCount, isWhole } = composeMessage(question, content);
  entry.bytes = bytes;
  entry.length = length;
  entry.ttlCount = ttlCount;
  entry.textBytes = content.edeText?.length ?? 0;
  entry.questionEnd = HEADER_BYTES + question.name.length + 4;
  entry.type = question.type;
  entry.bits = bitsOf(question);
  entry.rcode = content.rcode;
  entry.authentic = content.authentic;
  entry.truncated = content.truncated || !isWhole;
  entry.ede = content.ede;
  entry.hasData = content.hasData;
  const { rotateFrom, rotateCount } = rotatable(isWhole ? content.answers : [], question.type);
  entry.rotateFrom = rotateFrom;
  entry.rotateCount = rotateCount;
  entry.addressBytes = question.type === TYPE.A ? 4 : 16;
  entry.storedMs = nowMs;
  entry.expiresMs = nowMs + (isWhole ? 1000 * seconds : 0);
  entry.windowStartMs = nowMs;
  entry.staleUntilMs = 0;
  return entry;
}

/** The longest record may follow the longest message, and be taken back. */
const scratch = new Uint8Array(2 * MAX_MESSAGE_BYTES + MAX_NAME_BYTES + 10);

/**
 * Header, question, answer and authority records, then the offset of each TTL. Records that do not fit into 64 KiB are left
 * out: a reply that came in one message fits, unless its names were compressed better than ours.
 */
function composeMessage(
  question: Pick<ForwardQuestion, 'name' | 'type'>,
  { rcode, answers, authority, edeText = '' }: Pick<Content, 'rcode' | 'answers' | 'authority' | 'edeText'>,
) {
  // Upstreams may have repeated the name in another spelling than the client's.
  const writer = new WireWriter(scratch, 'ignoring-case');
  const ttlOffsets: number[] = [];
  scratch.fill(0, 0, HEADER_BYTES);
  writeUint16(scratch, 2, FLAG.QR | (rcode & 0x0f));
  writeUint16(scratch, 4, 1);
  writer.at = HEADER_BYTES;
  writeQuestion(writer, { name: question.name, type: question.type, class: CLASS.IN });
  let isWhole = true;
  const writeAll = (records: readonly MessageRecord[]): number => {
    const before = ttlOffsets.length;
    for (let i = 0; i < records.length && isWhole; i++) {
      const { at } = writer;
      const ttlOffset = writeRecord(writer, records[i]);
      isWhole = writer.at <= MAX_MESSAGE_BYTES;
      if (isWhole) ttlOffsets.push(ttlOffset);
      else writer.at = at;
    }
    return ttlOffsets.length - before;
  };
  writeUint16(scratch, 6, writeAll(answers));
  writeUint16(scratch, 8, writeAll(authority));
  const length = writer.at;
  const bytes = new Uint8Array(length + 2 * ttlOffsets.length + edeText.length);
  bytes.set(scratch.subarray(0, length));
  for (const [i, offset] of ttlOffsets.entries()) writeUint16(bytes, length + 2 * i, offset);
  bytes.set(Buffer.from(edeText, 'latin1'), length + 2 * ttlOffsets.length);
  return { bytes, length, ttlCount: ttlOffsets.length, isWhole };
}

/** The run of A or AAAA records at the end of the chain. */
function rotatable(answers: readonly MessageRecord[], type: number): { rotateFrom: number; rotateCount: number } {
  if (type !== TYPE.A && type !== TYPE.AAAA) return { rotateFrom: 0, rotateCount: 0 };
  const rotateFrom = answers.findIndex((record) => record.type === type);
  if (rotateFrom < 0) return { rotateFrom: 0, rotateCount: 0 };
  let end = rotateFrom;
  while (end < answers.length && answers[end].type === type) end++;
  return { rotateFrom, rotateCount: end - rotateFrom };
}

/** The text beside `ede`; '': none. */
export function textOf({ bytes, start, length, ttlCount, textBytes }: CacheEntry): string {
  const from = start + length + 2 * ttlCount;
  return String.fromCharCode(...bytes.subarray(from, from + textBytes));
}

/** The records, read back from the bytes. */
export function recordsOf(entry: CacheEntry): Pick<Message, 'answers' | 'authorities'> {
  return parseMessage(bytesOf(entry));
}

function bytesOf({ bytes, start, length }: CacheEntry): Uint8Array {
  return bytes.subarray(start, start + length);
}
