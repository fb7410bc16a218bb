// Before the responder, if configured: access lists, rewriting, the search path, DNS64.
// Works on copies and messages; without such configuration it is not there, and queries cost nothing more.

import { emptyQueryEdns, readQueryEdns } from '../dns/fast/query-edns.ts';
import { questionNameEnd } from '../dns/fast/question-reader.ts';
import { NO_EDE, OPT_BYTES_WITH_EDE } from '../dns/fast/response-writer.ts';
import { UDP_BYTES_WITHOUT_EDNS } from '../dns/limits.ts';
import type { WireName } from '../dns/name.ts';
import { lowerCased } from '../dns/name.ts';
import { EDE, RCODE, TYPE } from '../dns/types.ts';
import { writeFailure } from '../forward/cache/response.ts';
import { askedBits } from '../forward/upstream/question.ts';
import type { FrontSettings } from '../plane/forward-settings.ts';
import type { Later, QueryHandler } from '../server/answer/query-handler.ts';
import { type AclAction, createAcl } from './acl.ts';
import { type Autopath, createAutopath } from './autopath.ts';
import { createOwnDns64, forIpv4 } from './dns64-ours.ts';
import { createNsid } from './nsid.ts';
import {
  createRewriter,
  type Rewriting,
  redirectedAlias,
  withAlias,
  withName,
  withNameBack,
  withRest,
} from './rewrite.ts';
import { createVetting } from './vetting.ts';

export interface Front {
  /** As QueryHandler.respond; `client` is the asker's address, 4 or 16 bytes (copied). */
  respond(
    query: Uint8Array,
    queryLength: number,
    out: Uint8Array,
    overTcp: boolean,
    client: Uint8Array,
  ): number | Later;
}

/** Whether the settings need a front; the query log does not (observer.ts). */
export const needsFront = ({ acl, rewrites, autopath, dns64, nsid }: FrontSettings): boolean =>
  acl.length > 0 || rewrites.length > 0 || autopath !== undefined || dns64 !== undefined || nsid !== undefined;

export interface FrontDeps {
  /** A bug: the query is answered SERVFAIL. */
  onError(error: Error): void;
}

interface Question {
  /** Own copy of the whole query. */
  readonly query: Uint8Array;
  readonly overTcp: boolean;
  readonly client: Uint8Array;
  readonly nameEnd: number;
  /** Spelled as the client did. */
  readonly asked: WireName;
  readonly name: WireName;
  readonly type: number;
  readonly maxBytes: number;
  /** The name and type are not those that the client asked for. */
  readonly isRewritten?: boolean;
}

type Reply = (response: Uint8Array) => void;
/** Answers the question that the client asked, whatever was looked up for it. */
type Deny = (action: Exclude<AclAction, 'allow'>) => void;

const NOTHING = new Uint8Array(0);
/** Of the alias from the name asked for to the name that the search path found. */
const ALIAS_TTL_SECONDS = 5;

// biome-ignore lint/complexity/noExcessiveLinesPerFunction: short functions over one query's state, on the path of every answer where a front is configured
export function createFront(settings: FrontSettings, inner: Pick<QueryHandler, 'respond'>, deps: FrontDeps): Front {
  const acl = createAcl(settings.acl);
  const vet = settings.acl.length > 0 ? createVetting(acl, settings.dns64) : undefined;
  const rewriter = createRewriter(settings.rewrites);
  const autopath = settings.autopath && createAutopath(settings.autopath);
  const dns64 = settings.dns64 && createOwnDns64(settings.dns64);
  const withNsid = settings.nsid === undefined ? undefined : createNsid(settings.nsid);
  const scratch = new Uint8Array(65_535);

  /** Asks the responder and gives its response at once or later. */
  function ask(query: Uint8Array, overTcp: boolean, client: Uint8Array, reply: Reply): void {
    const response = inner.respond(query, query.length, scratch, overTcp);
    if (typeof response === 'number') reply(scratch.subarray(0, response));
    else response.resolve(reply, client);
  }

  /** Like ask, with AAAA records if an own name has only A records. Anything not answered at once is external. */
  function askIpv6(query: Uint8Array, { overTcp, maxBytes, type, client }: Question, reply: Reply): void {
    if (dns64 === undefined || type !== TYPE.AAAA) {
      ask(query, overTcp, client, reply);
      return;
    }
    ask(query, overTcp, client, (response) => {
      const nameEnd = questionNameEnd(query);
      if (!dns64.applies(query, nameEnd, response)) {
        reply(response);
        return;
      }
      const aaaa = response.slice();
      const length = inner.respond(forIpv4(query, nameEnd), query.length, scratch, overTcp);
      reply(typeof length !== 'number' ? aaaa : dns64.synthesize(aaaa, scratch.subarray(0, length), maxBytes));
    });
  }

  function answerGuarded(question: Question, reply: Reply): void {
    const { query, nameEnd, maxBytes } = question;
    try {
      answer(question, withNsid ? (response) => reply(withNsid(query, nameEnd, response, maxBytes)) : reply);
    } catch (error) {
      deps.onError(error as Error);
      reply(refusal(question, RCODE.SERVFAIL, EDE.OTHER));
    }
  }

  function answer(question: Question, reply: Reply): void {
    const { asked, name, maxBytes } = question;
    const deny: Deny = (action) => reply(denied(question, action));
    const action = acl(question.client, name, question.type);
    if (action !== 'allow') {
      deny(action);
      return;
    }
    const rewritten = rewriter(name, question.type);
    if (rewritten !== undefined) {
      const instead = withQuestion(question, rewritten);
      lookUp(instead, rewritten.name, deny, (response) =>
        followAliases(instead, rewritten, response, deny, (whole) =>
          reply(withNameBack(whole, rewritten, asked, question.type, maxBytes)),
        ),
      );
    } else if (autopath !== undefined) walkSearchPath(autopath, question, deny, reply);
    else lookUp(question, name, deny, reply);
  }

  /** Aliases that a rule leads elsewhere are followed there, once. */
  function followAliases(question: Question, { aliases }: Rewriting, response: Uint8Array, deny: Deny, then: Reply) {
    const found = aliases.length === 0 ? undefined : redirectedAlias(response, aliases);
    if (found === undefined) return then(response);
    const before = response.slice();
    lookUp(withQuestion(question, { name: found.target, type: question.type }), found.target, deny, (rest) =>
      then(withRest(before, found, rest)),
    );
  }

  /** Looks up `name` for the client: `then` gets the response, unless the client may not see all names in it. */
  function lookUp(question: Question, name: WireName, deny: Deny, then: Reply): void {
    const { client, type, query, nameEnd } = question;
    const isAsked = name === question.name;
    const action = isAsked && !question.isRewritten ? 'allow' : acl(client, name, type);
    if (action !== 'allow') {
      deny(action);
      return;
    }
    askIpv6(isAsked ? query : withName(query, query.length, nameEnd, name), question, (response) => {
      if (response.length === 0) {
        deny('drop');
        return;
      }
      const vetted = vet?.(client, name, type, response) ?? { action: 'allow', response };
      if (vetted.action !== 'allow') deny(vetted.action);
      else then(vetted.response);
    });
  }

  function walkSearchPath(path: Autopath, question: Question, deny: Deny, reply: Reply): void {
    const { name, overTcp, asked, maxBytes } = question;
    lookUp(question, name, deny, (first) => {
      const plan = isNxdomain(first) ? path.plan(name, question.client) : undefined;
      if (plan === undefined) return reply(first);
      const nothing = first.slice();
      const tryFrom = (i: number): void => {
        if (i === plan.rest.length) {
          reply(nothing);
          return;
        }
        lookUp(question, plan.rest[i], deny, (response) => {
          if (isNxdomain(response)) tryFrom(i + 1);
          else reply(withAlias(response, asked, ALIAS_TTL_SECONDS, maxBytes));
        });
      };
      ask(podQuery(plan.pod), overTcp, question.client, (pod) => (isNoError(pod) ? tryFrom(0) : reply(nothing)));
    });
  }

  return {
    respond(bytes, queryLength, out, overTcp, client) {
      const query = bytes.slice(0, queryLength);
      const nameEnd = questionNameEnd(query);
      const from = client.slice();
      let response: Uint8Array | undefined;
      let send: Reply | undefined;
      const reply = (given: Uint8Array) => {
        if (send !== undefined) send(given);
        else response = given.slice();
      };
      const question = nameEnd === 0 ? undefined : questionIn(query, nameEnd, overTcp, from, out.length);
      // The responder refuses malformed queries.
      if (question === undefined) ask(query, overTcp, from, reply);
      else answerGuarded(question, reply);
      if (response !== undefined) {
        out.set(response);
        return response.length;
      }
      return {
        resolve(whenAnswered) {
          if (response !== undefined) whenAnswered(response);
          else send = whenAnswered;
        },
      };
    },
  };
}

/** The question with another name and type. */
function withQuestion(question: Question, { name, type }: Pick<Question, 'name' | 'type'>): Question {
  const query = withName(question.query, question.query.length, question.nameEnd, name);
  const nameEnd = 12 + name.length;
  query[nameEnd] = type >> 8;
  query[nameEnd + 1] = type;
  return { ...question, query, nameEnd, name, type, isRewritten: true };
}

/** undefined: what follows the question is malformed. */
function questionIn(
  query: Uint8Array,
  nameEnd: number,
  overTcp: boolean,
  client: Uint8Array,
  outBytes: number,
): Question | undefined {
  const edns = emptyQueryEdns();
  if (!readQueryEdns(query, 0, nameEnd + 4, query.length, edns)) return undefined;
  const asked = query.slice(12, nameEnd);
  const offered = edns.present ? Math.max(UDP_BYTES_WITHOUT_EDNS, edns.udpBytes) : UDP_BYTES_WITHOUT_EDNS;
  return {
    query,
    overTcp,
    client,
    nameEnd,
    asked,
    name: lowerCased(asked),
    type: (query[nameEnd] << 8) | query[nameEnd + 1],
    maxBytes: overTcp ? 65_535 : Math.min(offered, outBytes),
  };
}

function denied(question: Question, action: Exclude<AclAction, 'allow'>): Uint8Array {
  if (action === 'drop') return NOTHING;
  return action === 'block'
    ? refusal(question, RCODE.REFUSED, EDE.PROHIBITED)
    : refusal(question, RCODE.NOERROR, EDE.FILTERED);
}

/** Over UDP no longer than its query: nothing is amplified for a forged sender. */
function refusal({ query, nameEnd, overTcp }: Question, rcode: number, ede: number): Uint8Array {
  const out = new Uint8Array(nameEnd + 4 + 32);
  const asked = askedBits(query, query.length, nameEnd + 4);
  const fits = overTcp || nameEnd + 4 + OPT_BYTES_WITH_EDE <= query.length;
  return out.subarray(0, writeFailure(query, nameEnd + 4, asked, rcode, fits ? ede : NO_EDE, out, 0));
}

/** A query for the name that exists if a pod has the address; its type does not matter. */
function podQuery(name: WireName): Uint8Array {
  return Uint8Array.from([0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, ...name, 0, 1, 0, 1]);
}

function isNxdomain(response: Uint8Array): boolean {
  return response.length >= 12 && (response[3] & 0x0f) === RCODE.NXDOMAIN;
}

function isNoError(response: Uint8Array): boolean {
  return response.length >= 12 && (response[3] & 0x0f) === RCODE.NOERROR;
}
