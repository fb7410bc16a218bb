// DNS64 for names of our own: AAAA records made of the A records that may be answered at this moment. Works on responses.
import { composeTruncating, parseMessage } from '../dns/message/message.ts';
import type { MessageRecord } from '../dns/message/record.ts';
import { FLAG, RCODE, TYPE } from '../dns/types.ts';
import { createEmbedding, DNS64_TTL_SECONDS } from '../forward/local/dns64.ts';
import { ASKED_CHECKING_DISABLED, ASKED_DNSSEC, askedBits } from '../forward/upstream/question.ts';
import type { Dns64Settings } from '../plane/forward-settings.ts';

export interface OwnDns64 {
  /** Whether the A records are to be asked for. `query` asks for AAAA, `response` is what it got; `nameEnd` is just before QTYPE. */
  applies(query: Uint8Array, nameEnd: number, response: Uint8Array): boolean;
  /** The response to the AAAA question out of that to the A question; `aaaa` where there is nothing to make it of. */
  synthesize(aaaa: Uint8Array, a: Uint8Array, maxBytes: number): Uint8Array;
}

/** RFC 6147 section 5.5: validating clients must see the original records. */
const VALIDATES = ASKED_DNSSEC | ASKED_CHECKING_DISABLED;

export function createOwnDns64(settings: Dns64Settings): OwnDns64 {
  const embed = createEmbedding(settings);
  return {
    applies(query, nameEnd, response) {
      if (response.length < 12) return false;
      if ((askedBits(query, query.length, nameEnd + 4) & VALIDATES) === VALIDATES) return false;
      const flags = (response[2] << 8) | response[3];
      // Section 5.1.2: any error but NXDOMAIN is as an empty answer. SERVFAIL: no instance is alive, and the policy is `servfail`.
      if ((flags & 0x0f) === RCODE.SERVFAIL) return true;
      if ((flags & 0x0f) !== RCODE.NOERROR || (flags & FLAG.AA) === 0 || (flags & FLAG.TC) !== 0) return false;
      return settings.translateAll || parseMessage(response).answers.every(({ type }) => type !== TYPE.AAAA);
    },
    synthesize(aaaa, a, maxBytes) {
      const made = parseMessage(a);
      const truncated = (made.flags & FLAG.TC) !== 0;
      // If the A question fails, the answer is unknown: "no AAAA" would be cached.
      const failed = made.rcode === RCODE.SERVFAIL;
      if (!truncated && !failed && !made.answers.some(({ type }) => type === TYPE.A)) return aaaa;
      const limit =
        parseMessage(aaaa).authorities.find(({ type }) => type === TYPE.SOA)?.ttlSeconds ?? DNS64_TTL_SECONDS;
      const mapped = (record: MessageRecord): MessageRecord => {
        const ttlSeconds = Math.min(record.ttlSeconds, limit);
        if (record.type !== TYPE.A) return { ...record, ttlSeconds };
        return { ...record, ttlSeconds, type: TYPE.AAAA, rdata: embed(record.rdata) };
      };
      const questions = made.questions.map((question) => ({ ...question, type: TYPE.AAAA }));
      const answers = made.answers.map(mapped);
      return composeTruncating({ ...made, questions, answers, authorities: [], additionals: [] }, maxBytes);
    },
  };
}

/** The same query for A records. `nameEnd` is just before QTYPE. */
export function forIpv4(query: Uint8Array, nameEnd: number): Uint8Array {
  const changed = query.slice();
  changed[nameEnd + 1] = TYPE.A;
  return changed;
}
