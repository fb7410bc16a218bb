// AAAA records made of A records, for clients that have IPv6 only and a NAT64 (RFC 6147; the addresses by RFC 6052).
import { formatIp, parseIp } from '../../dns/ip.ts';
import type { WireName } from '../../dns/name.ts';
import { addressOfReverseName, formatName, parseName, reverseName } from '../../dns/name.ts';
import { RCODE, TYPE } from '../../dns/types.ts';
import type { Dns64Settings } from '../../plane/forward-settings.ts';
import type { Answer } from '../upstream/answer.ts';
import type { ForwardQuestion } from '../upstream/question.ts';

export interface Dns64 {
  /** Whether the A records are to be asked for. `answer` undefined: there was no answer to the AAAA question. */
  applies(question: ForwardQuestion, answer: Answer | undefined): boolean;
  /** The answer to the AAAA question synthesized from that to the A question; undefined: keep the first one. */
  synthesize(aaaa: Answer | undefined, a: Answer): Answer | undefined;
  /**
   * The in-addr.arpa name of the IPv4 address in an address of the prefix, for a PTR question about that; else undefined.
   * The answer is a CNAME to it (RFC 6147 section 5.3.1, as BIND does), so that its records are used.
   */
  reverseOf(question: ForwardQuestion): WireName | undefined;
}

/** RFC 6147 section 5.1.7: the limit without an SOA. */
export const DNS64_TTL_SECONDS = 600;

export function createDns64(settings: Dns64Settings): Dns64 {
  const embed = createEmbedding(settings);
  return {
    applies(question, answer) {
      if (question.type !== TYPE.AAAA) return false;
      // RFC 6147 section 5.5: validating clients must see the original records.
      if (question.dnssecOk && question.checkingDisabled) return false;
      // Sections 5.1.2 and 5.1.3: any error but NXDOMAIN is taken as an empty answer.
      if (answer === undefined) return true;
      if (answer.rcode !== RCODE.NOERROR) return false;
      return (
        settings.translateAll || answer.answers.every((record) => record.type !== TYPE.AAAA || isMapped(record.rdata))
      );
    },
    synthesize(aaaa, a) {
      if (!a.hasData) return undefined;
      const hasLimit = aaaa !== undefined && !aaaa.hasData && aaaa.ttlSeconds > 0;
      const limit = hasLimit ? aaaa.ttlSeconds : DNS64_TTL_SECONDS;
      const answers = a.answers
        .filter((record) => record.type !== TYPE.RRSIG)
        .map((record) => {
          const ttlSeconds = Math.min(record.ttlSeconds, limit);
          if (record.type !== TYPE.A) return { ...record, ttlSeconds };
          return { ...record, ttlSeconds, type: TYPE.AAAA, rdata: embed(record.rdata) };
        });
      return { ...a, answers, authentic: false, authority: [], ttlSeconds: Math.min(a.ttlSeconds, limit) };
    },
    reverseOf(question) {
      if (question.type !== TYPE.PTR) return undefined;
      const address = parseIp(addressOfReverseName(formatName(question.name)) ?? '');
      const ipv4 = address?.length === 16 ? embeddedIn(address, settings) : undefined;
      return ipv4 && parseName(reverseName(formatIp(ipv4)));
    },
  };
}

/** From the 4 bytes of an IPv4 address to the 16 of the prefix's address for it. */
export function createEmbedding({ prefix, prefixBits }: Dns64Settings): (ipv4: Uint8Array) => Uint8Array {
  const start = (parseIp(prefix) ?? new Uint8Array(16)).subarray(0, prefixBits / 8);
  return (ipv4) => {
    const address = new Uint8Array(16);
    address.set(start);
    placesAfter(prefixBits).forEach((place, i) => {
      address[place] = ipv4[i];
    });
    return address;
  };
}

/** The suffix is not looked at (RFC 6052 section 2.2). undefined: not an address of the prefix. */
function embeddedIn(address: Uint8Array, { prefix, prefixBits }: Dns64Settings): Uint8Array | undefined {
  const start = (parseIp(prefix) ?? new Uint8Array(16)).subarray(0, prefixBits / 8);
  if (!start.every((byte, i) => address[i] === byte)) return undefined;
  return Uint8Array.from(placesAfter(prefixBits), (place) => address[place]);
}

/** Offsets of the four bytes. RFC 6052 section 2.2: bits 64 to 71 are always 0. */
function placesAfter(prefixBits: number): number[] {
  return [0, 1, 2, 3]
    .map((i) => prefixBits / 8 + i)
    .map((place) => (prefixBits < 96 && place >= 8 ? place + 1 : place));
}

/** ::ffff:0:0/96, which RFC 6147 section 5.1.4 leaves out by default. */
export function isMapped(address: Uint8Array): boolean {
  return (
    address.length === 16 &&
    address.subarray(0, 10).every((byte) => byte === 0) &&
    address[10] === 0xff &&
    address[11] === 0xff
  );
}
