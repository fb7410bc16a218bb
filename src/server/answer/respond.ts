// One query → one response. RCODE, AA, TC and EDE are decided here and nowhere else.
//
//   RFC 1034 4.3.2  the order of the search (lookup.ts)      RFC 2308  SOA and its TTL in negative answers
//   RFC 2181 5, 9   whole RRsets, no duplicates, TC          RFC 4592  wildcards (lookup.ts)
//   RFC 6891        EDNS(0), BADVERS                         RFC 8020  names with nothing of their own are NODATA
//   RFC 8482        ANY gets HINFO (or the CNAME)            RFC 8906  what must be answered, and how
//   RFC 8914        extended errors                          RFC 9619  QDCOUNT is 1
import { emptyQueryEdns, readQueryEdns } from '../../dns/fast/query-edns.ts';
import { createQuestionReader } from '../../dns/fast/question-reader.ts';
import {
  KEEPALIVE_BYTES,
  NO_EDE,
  OPT_BYTES,
  OPT_BYTES_WITH_EDE,
  writeHeader,
  writeHeaderOnly,
  writeKeepalive,
  writeOpt,
} from '../../dns/fast/response-writer.ts';
import { HEADER_BYTES, MAX_CNAME_CHAIN, MAX_MESSAGE_BYTES, UDP_BYTES_WITHOUT_EDNS } from '../../dns/limits.ts';
import { CLASS, EDE, FLAG, OPCODE, RCODE, TYPE } from '../../dns/types.ts';
import { writeUint16 } from '../../dns/writer.ts';
import type { Miss } from '../../forward/resolve/outstanding.ts';
import type { TargetAnswer } from '../../forward/resolve/target.ts';
import { chunkOf } from '../../memory/arena.ts';
import { throughMemory } from '../../native/packet-memory.ts';
import { COUNTER, countResponse, typeCounter } from '../../plane/counters.ts';
import { POLICY } from '../../plane/layout.ts';
import { hasRecords, isGone } from '../table/alive.ts';
import { createLookup, OUTCOME } from '../table/lookup.ts';
import { createSelector, policyOf } from '../table/select.ts';
import { fallsThrough, type Zone } from '../table/zones.ts';
import { createAnswerWriter, NONE_ALIVE, WRITTEN } from './answer.ts';
import { chaosAnswer } from './chaos.ts';
import { writeTarget } from './external-target.ts';
import { beginReply, emptyReply } from './reply.ts';
import { DROP, LATER, type Responder, type ResponderDeps } from './responder.ts';
import { addHinfo, addPodAddress } from './synthesized.ts';

export { DROP, LATER, type Responder } from './responder.ts';

export function createResponder(deps: ResponderDeps): Responder {
  const { table, zones, counters, settings, forwarder, memory } = deps;
  const { bytes, view } = memory;
  const reader = createQuestionReader(bytes, memory.spareAt, deps.hashSeed);
  const { question } = reader;
  /** The name being answered: that of the question, then the target of each alias. */
  const { name } = question;
  const selector = createSelector(deps.slots, deps.rotationSeed);
  const search = createLookup(table, zones, name);
  const { found } = search;
  const write = createAnswerWriter(memory, table, search, selector, name);
  const reply = emptyReply();
  const edns = emptyQueryEdns();
  const visited = new Int32Array(MAX_CNAME_CHAIN);
  const chaos = chaosAnswer(settings, memory);
  const udpPayloadBytes = Math.max(UDP_BYTES_WITHOUT_EDNS, settings.udpPayloadBytes);
  const forwards = settings.forwarding && forwarder !== undefined;
  let hops = 0;
  /** The place of `name` in the message. */
  let nameAt = HEADER_BYTES;
  let waitsForTarget = false;
  let maxBytes = 0;
  let target: TargetAnswer | undefined;
  /** Of the query that `respondLater` is called for next. */
  let miss: Miss | undefined;

  const fail = (rcode: number, ede: number): void => {
    reply.rcode = rcode;
    reply.ede = ede;
  };

  /** NODATA or NXDOMAIN, with the SOA that says for how long; unless the zone is not known well enough to say so. */
  const negative = (rcode: number, zone: Zone): void => {
    const labels = zone.labels;
    const ownerAt = nameAt + name.starts[labels];
    if (!zone.ready || !write.soa(reply, zone, ownerAt)) {
      fail(RCODE.SERVFAIL, EDE.NOT_READY);
      return;
    }
    reply.rcode = rcode;
    if (zone.stale) reply.ede = rcode === RCODE.NXDOMAIN ? EDE.STALE_NXDOMAIN_ANSWER : EDE.STALE_ANSWER;
  };

  const nodata = (zone: Zone): void => {
    const gone = found.handle >= 0 && isGone(table, selector, found.handle);
    negative(gone ? RCODE.NXDOMAIN : RCODE.NOERROR, zone);
  };

  const noneAlive = (zone: Zone): void => {
    const policy = policyOf(table.arena.words[chunkOf(found.handle)], found.rrset);
    if (policy === POLICY.SERVFAIL) fail(RCODE.SERVFAIL, EDE.NO_REACHABLE_AUTHORITY);
    else nodata(zone);
  };

  const answerHit = (zone: Zone): void => {
    const result = write.rrset(reply, found.handle, found.rrset, nameAt);
    reply.answers += write.written();
    if (result === NONE_ALIVE) {
      noneAlive(zone);
      return;
    }
    if (result === WRITTEN) write.glue(reply, question.type);
    if (zone.stale) reply.ede = EDE.STALE_ANSWER;
  };

  /** Writes the CNAME and makes its target the name to answer; false where the chain ends here. */
  const followCname = (zone: Zone): boolean => {
    if (hops === MAX_CNAME_CHAIN) return false;
    for (let i = 0; i < hops; i++) if (visited[i] === found.handle) return false;
    visited[hops++] = found.handle;
    const result = write.cname(reply, found.handle, found.rrset, nameAt);
    reply.answers += write.written();
    if (result === NONE_ALIVE) noneAlive(zone);
    if (result !== WRITTEN) return false;
    if (zone.stale) reply.ede = EDE.STALE_ANSWER;
    nameAt = write.lastRdata() - reply.base;
    reader.readAlias(write.lastRdata(), reply.at);
    return question.type !== TYPE.ANY;
  };

  const refer = (): void => {
    reply.authoritative = hops > 0;
    const result = write.rrset(reply, found.handle, found.rrset, nameAt + name.starts[found.cutLabels]);
    reply.authority += write.written();
    if (result === WRITTEN) write.glueOfCut(reply, found.cutLabels);
  };

  const leavesOurZones = (): void => {
    if (hops === 0) {
      fail(RCODE.REFUSED, EDE.NOT_AUTHORITATIVE);
      return;
    }
    if (target !== undefined) {
      reply.rcode = target.rcode;
      if (target.stale) reply.ede = EDE.STALE_ANSWER;
      writeTarget(memory, reply, target.records, name, nameAt);
    } else if (forwards && question.type !== TYPE.CNAME) waitsForTarget = true;
  };

  /** Answers `question`; false: its name is not ours to answer, ask upstream. */
  const answer = (): boolean => {
    for (;;) {
      search.lookup(question.type);
      const zone = found.zone;
      if (zone === undefined) {
        if (hops === 0 && forwards) return false;
        leavesOurZones();
        return true;
      }
      if (hops === 0) reply.authoritative = true;
      switch (found.outcome) {
        case OUTCOME.HIT:
          answerHit(zone);
          return true;
        case OUTCOME.CNAME:
          if (!followCname(zone)) return true;
          continue;
        case OUTCOME.REFERRAL:
          refer();
          return true;
        case OUTCOME.POD_ADDRESS:
          addPodAddress(view, reply, nameAt, found);
          return true;
        case OUTCOME.NXDOMAIN:
          if (hops === 0 && forwards && fallsThrough(zone, name)) return false;
          negative(RCODE.NXDOMAIN, zone);
          return true;
        case OUTCOME.NODATA:
          if (question.type === TYPE.ANY && found.handle >= 0 && hasRecords(table, selector, found.handle)) {
            addHinfo(view, reply, nameAt);
          } else nodata(zone);
          return true;
        default:
          fail(RCODE.SERVFAIL, EDE.NOT_READY);
          return true;
      }
    }
  };

  /** Answers a well-formed query; false: ask upstream. */
  const answerQuestion = (): boolean => {
    if (edns.present && edns.version > 0) {
      reply.rcode = RCODE.BADVERS;
    } else if (question.type === TYPE.AXFR || question.type === TYPE.IXFR) {
      fail(RCODE.REFUSED, EDE.PROHIBITED);
    } else if (question.class === CLASS.CH) {
      if (chaos(question, reply)) reply.authoritative = true;
      else fail(RCODE.REFUSED, EDE.NOT_AUTHORITATIVE);
    } else if (question.class !== CLASS.IN) {
      fail(RCODE.REFUSED, EDE.NOT_AUTHORITATIVE);
    } else {
      return answer();
    }
    return true;
  };

  const headerOnly = (slot: number, to: number, flags: number): number => {
    counters[COUNTER.RCODES + (flags & 15)]++;
    return writeHeaderOnly(view, memory.responseAt[to], memory.queryAt[slot], flags);
  };

  /** Reads what is behind the header, as far as it must be known; false where that cannot be understood. */
  const read = (queryAt: number, end: number, responseAt: number, questions: number): boolean => {
    edns.present = false;
    if (questions > 1 || (questions === 1 && !reader.readQuestion(queryAt, end, responseAt))) return false;
    return readQueryEdns(bytes, queryAt, queryAt + (questions === 1 ? question.length : HEADER_BYTES), end, edns);
  };

  /** Nothing but an rcode; with OPT where the query has one that was understood (RFC 6891 section 6.1.1). */
  const refuseUnread = (slot: number, to: number, flags: number): number => {
    const length = headerOnly(slot, to, flags);
    if (!edns.present) return length;
    const base = memory.responseAt[to];
    writeUint16(bytes, base + 10, 1);
    return writeOpt(bytes, base + length, udpPayloadBytes, flags & 15, edns.dnssecOk, NO_EDE) - base;
  };

  const begin = (to: number, overTcp: boolean): void => {
    maxBytes = overTcp ? MAX_MESSAGE_BYTES : UDP_BYTES_WITHOUT_EDNS;
    if (!overTcp && edns.present && edns.udpBytes > maxBytes) maxBytes = Math.min(edns.udpBytes, udpPayloadBytes);
    const base = memory.responseAt[to];
    beginReply(reply, base, question.length);
    reply.limit = base + (edns.present ? maxBytes - OPT_BYTES : maxBytes);
    reply.overTcp = overTcp;
    hops = 0;
    nameAt = HEADER_BYTES;
    waitsForTarget = false;
  };

  const end = (queryAt: number): number => {
    // Nothing is said with authority where the truth is not known; so do BIND and Knot.
    if (reply.rcode === RCODE.SERVFAIL) reply.authoritative = false;
    if (edns.present) {
      if (reply.at + OPT_BYTES_WITH_EDE > reply.base + maxBytes) reply.ede = NO_EDE;
      const optAt = reply.at;
      reply.at = writeOpt(bytes, optAt, udpPayloadBytes, reply.rcode, edns.dnssecOk, reply.ede);
      reply.additional++;
      // RFC 7828 section 3.2.2: never over UDP.
      if (edns.keepalive && reply.overTcp && reply.at + KEEPALIVE_BYTES <= reply.base + maxBytes)
        reply.at = writeKeepalive(bytes, reply.at, optAt, settings.tcpIdleMs);
    }
    const flags =
      (reply.authoritative ? FLAG.AA : 0) | (reply.truncated ? FLAG.TC : 0) | (settings.forwarding ? FLAG.RA : 0);
    const { answers, authority, additional } = reply;
    writeHeader(view, reply.base, queryAt, flags | (reply.rcode & 15), answers, authority, additional);
    const length = reply.at - reply.base;
    countResponse(counters, reply.rcode, length, reply.truncated);
    return length;
  };

  const unguarded = (slot: number, queryLength: number, to: number, overTcp: boolean): number => {
    const queryAt = memory.queryAt[slot];
    if (queryLength < HEADER_BYTES) {
      counters[COUNTER.DROPPED_SHORT]++;
      return DROP;
    }
    const flags = view.getUint16(queryAt + 2);
    if ((flags & FLAG.QR) !== 0) {
      counters[COUNTER.DROPPED_RESPONSE]++;
      return DROP;
    }
    const questions = view.getUint16(queryAt + 4);
    const readable = read(queryAt, queryAt + queryLength, memory.responseAt[to], questions);
    const opcode = (flags >>> 11) & 15;
    if (opcode !== OPCODE.QUERY) return refuseUnread(slot, to, FLAG.QR | (opcode << 11) | RCODE.NOTIMP);
    if (!readable || questions !== 1) return refuseUnread(slot, to, FLAG.QR | (flags & FLAG.RD) | RCODE.FORMERR);
    counters[typeCounter(question.type)]++;
    begin(to, overTcp);
    if (!answerQuestion()) return forward(slot, queryLength, to);
    return waitsForTarget ? LATER : end(queryAt);
  };

  const forward = (slot: number, queryLength: number, to: number): number => {
    counters[COUNTER.FORWARDED]++;
    const out = memory.responses[to];
    const answer = forwarder!.answer(memory.queries[slot], queryLength, question.length, out, 0, maxBytes);
    if (typeof answer === 'number') return answer;
    miss = answer;
    return LATER;
  };

  const respondSlot = (slot: number, queryLength: number, to: number, overTcp: boolean): number => {
    try {
      return unguarded(slot, queryLength, to, overTcp);
    } catch (error) {
      counters[COUNTER.ERRORS]++;
      deps.onError(error as Error);
      return headerOnly(slot, to, FLAG.QR | RCODE.SERVFAIL);
    }
  };

  const respond = throughMemory(memory, respondSlot);

  const respondLater = (query: Uint8Array, overTcp: boolean, send: (response: Uint8Array) => void): void => {
    if (forwarder === undefined) throw new Error('respondLater without a forwarder');
    if (!waitsForTarget) {
      miss?.resolve(send);
      miss = undefined;
      return;
    }
    const out = new Uint8Array(maxBytes);
    forwarder.resolveTarget(name.bytes.slice(0, name.length), question.type, edns.dnssecOk, (answered) => {
      target = answered;
      const length = respond(query, query.length, out, overTcp);
      target = undefined;
      // Where another alias is to be followed by now, the client asks again.
      send(out.subarray(0, Math.max(0, length)));
    });
  };

  return { respondSlot, respond, respondLater };
}
