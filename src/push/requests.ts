// What a message of a client asks for, and how it is answered: RFC 8490 section 5.4 and RFC 8765 section 6, request by request.
// A fatal error is one that only a client with a serious bug makes; its session is aborted.
import { composeDso, DSO_TYPE, type DsoHead, isDso, parseTlvs, readDsoHead, type Tlv } from '../dns/dso/message.ts';
import {
  composeKeepalive,
  MIN_KEEPALIVE_MS,
  parseKeepalive,
  parseReconfirm,
  parseSubscribe,
  parseUnsubscribe,
  retryDelay,
} from '../dns/dso/operations.ts';
import { HEADER_BYTES } from '../dns/limits.ts';
import { parseMessage } from '../dns/message/message.ts';
import type { Question } from '../dns/message/record.ts';
import { MessageError } from '../dns/reader.ts';
import { OPTION, RCODE } from '../dns/types.ts';
import { COUNTER, type Counters } from '../plane/counters.ts';
import type { Session } from './session.ts';

/** The session is to be aborted. */
export const FATAL = 'fatal';
export type Handled = typeof FATAL | undefined;

export interface RequestDeps {
  readonly counters: Counters;
  /** Puts a message with its length in front into what the session is sent. */
  send(session: Session, message: Uint8Array): void;
  /** Answers, and begins to push. */
  subscribe(session: Session, id: number, question: Question, padTo: number): Handled;
  unsubscribe(session: Session, id: number): void;
  /** An ordinary query. */
  query(session: Session, message: Uint8Array): void;
}

/** RFC 8467 section 4.1: responses to padded requests are padded to a multiple of this. */
const PADDED_BYTES = 468;
/** RFC 8765 section 6.2.2. */
export const RETRY_MS: Readonly<Record<number, number>> = {
  [RCODE.FORMERR]: 300_000,
  [RCODE.SERVFAIL]: 60_000,
  [RCODE.REFUSED]: 300_000,
  [RCODE.NOTAUTH]: 300_000,
  [RCODE.DSOTYPENI]: 3_600_000,
};
/** Longest times that are granted. */
const MAX_TIME_MS = 3_600_000;

/** A request that is not done, and when it may be tried again. */
export const refusal = (id: number, rcode: number, padTo: number, retryMs = RETRY_MS[rcode]): Uint8Array =>
  composeDso({ id, isResponse: true, rcode, padTo, tlvs: [retryDelay(retryMs)] });

/** `message` without the length in front of it; not kept. */
export function handleMessage(session: Session, message: Uint8Array, deps: RequestDeps): Handled {
  if (message.length < HEADER_BYTES) return FATAL;
  if (isDso(message)) return handleDso(session, message, deps);
  if (session.isEstablished && hasKeepaliveOption(message)) return FATAL;
  deps.query(session, message);
  return undefined;
}

function handleDso(session: Session, message: Uint8Array, deps: RequestDeps): Handled {
  const head = readDsoHead(message);
  // The server asks nothing, so nothing is a response (RFC 8490 section 5.5.2).
  if (head.isResponse) return FATAL;
  const tlvs = tlvsOf(message, head);
  const isPadded = tlvs?.slice(1).some(({ type }) => type === DSO_TYPE.PADDING) ?? false;
  const padTo = isPadded ? PADDED_BYTES : 0;
  try {
    if (tlvs === undefined || tlvs.length === 0) throw new MessageError('not a list of TLVs');
    return handlePrimary(session, message, head, tlvs[0], padTo, deps);
  } catch (error) {
    if (!(error instanceof MessageError)) throw error;
    // RFC 8490 section 5.4.3: no response to what has no id, in the case of errors neither.
    if (head.id === 0) return FATAL;
    deps.counters[COUNTER.PUSH_MALFORMED]++;
    deps.send(session, refusal(head.id, RCODE.FORMERR, padTo));
    return undefined;
  }
}

function tlvsOf(message: Uint8Array, { hasNoRecords }: DsoHead): readonly Tlv[] | undefined {
  try {
    return hasNoRecords ? parseTlvs(message) : undefined;
  } catch (error) {
    if (error instanceof MessageError) return undefined;
    throw error;
  }
}

/** Throws MessageError. */
function handlePrimary(
  session: Session,
  message: Uint8Array,
  { id }: DsoHead,
  tlv: Tlv,
  padTo: number,
  deps: RequestDeps,
): Handled {
  const isRequest = id !== 0;
  switch (tlv.type) {
    case DSO_TYPE.KEEPALIVE:
      return isRequest ? grantTimeouts(session, id, tlv, padTo, deps) : FATAL;
    case DSO_TYPE.SUBSCRIBE:
      return isRequest ? deps.subscribe(session, id, parseSubscribe(message, tlv), padTo) : FATAL;
    // RFC 8490 section 5.1: nothing unidirectional before the session is established.
    case DSO_TYPE.UNSUBSCRIBE:
      if (isRequest || !session.isEstablished) return FATAL;
      deps.counters[COUNTER.PUSH_UNSUBSCRIBES]++;
      deps.unsubscribe(session, parseUnsubscribe(tlv));
      return undefined;
    // Nothing is older than the facts that it was made of: there is nothing to verify.
    case DSO_TYPE.RECONFIRM:
      if (isRequest || !session.isEstablished) return FATAL;
      parseReconfirm(message, tlv);
      deps.counters[COUNTER.PUSH_RECONFIRMS]++;
      return undefined;
    // What only a server sends, and what is never the first TLV.
    case DSO_TYPE.PUSH:
    case DSO_TYPE.RETRY_DELAY:
      return FATAL;
    case DSO_TYPE.PADDING:
      throw new MessageError('padding is not an operation');
    default:
      if (!isRequest) return FATAL;
      deps.counters[COUNTER.PUSH_UNKNOWN]++;
      deps.send(session, refusal(id, RCODE.DSOTYPENI, padTo));
      return undefined;
  }
}

/** RFC 8490 section 7.1: what the client asks for, within bounds. */
function grantTimeouts(session: Session, id: number, tlv: Tlv, padTo: number, deps: RequestDeps): Handled {
  const asked = parseKeepalive(tlv);
  session.inactivityMs = Math.min(asked.inactivityMs, MAX_TIME_MS);
  session.keepaliveMs = Math.max(MIN_KEEPALIVE_MS, Math.min(asked.keepaliveMs, MAX_TIME_MS));
  session.isEstablished = true;
  deps.counters[COUNTER.PUSH_KEEPALIVES]++;
  deps.send(session, composeKeepalive(id, true, session, padTo));
  return undefined;
}

/** RFC 8490 section 5.4.6. */
function hasKeepaliveOption(message: Uint8Array): boolean {
  try {
    return parseMessage(message).edns?.options.some(({ code }) => code === OPTION.TCP_KEEPALIVE) ?? false;
  } catch {
    // The responder answers it FORMERR.
    return false;
  }
}

/** Whether a message is a KEEPALIVE, which does not make a session active (RFC 8490 section 6.3). */
export const isKeepalive = (message: Uint8Array): boolean =>
  isDso(message) && message[HEADER_BYTES] === 0 && message[HEADER_BYTES + 1] === DSO_TYPE.KEEPALIVE;
