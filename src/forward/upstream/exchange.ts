// Composes the query to an upstream server, and tests whether a message is its reply (RFC 5452 section 9.1).
import { NO_EDE, OPT_BYTES, writeOpt } from '../../dns/fast/response-writer.ts';
import { HEADER_BYTES, UDP_BYTES_WITH_EDNS } from '../../dns/limits.ts';
import { CLASS, FLAG, RCODE } from '../../dns/types.ts';
import { writeUint16 } from '../../dns/writer.ts';
import type { ForwardQuestion } from './question.ts';
import { sameQuestionName } from './question.ts';
import type { Unpredictable } from './unpredictable.ts';

/**
 * A new query: nothing of the client's packet is passed on, so no client subnet (RFC 7871), cookie or unknown
 * option does. The ID is 0 until the transport sets it.
 */
export function composeUpstreamQuery(
  question: ForwardQuestion,
  edns: boolean,
  spelling: Unpredictable | undefined,
): Uint8Array {
  const questionEnd = HEADER_BYTES + question.name.length + 4;
  const query = Buffer.allocUnsafe(questionEnd + (edns ? OPT_BYTES : 0)).fill(0);
  // AD asks for the AD bit without DNSSEC records (RFC 6840 section 5.7); clients that do not ask do not see it.
  let flags: number = FLAG.AD;
  if (question.recursionDesired) flags |= FLAG.RD;
  if (question.checkingDisabled) flags |= FLAG.CD;
  writeUint16(query, 2, flags);
  writeUint16(query, 4, 1);
  query.set(question.name, HEADER_BYTES);
  if (spelling !== undefined) spellRandomly(query, HEADER_BYTES, questionEnd - 4, spelling);
  writeUint16(query, questionEnd - 4, question.type);
  writeUint16(query, questionEnd - 2, CLASS.IN);
  if (edns) {
    writeUint16(query, 10, 1);
    writeOpt(query, questionEnd, UDP_BYTES_WITH_EDNS, 0, question.dnssecOk, NO_EDE);
  }
  return query;
}

/** One unpredictable bit for each letter (draft-vixie-dnsext-dns0x20). */
function spellRandomly(query: Uint8Array, start: number, end: number, spelling: Unpredictable): void {
  let bits = 0;
  let left = 0;
  for (let i = start; i < end; i++) {
    if (query[i] < 0x61 || query[i] > 0x7a) continue;
    if (left === 0) {
      bits = spelling.id();
      left = 16;
    }
    if (bits & 1) query[i] &= ~0x20;
    bits >>= 1;
    left--;
  }
}

/**
 * Whether `message` answers `query`: a response, opcode QUERY, with the ID and exactly the question that was asked. With
 * `exactSpelling` the letters must agree in case as well. FORMERR and NOTIMP may come without the question: servers that
 * cannot parse what follows the header reply this way, and such a reply proves nothing else.
 */
export function isReplyTo(message: Uint8Array, query: Uint8Array, exactSpelling: boolean): boolean {
  const nameLength = questionNameLength(query);
  const questionEnd = HEADER_BYTES + nameLength + 4;
  if (isHeaderOnlyError(message, query)) return true;
  if (message.length < questionEnd || message[0] !== query[0] || message[1] !== query[1]) return false;
  if ((message[2] & 0xf8) !== 0x80 || message[4] !== 0 || message[5] !== 1) return false;
  for (let i = questionEnd - 4; i < questionEnd; i++) if (message[i] !== query[i]) return false;
  if (!exactSpelling) return sameQuestionName(message, HEADER_BYTES, query, HEADER_BYTES, nameLength);
  for (let i = HEADER_BYTES; i < questionEnd; i++) if (message[i] !== query[i]) return false;
  return true;
}

function isHeaderOnlyError(message: Uint8Array, query: Uint8Array): boolean {
  if (message.length !== HEADER_BYTES || message[0] !== query[0] || message[1] !== query[1]) return false;
  for (let i = 4; i < HEADER_BYTES; i++) if (message[i] !== 0) return false;
  return (message[2] & 0xf8) === 0x80 && saysCannotRead(message);
}

/** FORMERR or NOTIMP: RFC 6891 section 7, what servers that do not know EDNS answer to it. */
export function saysCannotRead(message: Uint8Array): boolean {
  const rcode = message[3] & 0x0f;
  return rcode === RCODE.FORMERR || rcode === RCODE.NOTIMP;
}

/** Of a query that `composeUpstreamQuery` made. */
function questionNameLength(query: Uint8Array): number {
  let at = HEADER_BYTES;
  while (query[at] !== 0) at += 1 + query[at];
  return at + 1 - HEADER_BYTES;
}

export function setId(query: Uint8Array, id: number): void {
  writeUint16(query, 0, id);
}

export function idOf(message: Uint8Array): number {
  return (message[0] << 8) | message[1];
}

export function isTruncated(message: Uint8Array): boolean {
  return (message[2] & 0x02) !== 0;
}
