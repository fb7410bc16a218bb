// What an upstream's reply is worth: the records that answer the question and that the upstream may state, nothing else
// (RFC 5452 section 6, RFC 2181 section 5.4.1). Glue, additional data and records of other names never get further.
import { HEADER_BYTES, MAX_CNAME_CHAIN, MAX_RECORDS_PER_MESSAGE, MAX_TTL_SECONDS } from '../../dns/limits.ts';
import type { WireName } from '../../dns/name.ts';
import { isSubdomain, lowerCased, sameName } from '../../dns/name.ts';
import { OPTION, RCODE, TYPE } from '../../dns/types.ts';
import type { ForwardQuestion } from '../resolve/question.ts';
import { ReplyError, recordCursor, type WireRecord } from '../resolve/records.ts';
import { isTruncated } from './exchange.ts';

export interface Judged {
  readonly rcode: number;
  /** The upstream says that it validated the answer. */
  readonly authentic: boolean;
  /** The chain of CNAMEs, then the records of the type asked for, with the RRSIGs if `dnssecOk`. */
  readonly answers: readonly WireRecord[];
  /** SOA of negative answers, and the proofs if `dnssecOk`. */
  readonly authority: readonly WireRecord[];
  /** Where the chain ends. */
  readonly finalName: WireName;
  /** The chain leads into one of our zones: what is there is for us to say, now. */
  readonly endsInOurs: boolean;
  /** There are records of the type asked for. */
  readonly hasData: boolean;
  /** TTL of the answer as a whole: the smallest, of negative ones by RFC 2308 section 5; 0: not to be cached. */
  readonly ttlSeconds: number;
  /** TC, which over TCP means that not even 64 KiB were enough: records may be missing. Never to be cached. */
  readonly truncated: boolean;
  /** EDE of the upstream (RFC 8914); -1: none. */
  readonly ede: number;
}

export interface JudgeRules {
  /** Names no upstream may state anything about. */
  isOurs(name: WireName): boolean;
  /** Addresses no upstream may answer for this name (rebinding). */
  isForbidden?(name: WireName, type: number, rdata: Uint8Array): boolean;
}

/** The reply is a referral or makes no sense as an answer: another upstream may do better. */
export class LameReply extends Error {
  override readonly name = 'LameReply';
}

/** `reply` has passed acceptance: it is the answer to `question`. Throws ReplyError or LameReply. */
export function judgeReply(reply: Uint8Array, question: ForwardQuestion, rules: JudgeRules): Judged {
  const sections = readSections(reply, HEADER_BYTES + question.name.length + 4);
  const rcode = (reply[3] & 0x0f) | (sections.extendedRcode << 4);
  const { chain, finalName } = followChain(sections.answers, question, rules);
  // The name asked for was found to be no name of ours before it was asked, whichever zone it is in (fallthrough).
  const endsInOurs = chain.length > 0 && rules.isOurs(finalName);
  const data = sections.answers.filter((record) => isData(record, finalName, question));
  const kept = data.filter((record) => !rules.isForbidden?.(finalName, record.type, record.rdata));
  const answers = [...chain, ...(endsInOurs ? [] : kept)];
  const hasData = answers.length > chain.length;
  const authority = hasData || endsInOurs ? proofs(sections, question) : negative(sections, finalName, question);
  refuseReferral(sections.authority, rcode, answers, authority, question);
  const soa = hasData ? undefined : authority.find((record) => record.type === TYPE.SOA);
  return {
    rcode: endsInOurs ? RCODE.NOERROR : rcode,
    authentic: (reply[3] & 0x20) !== 0 && kept.length === data.length,
    answers: withSignatures(sections.answers, answers, question),
    authority,
    finalName,
    endsInOurs,
    hasData,
    ttlSeconds: hasData || soa ? smallestTtl([...answers, ...authority], soa) : 0,
    // What is missing of a chain that leads to us we say ourselves.
    truncated: isTruncated(reply) && !endsInOurs,
    ede: sections.ede,
  };
}

interface Sections {
  answers: WireRecord[];
  authority: WireRecord[];
  extendedRcode: number;
  ede: number;
}

function readSections(reply: Uint8Array, start: number): Sections {
  const counts = [6, 8, 10].map((at) => (reply[at] << 8) | reply[at + 1]);
  if (counts[0] + counts[1] + counts[2] > MAX_RECORDS_PER_MESSAGE) throw new ReplyError('too many records');
  const cursor = recordCursor(reply, start);
  const read = (count: number) => Array.from({ length: count }, () => cursor.read());
  const [answers, authority, additional] = counts.map(read);
  const opts = additional.filter((record) => record.type === TYPE.OPT);
  if (opts.length > 1) throw new ReplyError('two OPT records');
  const inClass = (record: WireRecord) => record.class === 1;
  return {
    answers: answers.filter(inClass).map(withSaneTtl),
    authority: authority.filter(inClass).map(withSaneTtl),
    extendedRcode: opts.length === 0 ? 0 : opts[0].ttl >>> 24,
    ede: opts.length === 0 ? -1 : edeOf(opts[0].rdata),
  };
}

/** RFC 2181 section 8: a TTL with the top bit set is 0. */
function withSaneTtl(record: WireRecord): WireRecord {
  return record.ttl > MAX_TTL_SECONDS ? { ...record, ttl: 0 } : record;
}

function edeOf(options: Uint8Array): number {
  for (let at = 0; at + 4 <= options.length; ) {
    const code = (options[at] << 8) | options[at + 1];
    const length = (options[at + 2] << 8) | options[at + 3];
    if (code === OPTION.EDE && length >= 2 && at + 6 <= options.length) return (options[at + 4] << 8) | options[at + 5];
    at += 4 + length;
  }
  return -1;
}

/** CNAMEs (and the DNAMEs that made them) from the question's name on, in whatever order they came. Stops at our zones. */
function followChain(records: readonly WireRecord[], question: ForwardQuestion, rules: JudgeRules) {
  const chain: WireRecord[] = [];
  let finalName = question.name;
  if (question.type === TYPE.CNAME || question.type === TYPE.ANY) return { chain, finalName };
  while (chain.length === 0 || !rules.isOurs(finalName)) {
    const cname = records.find((record) => record.type === TYPE.CNAME && sameName(record.name, finalName));
    if (cname === undefined) break;
    if (chain.length >= 2 * MAX_CNAME_CHAIN) throw new ReplyError('CNAME chain is too long, or a loop');
    const dname = records.find((record) => record.type === TYPE.DNAME && isAncestor(record.name, finalName));
    if (dname !== undefined && !chain.includes(dname)) chain.push(dname);
    if (chain.includes(cname)) throw new ReplyError('CNAME loop');
    chain.push(cname);
    finalName = lowerCased(cname.rdata);
  }
  return { chain, finalName };
}

function isData(record: WireRecord, finalName: WireName, question: ForwardQuestion): boolean {
  if (!sameName(record.name, finalName)) return false;
  return record.type === question.type || (question.type === TYPE.ANY && record.type !== TYPE.OPT);
}

function isAncestor(zone: WireName, name: WireName): boolean {
  return zone.length < name.length && isSubdomain(name, zone);
}

/** RRSIGs of exactly the RRsets that are kept, beside them. */
function withSignatures(all: readonly WireRecord[], kept: WireRecord[], question: ForwardQuestion): WireRecord[] {
  if (!question.dnssecOk || question.type === TYPE.RRSIG || question.type === TYPE.ANY) return kept;
  const covers = (signature: WireRecord) =>
    signature.type === TYPE.RRSIG &&
    signature.rdata.length >= 18 &&
    kept.some(
      (record) =>
        record.type === ((signature.rdata[0] << 8) | signature.rdata[1]) && sameName(record.name, signature.name),
    );
  return [...kept, ...all.filter(covers)];
}

/** NSEC and NSEC3 with signatures, that show a wildcard's right to answer. */
function proofs(sections: Sections, question: ForwardQuestion): WireRecord[] {
  if (!question.dnssecOk) return [];
  const proves = (type: number) => type === TYPE.NSEC || type === TYPE.NSEC3;
  return sections.authority.filter(
    (record) => proves(record.type) || (record.type === TYPE.RRSIG && proves((record.rdata[0] << 8) | record.rdata[1])),
  );
}

/** The SOA of a zone that the name is in, and the proofs. Anything else in the authority section is dropped. */
function negative(sections: Sections, finalName: WireName, question: ForwardQuestion): WireRecord[] {
  const soa = sections.authority.find((record) => record.type === TYPE.SOA && isSubdomain(finalName, record.name));
  if (soa === undefined) return [];
  if (!question.dnssecOk) return [soa];
  const signature = sections.authority.filter(
    (record) =>
      record.type === TYPE.RRSIG &&
      ((record.rdata[0] << 8) | record.rdata[1]) === TYPE.SOA &&
      sameName(record.name, soa.name),
  );
  return [soa, ...signature, ...proofs(sections, question)];
}

/** An empty answer with NS and no SOA points elsewhere (RFC 2308 section 2.2): of no use to a stub. */
function refuseReferral(
  authority: readonly WireRecord[],
  rcode: number,
  answers: readonly WireRecord[],
  kept: readonly WireRecord[],
  question: ForwardQuestion,
): void {
  const points = authority.some((record) => record.type === TYPE.NS);
  if (points && rcode === RCODE.NOERROR && answers.length === 0 && kept.length === 0 && question.recursionDesired) {
    throw new LameReply('a referral');
  }
}

function smallestTtl(records: readonly WireRecord[], soa: WireRecord | undefined): number {
  let smallest = MAX_TTL_SECONDS;
  for (const record of records) smallest = Math.min(smallest, record.ttl);
  return soa === undefined ? smallest : Math.min(smallest, negativeTtl(soa.rdata));
}

/** The SOA's MINIMUM, its last field (RFC 2308 section 4). */
function negativeTtl(soaRdata: Uint8Array): number {
  const view = new DataView(soaRdata.buffer, soaRdata.byteOffset, soaRdata.byteLength);
  const minimum = view.getUint32(soaRdata.length - 4);
  return minimum > MAX_TTL_SECONDS ? 0 : minimum;
}
