// AAAA records made of A records, for clients that have IPv6 only and a NAT64 (RFC 6147; the addresses by RFC 6052).
import { parseIp } from '../dns/ip.ts';
import { RCODE, TYPE } from '../dns/types.ts';
import type { Judged } from './judge.ts';
import type { ForwardQuestion } from './question.ts';
import type { Dns64Settings } from './settings.ts';

export interface Dns64 {
  /** Whether the A records are to be asked for. `judged` undefined: there was no answer to the AAAA question. */
  applies(question: ForwardQuestion, judged: Judged | undefined): boolean;
  /** The answer to the AAAA question out of that to the A question; undefined: there is none, the first one stands. */
  synthesize(aaaa: Judged | undefined, a: Judged): Judged | undefined;
}

/** RFC 6147 section 5.1.7: the most when there is no SOA to say. */
const MAX_TTL_SECONDS = 600;

export function createDns64(settings: Dns64Settings): Dns64 {
  const prefix = parseIp(settings.prefix) ?? new Uint8Array(16);
  return {
    applies(question, judged) {
      if (question.type !== TYPE.AAAA) return false;
      // RFC 6147 section 5.5: who validates itself must see what is there.
      if (question.dnssecOk && question.checkingDisabled) return false;
      // Sections 5.1.2 and 5.1.3: any error but NXDOMAIN is taken as an empty answer.
      if (judged === undefined) return true;
      if (judged.rcode !== RCODE.NOERROR || judged.endsInOurs) return false;
      return (
        settings.translateAll || judged.answers.every((record) => record.type !== TYPE.AAAA || isMapped(record.rdata))
      );
    },
    synthesize(aaaa, a) {
      if (!a.hasData) return undefined;
      const hasLimit = aaaa !== undefined && !aaaa.hasData && aaaa.ttlSeconds > 0;
      const limit = hasLimit ? aaaa.ttlSeconds : MAX_TTL_SECONDS;
      const answers = a.answers
        .filter((record) => record.type !== TYPE.RRSIG)
        .map((record) => {
          const ttl = Math.min(record.ttl, limit);
          if (record.type !== TYPE.A) return { ...record, ttl };
          return { ...record, ttl, type: TYPE.AAAA, rdata: embed(prefix, settings.prefixBits, record.rdata) };
        });
      return { ...a, answers, authentic: false, authority: [], ttlSeconds: Math.min(a.ttlSeconds, limit) };
    },
  };
}

/** RFC 6052 section 2.2: bits 64 to 71 stay 0, whatever the prefix. */
function embed(prefix: Uint8Array, prefixBits: number, ipv4: Uint8Array): Uint8Array {
  const address = new Uint8Array(16);
  address.set(prefix.subarray(0, prefixBits / 8));
  let at = prefixBits / 8;
  for (const byte of ipv4) {
    if (at === 8) at++;
    address[at++] = byte;
  }
  return address;
}

/** ::ffff:0:0/96, which RFC 6147 section 5.1.4 leaves out by default. */
function isMapped(address: Uint8Array): boolean {
  return address.subarray(0, 10).every((byte) => byte === 0) && address[10] === 0xff && address[11] === 0xff;
}
