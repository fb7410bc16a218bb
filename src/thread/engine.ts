// A data thread without its sockets: the table, the zones, the responder, and the changes that arrive.

import { MAX_MESSAGE_BYTES } from '../dns/limits.ts';
import { composeMessage, parseMessage } from '../dns/message/message.ts';
import { formatName, type WireName } from '../dns/name.ts';
import type { HashSeed } from '../dns/name-hash.ts';
import { CLASS, FLAG, RCODE, TYPE } from '../dns/types.ts';
import type { Forwarder, ForwarderDeps } from '../forward/forwarder.ts';
import { emptyTarget, type OurAnswer } from '../forward/resolve/target.ts';
import { explainFront } from '../front/explain-front.ts';
import { createFront, needsFront } from '../front/front.ts';
import type { Observer } from '../front/observer.ts';
import { createPacketMemory, type PacketMemory } from '../native/packet-memory.ts';
import type { SocketAddress } from '../native/socket-address.ts';
import { COUNTER, type Counters } from '../plane/counters.ts';
import type { FrontSettings } from '../plane/forward-settings.ts';
import { applyEntry, type ChangeTarget } from '../plane/messages.ts';
import type { QueryPath, QueryPathRequest } from '../plane/query-path.ts';
import type { ResponderSettings } from '../plane/settings.ts';
import type { ViewSettings } from '../plane/view-settings.ts';
import type { QueryHandler } from '../server/answer/query-handler.ts';
import { createReasons, type Reasons } from '../server/answer/reasons.ts';
import { createResponder } from '../server/answer/respond.ts';
import { claimOn, createZones, type Zones } from '../server/table/lookup.ts';
import { SplitNames } from '../server/table/split-names.ts';
import { createTable, type Table } from '../server/table/table.ts';
import { explainViews, handlerOf } from './views.ts';

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
  readonly front?: FrontSettings;
  /** undefined: queries are not observed. */
  readonly observer?: Observer;
  readonly views?: readonly EngineView[];
  onError(error: Error): void;
}

/** Settings that answer some of the queries instead. */
export type EngineView = Pick<ViewSettings, 'name' | 'listen' | 'networks' | 'names' | 'zones'> &
  Pick<EngineDeps, 'createForwarder' | 'front' | 'counters'>;

export interface Engine extends QueryHandler {
  /** Its tables and settings, without views. */
  readonly own: { readonly table: Table; readonly zones: Zones; readonly reasons: Reasons };
  /** Of the views as well. */
  readonly forwarders: readonly Forwarder[];
  /** For explanations. */
  explainQuery(request: QueryPathRequest): QueryPath;
  /** Applies one message of changes (plane/messages.ts). */
  apply(message: ArrayBuffer): void;
  /** Answers queries that arrive at this address. */
  handlerAt(address: SocketAddress): QueryHandler;
}

export function createEngine(deps: EngineDeps): Engine {
  const table = createTable();
  const splitNames = new SplitNames(table);
  const reasons = createReasons();
  const common = { table, reasons };
  const main = createAnswering(deps, common, createZones());
  const views = (deps.views ?? []).map((view) => {
    const { createForwarder, front, counters } = view;
    const settings = { ...deps.settings, forwarding: createForwarder !== undefined };
    return {
      ...view,
      answering: createAnswering({ ...deps, settings, createForwarder, front, counters }, common, createZones()),
    };
  });
  const { counters } = deps;
  const target: ChangeTarget = {
    replaceName(words, at) {
      splitNames.forget(words, at);
      table.replace(words, at);
    },
    replaceParts: (isWhole, blocks) => splitNames.replace(isWhole, blocks),
    removeName(hash, name) {
      splitNames.forgetName(hash, name);
      table.remove(hash, name);
    },
    replaceZone(hash, zone) {
      main.zones.replace(hash, zone);
      for (const view of views) if (hasZone(view, zone.name)) view.answering.zones.replace(hash, zone);
    },
    removeZone(hash, name) {
      main.zones.remove(hash, name);
      for (const view of views) if (hasZone(view, name)) view.answering.zones.remove(hash, name);
    },
    replaceReason: reasons.replace,
    podName: (hash, key, exists) => table.podNames.set(hash, key, exists),
  };
  const choices = views.map((view) => ({ ...view, handler: view.answering.handler }));

  return {
    ...main.handler,
    own: { table, zones: main.zones, reasons },
    forwarders: [main, ...views.map(({ answering }) => answering)].flatMap(({ forwarder }) => forwarder ?? []),
    explainQuery(request) {
      const { view, forClients } = explainViews(choices, request);
      const claim = (zones: Zones) => claimOn(zones, request.name, deps.hashSeed);
      const isHidden = view !== undefined && claim(main.zones) !== 'none' && claim(view.answering.zones) === 'none';
      const path = explainPath(view === undefined ? deps.front : view.front, view?.answering ?? main, request);
      return { ...path, rules: [...viewRules(view?.name, forClients, isHidden), ...path.rules] };
    },
    handlerAt: (address) => handlerOf(main.handler, choices, address),
    apply(message) {
      const words = new Int32Array(message);
      for (let at = 0; at < words.length; ) {
        at = applyEntry(words, at, target);
        counters[COUNTER.APPLIED]++;
      }
      counters[COUNTER.NAMES] = table.names();
      counters[COUNTER.RECORDS] = table.records();
      counters[COUNTER.TABLE_BYTES] = table.bytes();
      counters[COUNTER.ZONES] = main.zones.count();
    },
  };
}

function explainPath(
  settings: FrontSettings | undefined,
  { forwarder }: Answering,
  request: QueryPathRequest,
): QueryPath {
  const front = settings && explainFront(settings, request);
  const name = front?.name ?? request.name;
  const behind = forwarder?.explain(name, request.type);
  return {
    rules: [...(front?.rules ?? []), ...(behind?.rules ?? [])],
    ...(front && name !== request.name && { rewritten: formatName(name) }),
    ...(behind?.route && { route: behind.route }),
  };
}

/** The view whose settings the other rules belong to. */
const viewRules = (name: string | undefined, forClients: readonly string[], isHidden: boolean): string[] => [
  ...(name === undefined ? [] : [`the settings of the view "${name}" apply`]),
  ...(isHidden ? ['the view does not serve the zone of this name: the answers below do not apply'] : []),
  ...(forClients.length === 0 ? [] : [`certain clients get the settings of the view "${forClients.join('" or "')}"`]),
];

const hasZone = ({ zones }: EngineView, name: WireName): boolean =>
  zones === undefined || zones.includes(formatName(name));

interface Answering {
  readonly zones: Zones;
  readonly handler: QueryHandler;
  readonly forwarder: Forwarder | undefined;
}

/** Answers from the table with one set of settings: the responder, what is in front of it, and the forwarder behind it. */
function createAnswering(
  deps: EngineDeps,
  common: { readonly table: Table; readonly reasons: Reasons },
  zones: Zones,
): Answering {
  const { memory, counters } = deps;
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
  let inner: QueryHandler | undefined;
  // Asked in the middle of another query, so it has state of its own; it neither counts nor forwards. Made only when it is
  // needed: code that is made once for all is compiled for its one table and memory.
  const createInner = () => {
    const own = { memory: createPacketMemory(0, 0), counters: new Float64Array(counters.length) };
    return createResponder({ ...deps, ...own, ...common, zones, forwarder: undefined });
  };
  const responder = createResponder({ ...deps, ...common, zones, forwarder });
  const { onError, observer } = deps;
  const front = deps.front && needsFront(deps.front) ? createFront(deps.front, responder, { onError }) : undefined;
  const handler: QueryHandler = {
    ...responder,
    ...(front && {
      respond: (query, queryLength, out, overTcp, client = NO_ADDRESS) =>
        front.respond(query, queryLength, out, overTcp, client),
      respondSlot: (slot, queryLength, to, overTcp, client = NO_ADDRESS) =>
        front.respond(memory.queries[slot], queryLength, memory.responses[to], overTcp, client),
    }),
  };
  return { zones, handler: observer?.observe(handler, deps.front?.queryLog) ?? handler, forwarder };
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
