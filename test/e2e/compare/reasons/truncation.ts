// Over UDP not everything fits, and the servers cut in different places. What counts is what a client gets that asks again
// over TCP, as TC tells it to.
import { sameAnswer } from '../answer.ts';
import type { Reason } from './reason.ts';

const UDP_BYTES = 512;
const EDNS_UDP_BYTES = 1232;

const isTruncated = ({ flags }: { readonly flags: string }): boolean => /\btc\b/.test(flags);

/**
 * CoreDNS sends as many records as fit, and sets TC for additional ones that do not; healthdns sends no part of an answer,
 * and leaves additional ones out in silence (RFC 2181 section 9).
 */
export const TRUNCATION: Reason = {
  id: 'truncation',
  async rewrite({ question, coreDns, healthdns, ask }) {
    const { transport, edns } = question.way;
    if (transport !== 'udp' || !(isTruncated(coreDns) || isTruncated(healthdns))) return undefined;
    const overTcp = { ...question, way: { ...question.way, transport: 'tcp' as const } };
    const whole = { coreDns: await ask('coreDns', overTcp), healthdns: await ask('healthdns', overTcp) };
    const limit = edns ? EDNS_UDP_BYTES : UDP_BYTES;
    // TC only where it had to be, and no records but those of the whole answer.
    if (isTruncated(coreDns) && whole.coreDns.bytes <= limit) return undefined;
    if (isTruncated(healthdns) && (whole.healthdns.bytes <= limit || healthdns.answers.length > 0)) return undefined;
    const complete = { ...healthdns, additionals: whole.healthdns.additionals };
    if (!isTruncated(healthdns) && !sameAnswer(complete, whole.healthdns)) return undefined;
    return whole;
  },
};
