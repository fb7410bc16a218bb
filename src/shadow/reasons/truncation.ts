// The servers truncate UDP responses at different places. The comparison is of what a client gets when it retries
// over TCP, as TC requires.
import { line, sameAnswer } from '../answers/answer.ts';
import { udpLimit } from '../answers/question.ts';
import type { Reason } from './reason.ts';

/** Of both servers, unless configured. */
const SERVER_UDP_BYTES = 1232;
/** Addresses, and the aliases that lead to them. */
const PARTLY_ANSWERED = new Set(['A', 'AAAA', 'CNAME']);

const isTruncated = ({ flags }: { readonly flags: string }): boolean => /\btc\b/.test(flags);

/**
 * CoreDNS sends as many records as fit, and sets TC for additional ones that do not; healthdns sends part of an answer only
 * of addresses, and omits additional ones without TC (RFC 2181 section 9).
 */
export const TRUNCATION: Reason = {
  id: 'truncation',
  async rewrite({ question, type, coreDns, healthdns, ask }) {
    const { transport } = question.way;
    const isCut = isTruncated(coreDns) || isTruncated(healthdns);
    if (transport !== 'udp' || !(isCut || type === 'SRV')) return undefined;
    const overTcp = { ...question, way: { ...question.way, transport: 'tcp' as const } };
    const whole = { coreDns: await ask('coreDns', overTcp), healthdns: await ask('healthdns', overTcp) };
    const limit = udpLimit(question.way, SERVER_UDP_BYTES);
    if (!isCut && whole.healthdns.bytes <= limit) return undefined;
    // TC only where it had to be, and no records but those of the whole answer.
    if (isTruncated(coreDns) && whole.coreDns.bytes <= limit) return undefined;
    const known = new Set(whole.healthdns.answers.map(line));
    const isPart = healthdns.answers.every((record) => PARTLY_ANSWERED.has(record.type) && known.has(line(record)));
    if (isTruncated(healthdns) && (whole.healthdns.bytes <= limit || !isPart)) return undefined;
    const complete = { ...healthdns, additionals: whole.healthdns.additionals };
    if (!isTruncated(healthdns) && !sameAnswer(complete, whole.healthdns)) return undefined;
    return whole;
  },
};

const TCP_FULL_BYTES = 60_000;

/** Even over TCP not everything fits, and there is no other transport: both answer as much of one RRset as fits. */
export const TOO_LARGE: Reason = {
  id: 'truncation',
  rewrite({ name, type, coreDns, healthdns }) {
    const isFull = Math.max(coreDns.bytes, healthdns.bytes) > TCP_FULL_BYTES;
    if (!isFull || !isTruncated(coreDns) || coreDns.rcode !== healthdns.rcode) return undefined;
    const isOfRRset = (record: { readonly name: string; readonly type: string }) =>
      record.name === name && record.type === type;
    const answers = [...coreDns.answers, ...healthdns.answers];
    return healthdns.answers.length > 0 && answers.every(isOfRRset) ? { coreDns: healthdns } : undefined;
  },
};

const MAX_GLUE_NAMES = 256;
/** What a compression pointer reaches (RFC 1035 section 4.1.4): owners of additional records further on are not written. */
const POINTER_REACH = 16_384;

export const GLUE_LIMIT: Reason = {
  id: 'glue-limit',
  rewrite({ type, coreDns, healthdns }) {
    const isLarge = healthdns.answers.length > MAX_GLUE_NAMES || healthdns.bytes > POINTER_REACH;
    if (type !== 'SRV' || !isLarge || healthdns.additionals.length >= coreDns.additionals.length) return undefined;
    const theirs = new Set(coreDns.additionals.map(line));
    if (!healthdns.additionals.every((record) => theirs.has(line(record)))) return undefined;
    return { coreDns: { ...coreDns, additionals: healthdns.additionals } };
  },
};
