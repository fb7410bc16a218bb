// A judged reply made ready for the cache: bytes, and when they are over.
import { HEADER_BYTES } from '../../dns/limits.ts';
import { parseMessage } from '../../dns/message/message.ts';
import type { MessageRecord } from '../../dns/message/record.ts';
import { FLAG, RCODE, TYPE } from '../../dns/types.ts';
import type { CacheSettings } from '../../plane/forward-settings.ts';
import { bitsOf, type ForwardQuestion } from '../resolve/question.ts';
import type { Judged } from '../upstream/judge.ts';
import type { Answer } from './answer.ts';
import { composeResponse } from './compose.ts';

export interface CacheEntry extends Answer {
  readonly type: number;
  /** The ASKED bits that belong to the key. */
  readonly bits: number;
  /** False: NXDOMAIN, NODATA, SERVFAIL. */
  readonly hasData: boolean;
  readonly storedMs: number;
  /** Not given as fresh after this. */
  readonly expiresMs: number;
  /** Hits since `windowStartMs`, for prefetch. */
  hits: number;
  windowStartMs: number;
  /** A refresh failed: stale answers are given at once until then (RFC 8767 section 5, failure recheck). */
  staleUntilMs: number;
  refreshing: boolean;
}

/** The entry, with `expiresMs` equal to `nowMs` if it is not to be cached. */
export function entryOf(question: ForwardQuestion, judged: Judged, settings: CacheSettings, nowMs: number): CacheEntry {
  const { rcode, authentic, truncated, ede } = judged;
  const seconds = truncated ? 0 : cacheSeconds(settings, rcode, judged.hasData, judged.ttlSeconds);
  const withTtl = (record: MessageRecord) => {
    // Lasting as long as it is kept, so that no TTL has run out while the answer is still given.
    if (seconds === 0) return record;
    return { ...record, ttlSeconds: Math.min(Math.max(record.ttlSeconds, seconds), settings.maxTtlSeconds) };
  };
  const negative = (record: MessageRecord) => (seconds === 0 ? record : { ...record, ttlSeconds: seconds });
  const answers = judged.answers.map(withTtl);
  const authority = judged.authority.map(judged.hasData ? withTtl : negative);
  return entry(
    question,
    { rcode, authentic, truncated, ede, hasData: judged.hasData, answers, authority },
    seconds,
    nowMs,
  );
}

/** SERVFAIL, kept so that a broken zone is not asked for by every client (RFC 9520). */
export function failureEntry(question: ForwardQuestion, ede: number, seconds: number, nowMs: number): CacheEntry {
  const flags = { authentic: false, truncated: false, hasData: false };
  return entry(question, { rcode: RCODE.SERVFAIL, ede, ...flags, answers: [], authority: [] }, seconds, nowMs);
}

/** How long an answer is kept: its TTL within the bounds of its kind; 0: not at all. */
function cacheSeconds(settings: CacheSettings, rcode: number, hasData: boolean, ttlSeconds: number): number {
  if (rcode !== RCODE.NOERROR && rcode !== RCODE.NXDOMAIN && rcode !== RCODE.YXDOMAIN) return 0;
  // RFC 2181 section 8: TTL 0 is for this transaction only, whatever the minimum says.
  if (ttlSeconds === 0) return 0;
  return hasData
    ? Math.min(Math.max(ttlSeconds, settings.minTtlSeconds), settings.maxTtlSeconds)
    : Math.min(Math.max(ttlSeconds, settings.minNegativeTtlSeconds), settings.maxNegativeTtlSeconds);
}

interface Content {
  readonly rcode: number;
  readonly authentic: boolean;
  readonly truncated: boolean;
  readonly ede: number;
  readonly hasData: boolean;
  readonly answers: readonly MessageRecord[];
  readonly authority: readonly MessageRecord[];
}

function entry(question: ForwardQuestion, content: Content, seconds: number, nowMs: number): CacheEntry {
  const { rcode, authentic, truncated, ede, answers, authority } = content;
  const composed = composeResponse(question.name, question.type, rcode, FLAG.QR, answers, authority);
  const { rotateFrom, rotateCount } = rotatable(answers, question.type);
  return {
    bytes: composed.bytes,
    start: 0,
    length: composed.length,
    ttlCount: composed.ttlCount,
    questionEnd: HEADER_BYTES + question.name.length + 4,
    rcode,
    authentic,
    truncated,
    ede,
    rotateFrom,
    rotateCount,
    addressBytes: question.type === TYPE.A ? 4 : 16,
    type: question.type,
    bits: bitsOf(question),
    hasData: content.hasData,
    storedMs: nowMs,
    expiresMs: nowMs + 1000 * seconds,
    hits: 0,
    windowStartMs: nowMs,
    staleUntilMs: 0,
    refreshing: false,
  };
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

/** The answer section, read back from the bytes. */
export function answerRecords({ bytes, start, length }: CacheEntry): readonly MessageRecord[] {
  return parseMessage(bytes.subarray(start, start + length)).answers;
}
