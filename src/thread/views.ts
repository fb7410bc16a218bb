// Which view answers a query: by the address it arrived at, its client and its name. Of the matching views, that of the
// longest name answers, then the first; if none does, the file's own settings.
import { questionNameEnd } from '../dns/fast/question-reader.ts';
import { HEADER_BYTES } from '../dns/limits.ts';
import { isSubdomain, parseName, type WireName } from '../dns/name.ts';
import { createNetworks } from '../front/networks.ts';
import type { SocketAddress } from '../native/socket-address.ts';
import type { QueryPathRequest } from '../plane/query-path.ts';
import type { ViewSettings } from '../plane/view-settings.ts';
import type { QueryHandler } from '../server/answer/query-handler.ts';

export interface View extends Pick<ViewSettings, 'listen' | 'networks' | 'names'> {
  readonly handler: QueryHandler;
}

/** Answers queries that arrive at `address`, with `main` where no view matches. */
export function handlerOf(main: QueryHandler, views: readonly View[], address: SocketAddress): QueryHandler {
  const here = views.filter(({ listen }) => listen.some((one) => isSame(one, address)));
  const choices = here.flatMap(choicesOf).sort((a, b) => b.name.length - a.name.length);
  if (choices.length === 0) return main;
  const [first] = choices;
  if (first.name.length === 1 && first.isForAll) return first.handler;

  const choose = (query: Uint8Array, client: Uint8Array | undefined): QueryHandler => {
    const nameEnd = questionNameEnd(query);
    for (const { name, handler, isForAll, covers } of choices)
      if (isBelow(query, nameEnd, name) && (isForAll || (client !== undefined && covers(client)))) return handler;
    return main;
  };
  return {
    ...main,
    respondSlot: (slot, queryLength, to, overTcp, client, port) =>
      choose(main.memory.queries[slot].subarray(0, queryLength), client).respondSlot(
        slot,
        queryLength,
        to,
        overTcp,
        client,
        port,
      ),
    respond: (query, queryLength, out, overTcp, client, port) =>
      choose(query.subarray(0, queryLength), client).respond(query, queryLength, out, overTcp, client, port),
  };
}

export interface ViewPath<V> {
  /** The view that answers; undefined: the file's own settings do. */
  readonly view: V | undefined;
  /** Names of the views that would answer other clients instead. */
  readonly forClients: readonly string[];
}

/** As handlerOf, for an explanation. */
export function explainViews<V extends View & Pick<ViewSettings, 'name'>>(
  views: readonly V[],
  { name, client, at }: QueryPathRequest,
): ViewPath<V> {
  const here = views.filter(({ listen }) => at !== undefined && listen.some((one) => isSame(one, at)));
  const fitting = here
    .flatMap((view) => choicesOf(view).map((choice) => ({ ...choice, view })))
    .filter((choice) => isSubdomain(name, choice.name))
    .sort((a, b) => b.name.length - a.name.length);
  const chosen = fitting.findIndex(({ isForAll, covers }) => isForAll || (client !== undefined && covers(client)));
  const before = chosen < 0 ? fitting : fitting.slice(0, chosen);
  return {
    view: fitting[chosen]?.view,
    forClients: client === undefined ? [...new Set(before.map(({ view }) => view.name))] : [],
  };
}

interface Choice {
  readonly name: WireName;
  readonly handler: QueryHandler;
  /** Regardless of the client. */
  readonly isForAll: boolean;
  covers(client: Uint8Array): boolean;
}

function choicesOf({ names, networks, handler }: View): Choice[] {
  const covers = createNetworks(networks);
  const isForAll = networks.length === 0;
  return (names.length === 0 ? ['.'] : names).map((name) => ({ name: parseName(name), handler, isForAll, covers }));
}

/** A port of 0 is any: it is not known before the socket is open. */
function isSame(one: SocketAddress, other: SocketAddress): boolean {
  return one.address === other.address && (one.port === other.port || one.port === 0);
}

/** Whether the question's name, which ends at `nameEnd` (0: it cannot be read), is `name` or below it, in any case. */
function isBelow(query: Uint8Array, nameEnd: number, name: WireName): boolean {
  const start = nameEnd - name.length;
  if (start < HEADER_BYTES) return false;
  let at = HEADER_BYTES;
  while (at < start) at += 1 + query[at];
  if (at !== start) return false;
  for (let i = 0; i < name.length; i++) if (lower(query[start + i]) !== name[i]) return false;
  return true;
}

/** Lengths of labels are below the letters. */
const lower = (byte: number): number => (byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte);
