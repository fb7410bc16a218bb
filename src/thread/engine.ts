// A data thread without its sockets: the table, the zones, the responder, and the changes that arrive.

import { MAX_MESSAGE_BYTES } from '../dns/limits.ts';
import { composeMessage, parseMessage } from '../dns/message/message.ts';
import type { HashSeed } from '../dns/name-hash.ts';
import { CLASS, FLAG, RCODE, TYPE } from '../dns/types.ts';
import type { Forwarder, ForwarderDeps } from '../forward/forwarder.ts';
import { emptyTarget, type OurAnswer } from '../forward/resolve/target.ts';
import { createFront, type FrontDeps } from '../front/front.ts';
import { createPacketMemory, type PacketMemory } from '../native/packet-memory.ts';
import { COUNTER, type Counters } from '../plane/counters.ts';
import type { FrontSettings } from '../plane/forward-settings.ts';
import { applyEntry, type ChangeTarget } from '../plane/messages.ts';
import type { ResponderSettings } from '../plane/settings.ts';
import type { QueryHandler } from '../server/answer/query-handler.ts';
import { createResponder } from '../server/answer/respond.ts';
import { claimOn, createZones } from '../server/table/lookup.ts';
import { createTable } from '../server/table/table.ts';

const NO_ADDRESS = new Uint8Array(0);

export { createPacketMemory } from '../native/packet-memory.ts';

export interface EngineDeps {
  readonly memory: PacketMemory;
  readonly slots: Uint8Array;
  readonly counters: Counters;
  readonly settings: ResponderSettings;
  readonly hashSeed: HashSeed;
  readonly rotationSeed: number;
  /** Created here because it looks up own names; undefined: nothing is forwarded. */
  readonly createForwarder?: (ours: Pick<ForwarderDeps, 'isOurs' | 'ourAnswer'>) => Forwarder;
  /** undefined: every query goes straight to the responder. */
  readonly front?: FrontSettings & Pick<FrontDeps, 'logQuery' | 'monotonicMs'>;
  onError(error: Error): void;
}

export interface Engine extends QueryHandler {
  readonly forwarder: Forwarder | undefined;
  /** Applies one message of changes (plane/messages.ts). */
  apply(message: ArrayBuffer): void;
}

export function createEngine(deps: EngineDeps): Engine {
  const table = createTable();
  const zones = createZones();
  const forwarder = deps.createForwarder?.({
    isOurs(name) {
      const claim = claimOn(zones, name, deps.hashSeed);
      if (claim !== 'known-names') return claim === 'whole';
      inner ??= createInner();
      return answerTo(inner, name, TYPE.A).rcode !== RCODE.NXDOMAIN;
    },
    ourAnswer(name, type) {
      inner ??= createInner();
      return answerTo(inner, name, type);
    },
  });
  const { counters } = deps;
  const { memory } = deps;
  let inner: QueryHandler | undefined;
  // Asked in the middle of another query, so it has state of its own; it neither counts nor forwards. Made only when it is
  // needed: code that is made once for all is compiled for its one table and memory.
  const createInner = () => {
    const own = { memory: createPacketMemory(0, 0), counters: new Float64Array(counters.length) };
    return createResponder({ ...deps, ...own, table, zones, forwarder: undefined });
  };
  const responder = createResponder({ ...deps, table, zones, forwarder });
  const front = deps.front && createFront(deps.front, responder, { ...deps.front, onError: deps.onError });
  const target: ChangeTarget = {
    replaceName: table.replace,
    removeName: table.remove,
    replaceZone: zones.replace,
    removeZone: zones.remove,
  };

  return {
    ...responder,
    ...(front && {
      respond: (query, queryLength, out, overTcp, client = NO_ADDRESS) =>
        front.respond(query, queryLength, out, overTcp, client),
      respondSlot: (slot, queryLength, to, overTcp, client = NO_ADDRESS) =>
        front.respond(memory.queries[slot], queryLength, memory.responses[to], overTcp, client),
    }),
    wantsClient: front !== undefined,
    limitsClients: forwarder !== undefined,
    memory,
    counters,
    forwarder,
    apply(message) {
      const words = new Int32Array(message);
      for (let at = 0; at < words.length; ) {
        at = applyEntry(words, at, target);
        counters[COUNTER.APPLIED]++;
      }
      counters[COUNTER.NAMES] = table.names();
      counters[COUNTER.RECORDS] = table.records();
      counters[COUNTER.TABLE_BYTES] = table.bytes();
      counters[COUNTER.ZONES] = zones.count();
    },
  };
}

/** The answer for an own name that an upstream's CNAME leads to. */
function answerTo(responder: QueryHandler, name: Uint8Array, type: number): OurAnswer {
  const query = composeMessage({ flags: FLAG.RD, questions: [{ name, type, class: CLASS.IN }] });
  const out = new Uint8Array(MAX_MESSAGE_BYTES);
  const length = responder.respond(query, query.length, out, true);
  if (typeof length !== 'number' || length === 0) return emptyTarget(RCODE.SERVFAIL);
  const { rcode, answers, authorities } = parseMessage(out.subarray(0, length));
  return { rcode, records: answers, authority: authorities };
}
