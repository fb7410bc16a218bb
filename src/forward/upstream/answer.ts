// The answer to a question as records: the accepted part of an upstream reply, or from hosts and templates.
import { NO_EDE } from '../../dns/fast/response-writer.ts';
import type { MessageRecord } from '../../dns/message/record.ts';
import type { WireName } from '../../dns/name.ts';
import { parseName } from '../../dns/name.ts';
import { CLASS, RCODE, TYPE } from '../../dns/types.ts';
import type { ForwardQuestion } from './question.ts';

export interface Answer {
  readonly rcode: number;
  /** The upstream validated the answer (AD). */
  readonly authentic: boolean;
  /** The chain of CNAMEs, then the records of the type asked for, with the RRSIGs if `dnssecOk`. */
  readonly answers: readonly MessageRecord[];
  /** SOA of negative answers, and the proofs if `dnssecOk`. */
  readonly authority: readonly MessageRecord[];
  /** Where the chain ends. */
  readonly finalName: WireName;
  /** The chain leads into one of our zones, whose records are ours to add. */
  readonly endsInOurs: boolean;
  /** There are records of the type asked for. */
  readonly hasData: boolean;
  /** TTL of the whole: the smallest; of negative answers by RFC 2308 section 5; 0: never cached. */
  readonly ttlSeconds: number;
  /** TC over TCP: records may be missing. Never cached. */
  readonly truncated: boolean;
  /** EDE of the upstream (RFC 8914); -1: none. */
  readonly ede: number;
  /** Its EXTRA-TEXT, as `extraText` leaves it. */
  readonly edeText?: string;
}

/**
 * An answer from hosts, templates and the like. Without records it is not cached (RFC 2308 section 5) unless `withSoa` adds
 * a SOA: hosts have no zone that it could belong to.
 */
export function statedAnswer(question: ForwardQuestion, rdata: readonly Uint8Array[], ttlSeconds: number): Answer {
  const answers = rdata.map(
    (bytes): MessageRecord => ({ name: question.name, type: question.type, class: CLASS.IN, ttlSeconds, rdata: bytes }),
  );
  return {
    rcode: RCODE.NOERROR,
    authentic: false,
    answers,
    authority: [],
    finalName: question.name,
    endsInOurs: false,
    hasData: answers.length > 0,
    ttlSeconds: answers.length > 0 ? ttlSeconds : 0,
    truncated: false,
    ede: NO_EDE,
  };
}

/** A negative answer with the SOA of `zone`, as RFC 6303 section 3 has it for zones that are served locally. */
export function withSoa(answer: Answer, zone: WireName, ttlSeconds: number): Answer {
  if (answer.hasData) return answer;
  const soa: MessageRecord = {
    name: zone,
    type: TYPE.SOA,
    class: CLASS.IN,
    ttlSeconds,
    rdata: soaRdata(zone, ttlSeconds),
  };
  return { ...answer, authority: [soa], ttlSeconds };
}

function soaRdata(zone: WireName, ttlSeconds: number): Uint8Array {
  const rdata = Buffer.concat([zone, parseName('nobody.invalid.'), Buffer.alloc(20)]);
  // Serial, refresh, retry, expire, minimum.
  [1, 3600, 1200, 604_800, ttlSeconds].forEach((value, i) => {
    rdata.writeUInt32BE(value, rdata.length - 20 + 4 * i);
  });
  return rdata;
}
