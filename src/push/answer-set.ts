// What a subscription stands for: the records that an ordinary query for the same name and type would be answered from now, all
// of them, and how they are answered. The rest of the answer (RCODE, extended errors, SOA) is that of the responder, which
// alone decides it.
import type { AnswerRules } from '../dns/dso/answer-rules.ts';
import { composeRules } from '../dns/dso/answer-rules.ts';
import type { Change } from '../dns/dso/push.ts';
import { createQuestionReader } from '../dns/fast/question-reader.ts';
import { MAX_MESSAGE_BYTES } from '../dns/limits.ts';
import { composeMessage, type Message, parseMessage } from '../dns/message/message.ts';
import { extendedErrors } from '../dns/message/opt.ts';
import type { MessageRecord } from '../dns/message/record.ts';
import { sameName, type WireName } from '../dns/name.ts';
import { CLASS, RCODE, TYPE } from '../dns/types.ts';
import { chunkOf, wordOf } from '../memory/arena.ts';
import { createPacketMemory } from '../native/packet-memory.ts';
import { createCounters } from '../plane/counters.ts';
import { BLOCK, BLOCK_FLAG, POLICY, RECORD, RRSET, RRSET_FLAG, SLOT_MASK } from '../plane/layout.ts';
import { createResponder, type ResponderDeps } from '../server/answer/respond.ts';
import { createLookup, type Found } from '../server/table/lookup.ts';
import { OUTCOME } from '../server/table/outcome.ts';
import { createSelector, policyOf } from '../server/table/select.ts';
import { rdataOf } from './record-rdata.ts';

/** An RRset of more is not pushed; the selector reads hardly more, and each change of it would be a search among them. */
export const MAX_RECORDS = 8_000;
/** What fits into one PUSH message (dns/dso/push.ts) beside the longest name and rules. */
const MAX_RDATA_BYTES = 12_000;
/** Room for all of them. */
const SPACE_BYTES = 1 << 24;

export interface HeldRecord {
  readonly type: number;
  readonly ttlSeconds: number;
  readonly weight: number;
  readonly rdata: Uint8Array;
}

export interface AnswerSet {
  /** By type and rdata. */
  readonly records: ReadonlyMap<string, HeldRecord>;
  readonly rules: AnswerRules;
  /** Equal rules have equal texts. */
  readonly rulesText: string;
}

/** What the answers depend on besides their own name, so that a change finds them. */
export interface Dependencies {
  /** Instances whose health decides; empty: none does. */
  readonly slots: readonly number[];
  /** Hashes of the names above, if the name itself does not exist: what appears among them may change the answer. */
  readonly ancestors: readonly number[];
}

/** With an RCODE: the name cannot be subscribed to, or no longer. */
export type Evaluation =
  | { readonly set: AnswerSet; readonly rcode: 0 }
  | { readonly set: undefined; readonly rcode: number };

export interface AnswerSets {
  /** `name` in lower case. */
  evaluate(name: WireName, type: number): Evaluation;
  /** Those of the last evaluation. */
  dependencies(): Dependencies;
}

const NOT_AUTHORITATIVE: Evaluation = { set: undefined, rcode: RCODE.NOTAUTH };
const NOT_PUSHED: Evaluation = { set: undefined, rcode: RCODE.REFUSED };
const EDNS = { version: 0, udpBytes: MAX_MESSAGE_BYTES, dnssecOk: false, options: [] };

// biome-ignore lint/complexity/noExcessiveLinesPerFunction: short functions over one lookup
export function createAnswerSets(deps: Omit<ResponderDeps, 'memory' | 'counters' | 'forwarder'>): AnswerSets {
  const { table, slots } = deps;
  const memory = createPacketMemory(0, 0);
  // Not of those that clients ask: nothing is counted.
  const responder = createResponder({ ...deps, memory, counters: createCounters(), forwarder: undefined });
  const reader = createQuestionReader(memory.bytes, memory.spareAt, deps.hashSeed);
  const lookup = createLookup(table, deps.zones, reader.question.name);
  const selector = createSelector(slots, 1);
  const out = new Uint8Array(MAX_MESSAGE_BYTES);
  let found: Found;

  const ask = (name: WireName, type: number): Message => {
    const query = composeMessage({ questions: [{ name, type, class: CLASS.IN }], edns: EDNS });
    const length = responder.respond(query, query.length, out, true);
    const response = parseMessage(out.subarray(0, typeof length === 'number' ? length : 0));
    // For the lookup, whose name is not that of the responder: it does not follow aliases.
    memory.bytes.set(query, memory.queryAt[0]);
    reader.readQuestion(memory.queryAt[0], memory.queryAt[0] + query.length, memory.responseAt[0]);
    return response;
  };

  /** The headers of the RRsets that answer. */
  const rrsetsOf = (type: number): number[] => {
    if (found.outcome === OUTCOME.HIT || found.outcome === OUTCOME.ALIAS) return [found.rrset];
    return type === TYPE.ANY && found.outcome === OUTCOME.NODATA && found.handle >= 0 ? headersOf(found.handle) : [];
  };

  const headersOf = (handle: number): number[] => {
    const words = table.arena.words[chunkOf(handle)];
    const block = wordOf(handle);
    const first = block + BLOCK.NAME_BYTES + (((words[block + BLOCK.NAME] & 0xff) + 3) >> 2);
    return Array.from({ length: words[block + BLOCK.RRSETS] }, (_, i) => first + i * RRSET.WORDS);
  };

  /** Adds the records that may be answered; false: too many, or too large. */
  const collect = (rrset: number, records: Map<string, HeldRecord>): boolean => {
    const words = table.arena.words[chunkOf(found.handle)];
    const block = wordOf(found.handle);
    const selection = selector.select(words, block, rrset, SPACE_BYTES);
    if (selection.found > MAX_RECORDS) return false;
    const type = words[rrset + RRSET.TYPE] & 0xffff;
    const ttlSeconds = words[rrset + RRSET.TTL];
    for (let i = 0; i < selection.found; i++) {
      const record = selection.alive[i];
      const rdata = rdataOf(words, rrset, record);
      if (rdata.length > MAX_RDATA_BYTES) return false;
      const weight = words[record + RECORD.LENGTH] >>> 16;
      records.set(keyOf(type, rdata), { type, ttlSeconds, weight, rdata });
    }
    return true;
  };

  const rulesOf = (name: WireName, type: number, rrsets: readonly number[], response: Message): AnswerRules => {
    const words = found.handle < 0 ? undefined : table.arena.words[chunkOf(found.handle)];
    const only = words !== undefined && rrsets.length === 1 ? rrsets[0] : -1;
    const flags = only < 0 ? 0 : words![only + RRSET.TYPE] >>> 16;
    const soa = response.authorities.find((record) => record.type === TYPE.SOA);
    return {
      ...{ name, type, rcode: response.rcode, errors: extendedErrors(response.edns) },
      isWildcard: words !== undefined && isWildcard(words, wordOf(found.handle), name),
      isWeighted: (flags & RRSET_FLAG.WEIGHTED) !== 0,
      maxAnswers: only < 0 ? 0 : Math.min(0xffff, words![only + RRSET.MAX_ANSWERS]),
      whenAllUnhealthy: only < 0 ? POLICY.NODATA : policyOf(words!, only),
      ...(soa && { soa }),
    };
  };

  return {
    evaluate(name, type) {
      const response = ask(name, type);
      found = lookup.find(type);
      if (found.zone === undefined || found.outcome === OUTCOME.REFERRAL) return NOT_AUTHORITATIVE;
      const rrsets = rrsetsOf(type);
      const records = new Map<string, HeldRecord>();
      for (const rrset of rrsets) if (!collect(rrset, records)) return NOT_PUSHED;
      // Those that are made for the query: the address in a pod's name, the alias that follows from a DNAME.
      if (rrsets.length === 0)
        for (const made of response.answers.filter((record) => isOf(record, name, type)))
          records.set(keyOf(made.type, made.rdata), { ...made, weight: 1 });
      const rules = rulesOf(name, type, rrsets, records.size > 0 ? withoutSoa(response) : response);
      return { rcode: 0, set: { records, rules, rulesText: textOf(rules) } };
    },
    dependencies() {
      const { handle } = found;
      const { name } = reader.question;
      const words = handle < 0 ? undefined : table.arena.words[chunkOf(handle)];
      const isExact =
        words !== undefined && OF_THE_NAME.has(found.outcome) && !isWildcard(words, wordOf(handle), name.bytes);
      return {
        slots: words === undefined ? NONE : slotsOf(words, wordOf(handle), dependsOn(words)),
        ancestors: isExact ? NONE : [...name.hashes.subarray(0, name.labels)],
      };
    },
  };

  /** Whether the name exists may depend on all of its records. */
  function dependsOn(words: Int32Array): readonly number[] {
    const flags = words[wordOf(found.handle) + BLOCK.NAME] >> 16;
    const matched = found.outcome === OUTCOME.HIT || found.outcome === OUTCOME.ALIAS;
    const whole = (flags & BLOCK_FLAG.MAY_NOT_EXIST) !== 0 || reader.question.type === TYPE.ANY;
    return whole ? headersOf(found.handle) : matched ? [found.rrset] : [];
  }
}

const NONE: readonly number[] = [];

/** The block that was found is that of the name, or of the wildcard in its place. */
const OF_THE_NAME: ReadonlySet<number> = new Set([OUTCOME.HIT, OUTCOME.ALIAS, OUTCOME.NODATA]);

function slotsOf(words: Int32Array, block: number, rrsets: readonly number[]): readonly number[] {
  const slots = new Set<number>();
  for (const rrset of rrsets) {
    const first = block + words[rrset + RRSET.FIRST];
    const stride = words[rrset + RRSET.STRIDE];
    for (let i = 0; i < words[rrset + RRSET.COUNT]; i++) {
      const record = stride > 0 ? first + i * stride : block + words[first + i];
      const slot = words[record + RECORD.SLOT] & SLOT_MASK;
      if (slot !== 0) slots.add(slot);
    }
  }
  return slots.size === 0 ? NONE : [...slots];
}

/** A wildcard's block answers for another name than its own. */
const isWildcard = (words: Int32Array, block: number, name: WireName): boolean =>
  ((words[block + BLOCK.NAME] >> 16) & BLOCK_FLAG.WILDCARD) !== 0 && !(name[0] === 1 && name[1] === 0x2a);

const isOf = (record: MessageRecord, name: WireName, type: number): boolean =>
  (record.type === type || record.type === TYPE.CNAME) && sameName(record.name, name);

const withoutSoa = (response: Message): Message => ({ ...response, rcode: RCODE.NOERROR, authorities: [] });

const keyOf = (type: number, rdata: Uint8Array): string =>
  String.fromCharCode(type) + Buffer.from(rdata.buffer, rdata.byteOffset, rdata.length).toString('latin1');

const textOf = (rules: AnswerRules): string =>
  Buffer.from(composeRules({ ...rules, isPartial: false, weights: [] })).toString('latin1');

/** The changes that lead from one set of the same name to another, what is removed first; none: they are equal. */
export function changesBetween(before: AnswerSet | undefined, after: AnswerSet): Change[] {
  const { name, type } = after.rules;
  const changes: Change[] = [];
  for (const [key, { type, rdata }] of before?.records ?? [])
    if (!after.records.has(key))
      changes.push({ action: 'remove', name, type, class: CLASS.IN, ttlSeconds: 0, rdata, weight: 1 });
  for (const [key, record] of after.records) {
    const held = before?.records.get(key);
    if (held?.ttlSeconds !== record.ttlSeconds || held.weight !== record.weight) changes.push(added(name, record));
  }
  if (changes.length > 0 || before === undefined || before.rulesText === after.rulesText) return changes;
  // A PUSH has at least one change: a record that is there anyway, or none of those that are not.
  const [first] = after.records.values();
  if (first !== undefined) return [added(name, first)];
  return [{ action: 'remove-all', name, type, class: CLASS.IN, ttlSeconds: 0, rdata: NO_RDATA, weight: 1 }];
}

const NO_RDATA = new Uint8Array(0);

const added = (name: WireName, { type, ttlSeconds, rdata, weight }: HeldRecord): Change => ({
  ...{ action: 'add' as const, name, type, class: CLASS.IN, ttlSeconds, rdata, weight },
});
