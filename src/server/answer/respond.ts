// One query → one response. RCODE, AA, TC and EDE are decided here and nowhere else.
//
//   RFC 1034 4.3.2  the search (lookup.ts) and its aliases   RFC 2308  SOA and its TTL in negative answers
//   RFC 2181 5, 9   whole RRsets, no duplicates, TC          RFC 4592  wildcards (lookup.ts)
//   RFC 6891        EDNS(0), BADVERS                         RFC 8020  empty non-terminals are NODATA
//   RFC 8482        ANY gets HINFO (or the CNAME)            RFC 8906  what must be answered, and how
//   RFC 8914        extended errors                          RFC 9619  QDCOUNT is 1
//   RFC 6672        DNAME, YXDOMAIN
import { emptyQueryEdns, type QueryEdns, readQueryEdns } from '../../dns/fast/query-edns.ts';
import { createQuestionReader, type QuestionReader } from '../../dns/fast/question-reader.ts';
import {
  NO_EDE,
  OPT_BYTES_WITH_EDE,
  RECORD_HEAD_BYTES,
  writeHeaderOnly,
  writeOpt,
} from '../../dns/fast/response-writer.ts';
import {
  HEADER_BYTES,
  MAX_CNAME_CHAIN,
  MAX_MESSAGE_BYTES,
  MAX_NAME_BYTES,
  UDP_BYTES_WITHOUT_EDNS,
} from '../../dns/limits.ts';
import { type HashSeed, hashName } from '../../dns/name-hash.ts';
import { CLASS, EDE, FLAG, OPCODE, RCODE, TYPE } from '../../dns/types.ts';
import { writeUint16 } from '../../dns/writer.ts';
import type { Forwarder } from '../../forward/forwarder.ts';
import type { Miss } from '../../forward/resolve/outstanding.ts';
import type { TargetAnswer } from '../../forward/resolve/target.ts';
import { chunkOf, wordOf } from '../../memory/arena.ts';
import type { PacketMemory } from '../../native/packet-memory.ts';
import { COUNTER, type Counters, countResponse, SIZE_BOUNDS, SIZE_SLOTS, typeCounter } from '../../plane/counters.ts';
import { BLOCK, POLICY, RRSET } from '../../plane/layout.ts';
import type { ResponderSettings } from '../../plane/settings.ts';
import { createLookup, type Found, fallsThrough, rrsetOf, type Zone, type Zones } from '../table/lookup.ts';
import { EDE_OF, OUTCOME, RCODE_OF } from '../table/outcome.ts';
import { createSelector, policyOf, type Selector } from '../table/select.ts';
import type { Table } from '../table/table.ts';
import { createChaosAnswers } from './chaos.ts';
import { createPlaces, type Places } from './compression.ts';
import { DROP, type Later, type QueryHandler } from './query-handler.ts';
import type { Reasons } from './reasons.ts';
import {
  ADDED,
  addRecord,
  addSynthesizedAlias,
  addTarget,
  beginReply,
  CUT,
  createRRsetWriter,
  emptyReply,
  endReply,
  NO_CUT,
  NONE_ALIVE,
  type Reply,
  type RRsetWriter,
  SECTION,
} from './reply.ts';

export interface ResponderDeps {
  /** Where queries are read and responses written. */
  readonly memory: PacketMemory;
  readonly table: Table;
  readonly zones: Zones;
  readonly slots: Uint8Array;
  readonly reasons: Pick<Reasons, 'whyNone' | 'whyGone'>;
  readonly counters: Counters;
  readonly settings: ResponderSettings;
  readonly hashSeed: HashSeed;
  /** Where rotation begins; any number. */
  readonly rotationSeed: number;
  /** Required if `settings.forwarding`. */
  readonly forwarder?: Forwarder;
  /** A bug: the query is answered SERVFAIL. */
  onError(error: Error): void;
}

/** Of ANSWERED_BY. */
const BY_CACHE = 1;
/** Neither a length nor DROP. */
const WELL_FORMED = -1;
/** RFC 8482 section 4.2: CPU "RFC8482", OS "". */
const HINFO_RDATA = Uint8Array.of(7, 0x52, 0x46, 0x43, 0x38, 0x34, 0x38, 0x32, 0);
const HINFO_TTL_SECONDS = 3600;
/** Beside EDE 14. */
const FILES_UNREAD = 'not ready: hosts files and resolv.conf have not been read';

/** State shared by consecutive queries; overwritten by the next query. */
interface Answering {
  readonly deps: ResponderDeps;
  readonly settings: ResponderSettings;
  readonly reader: QuestionReader;
  readonly edns: QueryEdns;
  readonly reply: Reply;
}

export function createResponder(deps: ResponderDeps): QueryHandler {
  const { memory, counters, table, hashSeed } = deps;
  const settings = {
    ...deps.settings,
    udpPayloadBytes: Math.max(UDP_BYTES_WITHOUT_EDNS, deps.settings.udpPayloadBytes),
  };
  const reader = createQuestionReader(memory.bytes, memory.spareAt, hashSeed);
  const respondWith = createAnswers({ deps, settings, reader, edns: emptyQueryEdns(), reply: emptyReply() });
  const large = memory.slots;
  const noted = new Int32Array(memory.slots);

  const respondSlot = (slot: number, queryLength: number, to: number, overTcp: boolean): number | Later =>
    respondWith(slot, queryLength, to, overTcp, undefined);

  return {
    respondSlot,
    respond(query, queryLength, out, overTcp) {
      memory.bytes.set(queryLength < query.length ? query.subarray(0, queryLength) : query, memory.queryAt[large]);
      const length = respondSlot(large, queryLength, large, overTcp);
      if (typeof length === 'number' && length > 0) out.set(memory.responses[large].subarray(0, length));
      return length;
    },
    note(slot, queryLength) {
      const at = memory.queryAt[slot];
      noted[slot] = hashName(memory.bytes, hashSeed, at + HEADER_BYTES, at + queryLength);
    },
    touch: (count) => table.touch(noted, count),
    memory,
    counters,
  };
}

/** Answers a query that lies in the packet memory. */
function createAnswers(answering: Answering) {
  const { deps, settings, reader, edns, reply } = answering;
  const { memory, counters, forwarder } = deps;
  const { question } = reader;
  const read = createQueryReading(memory, counters, settings, reader, edns);
  const answer = createAnswering(answering);
  const end = createEnding(answering);
  const forward = createForwarding(answering);
  const large = memory.slots;

  const countQuery = (): void => {
    counters[memory.arrival + typeCounter(question.type)]++;
    if (edns.present && edns.dnssecOk) counters[COUNTER.DNSSEC_OK]++;
  };

  const respondWith = (
    slot: number,
    queryLength: number,
    to: number,
    overTcp: boolean,
    target: TargetAnswer | undefined,
  ): number | Later => {
    try {
      const refused = read(slot, queryLength, to);
      if (refused !== WELL_FORMED) return refused;
      if (target === undefined) countQuery();
      const outcome = answer(to, overTcp, target, true);
      if (outcome === OUTCOME.OUTSIDE || outcome === OUTCOME.FALLTHROUGH) {
        if (!forwarder!.isReady) {
          reply.why = FILES_UNREAD;
          return end(slot, queryLength, OUTCOME.NOT_READY, target);
        }
        const forwarded = forward(slot, queryLength, to);
        if (outcome === OUTCOME.OUTSIDE || typeof forwarded === 'number' || forwarded.hasRoute) return forwarded;
        // No other server is asked, so the name does not exist.
        counters[COUNTER.FORWARDED]--;
        return end(slot, queryLength, answer(to, overTcp, target, false), target);
      }
      if (outcome === OUTCOME.TARGET && target === undefined) return resolveTarget(slot, queryLength, overTcp);
      return end(slot, queryLength, outcome, target);
    } catch (error) {
      counters[COUNTER.ERRORS]++;
      deps.onError(error as Error);
      return refuse(memory, counters, slot, to, FLAG.QR | RCODE.SERVFAIL);
    }
  };

  /** The query is answered again once the target of its alias is known. */
  const resolveTarget = (slot: number, queryLength: number, overTcp: boolean): Later => {
    const { name, type } = question;
    const query = memory.queries[slot].slice(0, queryLength);
    const target = name.bytes.slice(0, name.length);
    const { dnssecOk } = edns;
    return {
      resolve: (send, client) =>
        forwarder!.resolveTarget(target, type, dnssecOk, client, (resolved) => {
          memory.bytes.set(query, memory.queryAt[large]);
          const response = respondWith(large, queryLength, large, overTcp, resolved);
          // If the alias has been removed, the client retries.
          send(memory.responses[large].subarray(0, typeof response === 'number' ? response : 0));
        }),
    };
  };

  return respondWith;
}

function createAnswering({ deps, settings, reader, edns, reply }: Answering) {
  const { memory } = deps;
  const { question } = reader;
  const search = createSearch(deps, reader, reply);
  const chaos = createChaosAnswers(settings);

  /** Adds the records of the response to the query that was read. `target`: the resolved target of an alias that leaves our zones. */
  const answer = (to: number, overTcp: boolean, target: TargetAnswer | undefined, fallsThrough: boolean): number => {
    beginReply(reply, memory.responseAt[to], question.length, limitOf(edns, settings, overTcp), overTcp, edns.present);
    if (edns.present && edns.version > 0) return OUTCOME.BAD_VERSION;
    if (question.type === TYPE.AXFR || question.type === TYPE.IXFR) return OUTCOME.PROHIBITED;
    if (question.class === CLASS.IN) return search(target, fallsThrough);
    return question.class === CLASS.CH ? answerChaos() : OUTCOME.REFUSED;
  };

  const answerChaos = (): number => {
    const rdata = chaos(question.name, question.type);
    if (rdata === undefined) return OUTCOME.REFUSED;
    const at = reply.at;
    addRecord(memory, reply, HEADER_BYTES, TYPE.TXT, 0, rdata, rdata.length);
    memory.view.setUint16(at + 4, CLASS.CH);
    return OUTCOME.HIT;
  };

  return answer;
}

function createEnding({ deps, settings, edns, reply }: Answering) {
  const { memory, counters } = deps;

  /** RCODE, AA and EDE follow from the outcome. Returns the length of the response. */
  const end = (slot: number, queryLength: number, outcome: number, target: TargetAnswer | undefined): number => {
    const rcode = outcome === OUTCOME.TARGET ? target!.rcode : RCODE_OF[outcome];
    if (outcome <= OUTCOME.NXDOMAIN) reply.authoritative = true;
    // SERVFAIL is never authoritative; so do BIND and Knot.
    if (rcode === RCODE.SERVFAIL) reply.authoritative = false;
    reply.rcode = rcode;
    if (EDE_OF[outcome] !== NO_EDE) reply.ede = EDE_OF[outcome];
    // A refusal is no longer than its query: nothing is amplified for a forged sender.
    if (rcode === RCODE.REFUSED && !reply.overTcp && reply.at + OPT_BYTES_WITH_EDE > reply.base + queryLength)
      reply.ede = NO_EDE;
    const length = endReply(memory, reply, memory.queryAt[slot], edns, settings);
    if (reply.truncated) counters[COUNTER.TRUNCATED]++;
    // Later responses are counted when they come (front/observer.ts).
    if (target === undefined) countOwn(rcode, length);
    return length;
  };

  const countOwn = (rcode: number, length: number): void => {
    const proto = reply.overTcp ? 1 : 0;
    counters[COUNTER.SIZES + proto * SIZE_BOUNDS.length + SIZE_SLOTS[length]]++;
    counters[COUNTER.SIZE_SUM + proto] += length;
    counters[COUNTER.RCODES + rcode]++;
  };

  return end;
}

/** A question that is not ours: answered from the cache, or later. */
function createForwarding({ deps, reader, reply }: Answering) {
  const { memory, counters, forwarder } = deps;
  const { question } = reader;
  return (slot: number, queryLength: number, to: number): number | Miss => {
    counters[COUNTER.FORWARDED]++;
    const response = memory.responses[to];
    const { maxBytes, overTcp } = reply;
    const answered = forwarder!.answer(memory.queries[slot], queryLength, question.length, response, 0, maxBytes);
    if (typeof answered === 'number' && answered > 0)
      countResponse(counters, BY_CACHE, response[3] & 15, answered, overTcp);
    return answered;
  };
}

function limitOf(edns: QueryEdns, settings: ResponderSettings, overTcp: boolean): number {
  if (overTcp) return MAX_MESSAGE_BYTES;
  if (!edns.present || edns.udpBytes <= UDP_BYTES_WITHOUT_EDNS) return UDP_BYTES_WITHOUT_EDNS;
  return Math.min(edns.udpBytes, settings.udpPayloadBytes);
}

/** Reads header, question and OPT: WELL_FORMED, DROP, or the length of a response that refuses. */
function createQueryReading(
  memory: PacketMemory,
  counters: Counters,
  settings: ResponderSettings,
  reader: QuestionReader,
  edns: QueryEdns,
) {
  const { bytes, view } = memory;

  const readQuery = (at: number, end: number, responseAt: number, questions: number): boolean => {
    edns.present = false;
    if (questions > 1 || (questions === 1 && !reader.readQuestion(at, end, responseAt))) return false;
    return readQueryEdns(bytes, at, at + (questions === 1 ? reader.question.length : HEADER_BYTES), end, edns);
  };

  /** With OPT if the query has a valid one (RFC 6891 section 6.1.1). */
  const refuseWithOpt = (slot: number, to: number, flags: number): number => {
    const length = refuse(memory, counters, slot, to, flags);
    if (!edns.present) return length;
    const base = memory.responseAt[to];
    writeUint16(bytes, base + 10, 1);
    return writeOpt(bytes, base + length, settings.udpPayloadBytes, flags & 15, edns.dnssecOk, NO_EDE) - base;
  };

  return (slot: number, queryLength: number, to: number): number => {
    const at = memory.queryAt[slot];
    if (queryLength < HEADER_BYTES) {
      counters[COUNTER.DROPPED_SHORT]++;
      return DROP;
    }
    const flags = view.getUint16(at + 2);
    if ((flags & FLAG.QR) !== 0) {
      counters[COUNTER.DROPPED_RESPONSE]++;
      return DROP;
    }
    const questions = view.getUint16(at + 4);
    const readable = readQuery(at, at + queryLength, memory.responseAt[to], questions);
    const opcode = (flags >>> 11) & 15;
    if (opcode !== OPCODE.QUERY) return refuseWithOpt(slot, to, FLAG.QR | (opcode << 11) | RCODE.NOTIMP);
    if (!readable || questions !== 1) return refuseWithOpt(slot, to, FLAG.QR | (flags & FLAG.RD) | RCODE.FORMERR);
    return WELL_FORMED;
  };
}

/** Only an RCODE. */
function refuse(memory: PacketMemory, counters: Counters, slot: number, to: number, flags: number): number {
  counters[COUNTER.RCODES + (flags & 15)]++;
  return writeHeaderOnly(memory.view, memory.responseAt[to], memory.queryAt[slot], flags);
}

/** State shared by the steps of a search. */
interface SearchContext {
  readonly memory: PacketMemory;
  readonly table: Table;
  readonly reply: Reply;
  readonly reader: QuestionReader;
  readonly selector: Selector;
  readonly places: Places;
  readonly rrsets: RRsetWriter;
  readonly reasons: ResponderDeps['reasons'];
}

/** RFC 1034 section 4.3.2, from step 2 again for the target of each alias. Adds the records and returns the outcome. */
function createSearch(deps: ResponderDeps, reader: QuestionReader, reply: Reply) {
  const { memory, table, settings, reasons } = deps;
  const { question } = reader;
  /** The name being answered: that of the question, then the target of each alias. */
  const { name } = question;
  const forwards = settings.forwarding && deps.forwarder !== undefined;
  const selector = createSelector(deps.slots, deps.rotationSeed);
  const places = createPlaces(name);
  const rrsets = createRRsetWriter(memory, table, selector, reply, places);
  const context: SearchContext = { memory, table, reply, reader, selector, places, rrsets, reasons };
  const lookup = createLookup(table, deps.zones, name);
  const negatives = createNegatives(context);
  const { notReady, negative } = negatives;
  const addPositive = createPositives(context, negatives);
  const { begin, hasHops, followCname, followDname } = createAliases(context, negatives);
  let mayFallThrough = false;

  /** ALIAS: the target is now the name to answer. */
  const addFound = (found: Found, zone: Zone): number => {
    switch (found.outcome) {
      case OUTCOME.ALIAS:
        return followCname(found, zone);
      case OUTCOME.DNAME:
        return followDname(found, zone);
      case OUTCOME.NXDOMAIN:
        return !hasHops() && mayFallThrough && fallsThrough(zone, name)
          ? OUTCOME.FALLTHROUGH
          : negative(OUTCOME.NXDOMAIN, zone);
      case OUTCOME.NOT_READY:
        return notReady(zone);
      default:
        return addPositive(found, zone);
    }
  };

  const leaveOurZones = (target: TargetAnswer | undefined): number => {
    if (!hasHops()) return forwards ? OUTCOME.OUTSIDE : OUTCOME.REFUSED;
    if (target === undefined) return forwards && question.type !== TYPE.CNAME ? OUTCOME.TARGET : OUTCOME.HIT;
    if (target.stale) reply.ede = EDE.STALE_ANSWER;
    else if (target.ede !== undefined) {
      reply.ede = target.ede;
      reply.why = target.why ?? '';
    }
    const nameAt = places.of(name.labels);
    addTarget(memory, reply, SECTION.ANSWER, target.records, name, nameAt);
    if (!reply.truncated) addTarget(memory, reply, SECTION.AUTHORITY, target.authority, name, nameAt);
    return OUTCOME.TARGET;
  };

  return (target: TargetAnswer | undefined, fallsThrough: boolean): number => {
    begin();
    mayFallThrough = forwards && fallsThrough;
    places.reset();
    for (;;) {
      const found = lookup.find(question.type);
      const outcome = found.zone === undefined ? leaveOurZones(target) : addFound(found, found.zone);
      if (outcome !== OUTCOME.ALIAS) return outcome;
    }
  };
}

/** Answers without records: the name or the type does not exist, health has left nothing, or the zone is not known well enough. */
function createNegatives({ table, reply, selector, places, rrsets, reasons }: SearchContext) {
  const { addSoa } = rrsets;

  /** RFC 2308: with the zone's SOA, and only if the zone is complete. */
  const negative = (outcome: number, zone: Zone): number => {
    if (!zone.ready || !addSoa(zone, places.of(zone.labels))) return notReady(zone);
    if (zone.stale) noteStale(zone, outcome === OUTCOME.NXDOMAIN ? EDE.STALE_NXDOMAIN_ANSWER : EDE.STALE_ANSWER);
    return outcome;
  };

  const notReady = (zone: Zone): number => {
    if (zone.partial === true) return OUTCOME.OUTSIDE;
    reply.why = zone.why ?? '';
    return OUTCOME.NOT_READY;
  };

  const noteStale = (zone: Zone, ede: number): void => {
    reply.ede = ede;
    if (reply.why === '') reply.why = zone.why ?? '';
  };

  /** The answer is empty because of health. */
  const noteWhy = (why: string): void => {
    if (why === '') return;
    reply.ede = EDE.OTHER;
    reply.why = why;
  };

  const nodata = (handle: number, zone: Zone): number => {
    if (handle < 0 || !selector.isGone(table, handle)) return negative(OUTCOME.NODATA, zone);
    if (reply.why === '') noteWhy(reasons.whyGone(table, handle));
    return negative(OUTCOME.NXDOMAIN, zone);
  };

  const noneAlive = (found: Found, zone: Zone): number => {
    noteWhy(reasons.whyNone(table, found.handle, found.rrset));
    const policy = policyOf(table.arena.words[chunkOf(found.handle)], found.rrset);
    return policy === POLICY.SERVFAIL ? OUTCOME.UNREACHABLE : nodata(found.handle, zone);
  };

  return { negative, notReady, noteStale, nodata, noneAlive };
}

type Negatives = ReturnType<typeof createNegatives>;

/** Answers with the records of the name being answered, or their substitute. */
function createPositives(
  { memory, table, reply, reader, selector, places, rrsets }: SearchContext,
  { noteStale, nodata, noneAlive }: Negatives,
) {
  const { question } = reader;
  const { name } = question;
  const { addRRset, addGlue } = rrsets;

  /** Whether the name has records, and exists at all. */
  const hasRecords = (handle: number): boolean => {
    if (handle < 0 || table.arena.words[chunkOf(handle)][wordOf(handle) + BLOCK.RRSETS] === 0) return false;
    return !selector.isGone(table, handle);
  };

  const addHit = (found: Found, zone: Zone): number => {
    const added = addRRset(SECTION.ANSWER, found.handle, found.rrset, places.of(name.labels));
    if (added === NONE_ALIVE) return noneAlive(found, zone);
    if (added === ADDED && hasAddressedNames(question.type)) addGlue(found.handle, NO_CUT);
    if (zone.stale) noteStale(zone, EDE.STALE_ANSWER);
    return OUTCOME.HIT;
  };

  const refer = (found: Found): number => {
    const added = addRRset(SECTION.AUTHORITY, found.handle, found.rrset, places.of(found.cutLabels));
    if (added === ADDED) addGlue(found.handle, found.cutLabels);
    return OUTCOME.REFERRAL;
  };

  const addPodAddress = (found: Found): number => {
    const type = found.addressLength === 4 ? TYPE.A : TYPE.AAAA;
    addRecord(memory, reply, places.of(name.labels), type, found.podTtl, found.address, found.addressLength);
    return OUTCOME.HIT;
  };

  /** RFC 8482: ANY is answered with the name's HINFO or a constant one: small, and independent of health. */
  const addHinfo = (found: Found, zone: Zone): number => {
    found.rrset = rrsetOf(table, found.handle, TYPE.HINFO);
    if (found.rrset >= 0) return addHit(found, zone);
    addRecord(memory, reply, places.of(name.labels), TYPE.HINFO, HINFO_TTL_SECONDS, HINFO_RDATA, HINFO_RDATA.length);
    return OUTCOME.HIT;
  };

  return (found: Found, zone: Zone): number => {
    if (found.outcome === OUTCOME.HIT) return addHit(found, zone);
    if (found.outcome === OUTCOME.REFERRAL) return refer(found);
    if (found.outcome === OUTCOME.POD_ADDRESS) return addPodAddress(found);
    const isAny = question.type === TYPE.ANY && hasRecords(found.handle);
    return isAny ? addHinfo(found, zone) : nodata(found.handle, zone);
  };
}

/** CNAME and DNAME of our zones: adds them, and makes their target the name to answer. */
function createAliases(
  { memory, table, reply, reader, places, rrsets }: SearchContext,
  { noteStale, noneAlive }: Negatives,
) {
  const { question } = reader;
  const { name } = question;
  const { addRRset, addAlias } = rrsets;
  /** Aliases followed so far: the blocks that held them, and, because a wildcard stands for many names, hashes of their names. */
  let hops = 0;
  const visited = new Int32Array(MAX_CNAME_CHAIN);
  const visitedNames = new Int32Array(MAX_CNAME_CHAIN);

  /** Whether this alias is followed: not after too many, nor twice for the same name. */
  const countAlias = (handle: number): boolean => {
    if (hops === MAX_CNAME_CHAIN) return false;
    const hash = name.hashes[name.labels];
    for (let i = 0; i < hops; i++) if (visited[i] === handle && visitedNames[i] === hash) return false;
    visited[hops] = handle;
    visitedNames[hops++] = hash;
    reply.authoritative = true;
    return true;
  };

  /** Adds the CNAME. HIT: the chain ends here. */
  const followCname = (found: Found, zone: Zone): number => {
    if (!countAlias(found.handle)) return OUTCOME.HIT;
    const rdataAt = reply.at + RECORD_HEAD_BYTES - reply.base;
    const shared = addAlias(found.handle, found.rrset, places.of(name.labels));
    if (shared === NONE_ALIVE) return noneAlive(found, zone);
    if (shared === CUT) return OUTCOME.HIT;
    if (zone.stale) noteStale(zone, EDE.STALE_ANSWER);
    const { length } = name;
    reader.readAlias(memory.spareAt, memory.spareAt + MAX_NAME_BYTES);
    places.moveTo(rdataAt, shared, length);
    return question.type === TYPE.ANY ? OUTCOME.HIT : OUTCOME.ALIAS;
  };

  /** RFC 6672 section 3.2: adds the DNAME and the CNAME that follows from it for the name being answered. */
  const followDname = (found: Found, zone: Zone): number => {
    // A DNAME is added once: where it applies again, the client follows the alias.
    if (visited.indexOf(found.handle) >= 0 && visited.indexOf(found.handle) < hops) return OUTCOME.HIT;
    if (!countAlias(found.handle)) return OUTCOME.HIT;
    const targetAt = reply.at + RECORD_HEAD_BYTES;
    const added = addRRset(SECTION.ANSWER, found.handle, found.rrset, places.of(found.cutLabels));
    if (added === NONE_ALIVE) return noneAlive(found, zone);
    if (added === CUT) return OUTCOME.HIT;
    if (zone.stale) noteStale(zone, EDE.STALE_ANSWER);
    if (name.starts[found.cutLabels] + reply.at - targetAt > MAX_NAME_BYTES) return OUTCOME.TOO_LONG;
    const ttl = table.arena.words[chunkOf(found.handle)][found.rrset + RRSET.TTL];
    if (!substitute(found.cutLabels, targetAt, ttl)) return OUTCOME.HIT;
    return question.type === TYPE.ANY || question.type === TYPE.CNAME ? OUTCOME.HIT : OUTCOME.ALIAS;
  };

  /** The labels below the DNAME, and its target at `targetAt` up to the end of the reply, become the name to answer. */
  const substitute = (cutLabels: number, targetAt: number, ttl: number): boolean => {
    const kept = name.starts[cutLabels];
    const own = name.labels - cutLabels;
    const aliasAt = reply.at + RECORD_HEAD_BYTES - reply.base;
    const target = targetAt - reply.base;
    const { bytes, spareAt } = memory;
    const end = reply.at;
    if (!addSynthesizedAlias(memory, reply, places.of(name.labels), ttl, name, kept, target)) return false;
    for (let i = 0; i < kept; i++) bytes[spareAt + i] = name.bytes[i];
    for (let i = targetAt; i < end; i++) bytes[spareAt + kept + i - targetAt] = bytes[i];
    reader.readAlias(spareAt, spareAt + MAX_NAME_BYTES);
    places.moveTo(target - kept, -1, 0);
    places.moveTo(aliasAt, name.labels - own, 0);
    return true;
  };

  const begin = (): void => {
    hops = 0;
  };
  return { begin, hasHops: () => hops > 0, followCname, followDname };
}

function hasAddressedNames(type: number): boolean {
  return type === TYPE.SRV || type === TYPE.MX || type === TYPE.NS;
}
