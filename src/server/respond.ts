// One query → one response. RCODE, AA, TC and EDE are decided here and nowhere else.
//
//   RFC 1034 4.3.2  the order of the search (lookup.ts)      RFC 2308  SOA and its TTL in negative answers
//   RFC 2181 5, 9   whole RRsets, no duplicates, TC          RFC 4592  wildcards (lookup.ts)
//   RFC 6891        EDNS(0), BADVERS                         RFC 8020  names with nothing of their own are NODATA
//   RFC 8482        ANY gets HINFO (or the CNAME)            RFC 8906  what must be answered, and how
//   RFC 8914        extended errors                          RFC 9619  QDCOUNT is 1
import { type Edns, emptyEdns, readEdns } from '../dns/edns.ts';
import { HEADER, opcodeOf, readUint16 } from '../dns/header.ts';
import { HEADER_BYTES, MAX_CNAME_CHAIN, UDP_BYTES_WITHOUT_EDNS } from '../dns/limits.ts';
import { emptyName, emptyQuestion, type LabelledName, readName, readQuestion } from '../dns/question.ts';
import { CLASS, EDE, FLAG, OPCODE, RCODE, TYPE } from '../dns/types.ts';
import type { Forwarder, TargetAnswer } from '../forward/forwarder.ts';
import { COUNTER, type Counters, countResponse, typeCounter } from '../plane/counters.ts';
import { POLICY } from '../plane/layout.ts';
import type { HashSeed } from '../plane/name-hash.ts';
import type { ResponderSettings } from '../plane/settings.ts';
import { hasRecords, isGone } from './alive.ts';
import { createAnswerWriter, NONE_ALIVE, WRITTEN } from './answer.ts';
import { chunkOf } from './arena.ts';
import { chaosAnswer } from './chaos.ts';
import { writeTarget } from './external-target.ts';
import { createLookup, OUTCOME } from './lookup.ts';
import { OPT_ROOM, writeOpt } from './opt.ts';
import { beginReply, emptyReply, writeHeader, writeHeaderOnly } from './reply.ts';
import { createSelector, policyOf } from './select.ts';
import { addHinfo, addPodAddress } from './synthesized.ts';
import type { Table } from './table.ts';
import { fallsThrough, type Zone, type Zones } from './zones.ts';

export interface ResponderDeps {
  readonly table: Table;
  readonly zones: Zones;
  readonly slots: Uint8Array;
  readonly counters: Counters;
  readonly settings: ResponderSettings;
  readonly hashSeed: HashSeed;
  /** Where rotation begins; any number. */
  readonly rotationSeed: number;
  /** Needed where `settings.forwarding`. */
  readonly forwarder?: Forwarder;
  /** A bug: the query is answered SERVFAIL. */
  onError(error: Error): void;
}

/** The query gets no response. */
export const DROP = 0;
/** The response comes later: hand a copy of the query to `respondLater`, before anything else is answered. */
export const LATER = -1;

export interface Responder {
  /**
   * Writes the response to the message `query[0, queryLength)` into `out` (at least 1232 bytes; 65535 over TCP) and gives its length, DROP
   * or LATER. Allocates nothing.
   */
  respond(query: Uint8Array, queryLength: number, out: Uint8Array, overTcp: boolean): number;
  /** `query` is the caller's own copy; `reply` is called once, with bytes that are valid until it returns. */
  respondLater(query: Uint8Array, overTcp: boolean, reply: (response: Uint8Array) => void): void;
}

export function createResponder(deps: ResponderDeps): Responder {
  const { table, zones, counters, settings, forwarder } = deps;
  const selector = createSelector(deps.slots, deps.rotationSeed);
  const search = createLookup(table, zones, deps.hashSeed);
  const { found } = search;
  const write = createAnswerWriter(table, search, selector);
  const reply = emptyReply();
  const question = emptyQuestion();
  const edns: Edns = emptyEdns();
  const alias: LabelledName = emptyName();
  const visited = new Int32Array(MAX_CNAME_CHAIN + 1);
  const chaos = chaosAnswer(settings);
  const forwards = settings.forwarding && forwarder !== undefined;
  let hops = 0;
  /** The name being answered and its place in the message: the question, then the target of each CNAME. */
  let name = question.name;
  let nameAt = HEADER_BYTES;
  let waitsForTarget = false;
  let maxBytes = 0;
  let target: TargetAnswer | undefined;

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
    for (let i = 0; i < hops; i++) if (visited[i] === found.handle) return false;
    visited[hops++] = found.handle;
    const result = write.cname(reply, found.handle, found.rrset, nameAt);
    reply.answers += write.written();
    if (result === NONE_ALIVE) noneAlive(zone);
    if (result !== WRITTEN) return false;
    if (zone.stale) reply.ede = EDE.STALE_ANSWER;
    nameAt = write.lastRdata();
    readName(reply.out, nameAt, reply.at, alias);
    name = alias;
    return hops < MAX_CNAME_CHAIN && question.type !== TYPE.ANY;
  };

  const refer = (): void => {
    reply.authoritative = hops > 0;
    const result = write.rrset(reply, found.handle, found.rrset, nameAt + name.starts[found.cutLabels]);
    reply.authority += write.written();
    if (result === WRITTEN) write.glue(reply, TYPE.NS);
  };

  const leavesOurZones = (): void => {
    if (hops === 0) {
      fail(RCODE.REFUSED, EDE.NOT_AUTHORITATIVE);
      return;
    }
    if (target !== undefined) {
      reply.rcode = target.rcode;
      if (target.stale) reply.ede = EDE.STALE_ANSWER;
      writeTarget(reply, target.records, name, nameAt);
    } else if (forwards && question.type !== TYPE.CNAME) waitsForTarget = true;
  };

  /** Answers `question`; false: its name is not ours to answer, ask upstream. */
  const answer = (): boolean => {
    for (;;) {
      search.lookup(name, question.type);
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
          addPodAddress(reply, nameAt, found);
          return true;
        case OUTCOME.NXDOMAIN:
          if (hops === 0 && forwards && fallsThrough(zone, name)) return false;
          negative(RCODE.NXDOMAIN, zone);
          return true;
        case OUTCOME.NODATA:
          if (question.type === TYPE.ANY && found.handle >= 0 && hasRecords(table, selector, found.handle)) {
            addHinfo(reply, nameAt);
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

  const headerOnly = (query: Uint8Array, out: Uint8Array, flags: number): number => {
    counters[COUNTER.RCODES + (flags & 15)]++;
    return writeHeaderOnly(query, out, flags);
  };

  const begin = (query: Uint8Array, out: Uint8Array, overTcp: boolean): void => {
    const udpBytes = edns.present
      ? Math.max(UDP_BYTES_WITHOUT_EDNS, Math.min(edns.udpBytes, settings.udpPayloadBytes))
      : UDP_BYTES_WITHOUT_EDNS;
    maxBytes = Math.min(overTcp ? 65_535 : udpBytes, out.length);
    beginReply(reply, query, question.end, out);
    reply.limit = edns.present ? maxBytes - OPT_ROOM : maxBytes;
    reply.overTcp = overTcp;
    hops = 0;
    name = question.name;
    nameAt = HEADER_BYTES;
    waitsForTarget = false;
  };

  const end = (query: Uint8Array): number => {
    if (edns.present) {
      reply.at = writeOpt(reply.out, reply.at, settings.udpPayloadBytes, reply.rcode, edns.dnssecOk, reply.ede);
      reply.additional++;
    }
    writeHeader(reply, query, settings.forwarding);
    countResponse(counters, reply.rcode, reply.at, reply.truncated);
    return reply.at;
  };

  const unguarded = (query: Uint8Array, queryLength: number, out: Uint8Array, overTcp: boolean): number => {
    if (queryLength < HEADER_BYTES) {
      counters[COUNTER.DROPPED_SHORT]++;
      return DROP;
    }
    const flags = readUint16(query, HEADER.FLAGS);
    if ((flags & FLAG.QR) !== 0) {
      counters[COUNTER.DROPPED_RESPONSE]++;
      return DROP;
    }
    const opcode = opcodeOf(flags);
    if (opcode !== OPCODE.QUERY) return headerOnly(query, out, FLAG.QR | (opcode << 11) | RCODE.NOTIMP);
    const readable =
      readUint16(query, HEADER.QDCOUNT) === 1 &&
      readQuestion(query, queryLength, question) &&
      readEdns(query, queryLength, question.end, edns);
    if (!readable) return headerOnly(query, out, FLAG.QR | (flags & FLAG.RD) | RCODE.FORMERR);
    counters[typeCounter(question.type)]++;
    begin(query, out, overTcp);
    if (!answerQuestion()) {
      counters[COUNTER.FORWARDED]++;
      const cached = forwarder?.fromCache(query, queryLength, question.end, out, 0, maxBytes) ?? 0;
      return cached > 0 ? cached : LATER;
    }
    return waitsForTarget ? LATER : end(query);
  };

  const respond = (query: Uint8Array, queryLength: number, out: Uint8Array, overTcp: boolean): number => {
    try {
      return unguarded(query, queryLength, out, overTcp);
    } catch (error) {
      counters[COUNTER.ERRORS]++;
      deps.onError(error as Error);
      return headerOnly(query, out, FLAG.QR | ((query[2] << 8) & FLAG.RD) | RCODE.SERVFAIL);
    }
  };

  const respondLater = (query: Uint8Array, overTcp: boolean, send: (response: Uint8Array) => void): void => {
    if (forwarder === undefined) throw new Error('respondLater without a forwarder');
    if (!waitsForTarget) {
      forwarder.resolve(query, question.end, maxBytes, send);
      return;
    }
    const out = new Uint8Array(maxBytes);
    forwarder.resolveTarget(name.bytes.slice(0, name.length), question.type, edns.dnssecOk, (answered) => {
      target = answered;
      const length = respond(query, query.length, out, overTcp);
      target = undefined;
      // The zone may have changed meanwhile so that another alias is to be followed: that one is not waited for.
      send(out.subarray(0, length > 0 ? length : headerOnly(query, out, FLAG.QR | RCODE.SERVFAIL)));
    });
  };

  return { respond, respondLater };
}
