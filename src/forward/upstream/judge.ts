// Filters an upstream's reply: the records that answer the question and that the upstream is trusted for, nothing else
// (RFC 5452 section 6, RFC 2181 section 5.4.1). Glue, additional data and records of other names never get further.
import { extraText } from '../../dns/extra-text.ts';
import { NO_EDE } from '../../dns/fast/response-writer.ts';
import { MAX_CNAME_CHAIN, MAX_TTL_SECONDS } from '../../dns/limits.ts';
import { hasFlag, type Message, parseMessage } from '../../dns/message/message.ts';
import { extendedErrors } from '../../dns/message/opt.ts';
import type { MessageRecord } from '../../dns/message/record.ts';
import type { WireName } from '../../dns/name.ts';
import { isSubdomain, lowerCased, sameName } from '../../dns/name.ts';
import { isWellFormed } from '../../dns/rdata/rdata.ts';
import { MessageError } from '../../dns/reader.ts';
import { CLASS, FLAG, RCODE, TYPE, typeName } from '../../dns/types.ts';
import type { Answer } from './answer.ts';
import type { ForwardQuestion } from './question.ts';

export interface JudgeRules {
  /** Names for which no upstream may supply records. */
  isOurs(name: WireName): boolean;
  /** A chain of CNAMEs led here: whether other servers than those of the question have to be asked for what is there. */
  isOthers?(name: WireName, question: ForwardQuestion): boolean;
  /** Addresses no upstream may answer for this name (rebinding). */
  isForbidden?(name: WireName, type: number, rdata: Uint8Array): boolean;
  /** false: without the text of an extended error. */
  readonly errorText?: boolean;
}

/** The reply is a referral or makes no sense as an answer: another upstream may do better. */
export class LameReply extends Error {
  override readonly name = 'LameReply';
}

/** `reply` has passed acceptance: it is the answer to `question`. Throws MessageError or LameReply. */
export function judgeReply(reply: Uint8Array, question: ForwardQuestion, rules: JudgeRules): Answer {
  // Unbound ignores bytes after the last record, too.
  const message = parseMessage(reply, { trailingBytes: true });
  const sections = sectionsOf(message);
  const { rcode } = message;
  const { chain, finalName } = followChain(sections.answers, question, rules);
  // The queried name itself was found not to be ours before it was forwarded, even if it is in one of our zones (fallthrough).
  const endsInOurs = chain.length > 0 && rules.isOurs(finalName);
  const data = sections.answers.filter((record) =>
    rcode === RCODE.YXDOMAIN ? isTooLong(record, finalName) : isData(record, finalName, question),
  );
  const kept = data.filter((record) => !rules.isForbidden?.(finalName, record.type, record.rdata));
  const endsElsewhere = endsInOurs || (chain.length > 0 && rules.isOthers?.(finalName, question) === true);
  const answers = [...chain, ...(endsElsewhere ? [] : kept)];
  const hasData = answers.length > chain.length;
  const authority = hasData || endsElsewhere ? proofs(sections, question) : negative(sections, finalName, question);
  // Records removed by the filter do not make it a referral.
  if (kept.length === data.length) refuseReferral(sections.authorities, rcode, answers, authority, question);
  const signed = withSignatures(sections.answers, answers, question);
  for (const record of [...signed, ...authority]) checkRdata(record);
  const [error] = extendedErrors(message.edns);
  const soa = hasData ? undefined : authority.find((record) => record.type === TYPE.SOA);
  return {
    rcode: endsElsewhere ? RCODE.NOERROR : rcode,
    authentic: hasFlag(message, FLAG.AD) && kept.length === data.length,
    answers: signed,
    authority,
    finalName,
    endsInOurs,
    hasData,
    ttlSeconds: hasData || soa ? smallestTtl([...answers, ...authority], soa) : 0,
    // The rest of a chain that leads into an own zone comes from that zone.
    truncated: hasFlag(message, FLAG.TC) && !endsElsewhere,
    ede: error?.infoCode ?? NO_EDE,
    edeText: rules.errorText === false ? '' : extraText(error?.text ?? ''),
  };
}

type Sections = Pick<Message, 'answers' | 'authorities'>;

function sectionsOf({ answers, authorities }: Message): Sections {
  const inClass = (record: MessageRecord) => record.class === CLASS.IN;
  return { answers: answers.filter(inClass), authorities: authorities.filter(inClass) };
}

/** Clients rely on the format: an A record of 5 bytes or a string that runs past its record must not reach them. */
function checkRdata({ type, rdata }: MessageRecord): void {
  const isEmptyText = rdata.length === 0 && (type === TYPE.TXT || type === TYPE.SPF);
  if (!isEmptyText && !isWellFormed(type, rdata))
    throw new MessageError(`malformed ${typeName(type)} rdata of ${rdata.length} bytes`);
}

/** CNAMEs (and the DNAMEs behind them) from the question's name on, in any order. Stops at own zones. */
function followChain(records: readonly MessageRecord[], question: ForwardQuestion, rules: JudgeRules) {
  const chain: MessageRecord[] = [];
  let finalName = question.name;
  if (question.type === TYPE.CNAME || question.type === TYPE.ANY) return { chain, finalName };
  while (chain.length === 0 || !rules.isOurs(finalName)) {
    const cname = records.find((record) => record.type === TYPE.CNAME && sameName(record.name, finalName));
    if (cname === undefined) break;
    if (chain.length >= 2 * MAX_CNAME_CHAIN) throw new MessageError('CNAME chain is too long, or a loop');
    const dname = records.find((record) => record.type === TYPE.DNAME && isAncestor(record.name, finalName));
    if (dname !== undefined && !chain.includes(dname)) chain.push(dname);
    if (chain.includes(cname)) throw new MessageError('CNAME loop');
    chain.push(cname);
    finalName = lowerCased(cname.rdata);
  }
  return { chain, finalName };
}

function isData(record: MessageRecord, finalName: WireName, question: ForwardQuestion): boolean {
  if (!sameName(record.name, finalName)) return false;
  return record.type === question.type || (question.type === TYPE.ANY && record.type !== TYPE.OPT);
}

/** The DNAME under which the name would be too long for an alias (RFC 6672 section 2.2). */
function isTooLong(record: MessageRecord, name: WireName): boolean {
  return record.type === TYPE.DNAME && isAncestor(record.name, name);
}

function isAncestor(zone: WireName, name: WireName): boolean {
  return zone.length < name.length && isSubdomain(name, zone);
}

/** RRSIGs of exactly the RRsets that are kept, beside them. */
function withSignatures(
  all: readonly MessageRecord[],
  kept: MessageRecord[],
  question: ForwardQuestion,
): MessageRecord[] {
  if (!question.dnssecOk || question.type === TYPE.RRSIG || question.type === TYPE.ANY) return kept;
  const covers = (signature: MessageRecord) =>
    signature.type === TYPE.RRSIG &&
    signature.rdata.length >= 18 &&
    kept.some(
      (record) =>
        record.type === ((signature.rdata[0] << 8) | signature.rdata[1]) && sameName(record.name, signature.name),
    );
  return [...kept, ...all.filter(covers)];
}

/** NSEC and NSEC3 with signatures, that show a wildcard's right to answer. */
function proofs(sections: Sections, question: ForwardQuestion): MessageRecord[] {
  if (!question.dnssecOk) return [];
  const proves = (type: number) => type === TYPE.NSEC || type === TYPE.NSEC3;
  return sections.authorities.filter(
    (record) => proves(record.type) || (record.type === TYPE.RRSIG && proves((record.rdata[0] << 8) | record.rdata[1])),
  );
}

/** The SOA of a zone that the name is in, and the proofs. Anything else in the authority section is dropped. */
function negative(sections: Sections, finalName: WireName, question: ForwardQuestion): MessageRecord[] {
  const soa = sections.authorities.find((record) => record.type === TYPE.SOA && isSubdomain(finalName, record.name));
  if (soa === undefined) return [];
  if (!question.dnssecOk) return [soa];
  const signature = sections.authorities.filter(
    (record) =>
      record.type === TYPE.RRSIG &&
      ((record.rdata[0] << 8) | record.rdata[1]) === TYPE.SOA &&
      sameName(record.name, soa.name),
  );
  return [soa, ...signature, ...proofs(sections, question)];
}

/** An empty answer with NS and no SOA points elsewhere (RFC 2308 section 2.2): of no use to a stub. */
function refuseReferral(
  authority: readonly MessageRecord[],
  rcode: number,
  answers: readonly MessageRecord[],
  kept: readonly MessageRecord[],
  question: ForwardQuestion,
): void {
  const points = authority.some((record) => record.type === TYPE.NS);
  if (points && rcode === RCODE.NOERROR && answers.length === 0 && kept.length === 0 && question.recursionDesired) {
    throw new LameReply('a referral');
  }
}

function smallestTtl(records: readonly MessageRecord[], soa: MessageRecord | undefined): number {
  let smallest = MAX_TTL_SECONDS;
  for (const record of records) smallest = Math.min(smallest, record.ttlSeconds);
  return soa === undefined ? smallest : Math.min(smallest, negativeTtl(soa.rdata));
}

/** The SOA's MINIMUM, its last field (RFC 2308 section 4). */
function negativeTtl(soaRdata: Uint8Array): number {
  const view = new DataView(soaRdata.buffer, soaRdata.byteOffset, soaRdata.byteLength);
  const minimum = view.getUint32(soaRdata.length - 4);
  return Math.min(minimum, MAX_TTL_SECONDS);
}
