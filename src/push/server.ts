// The sessions of DNS Push (RFC 8765): who is admitted, what each is sent, and when one ends.
import type { Socket } from 'node:net';
import type { Clock, Random, Timer } from '../clock.ts';
import { composeRules } from '../dns/dso/answer-rules.ts';
import { composeDso, DSO_TYPE } from '../dns/dso/message.ts';
import { composeRetryDelay } from '../dns/dso/operations.ts';
import { type Change, composePush } from '../dns/dso/push.ts';
import { parseIp } from '../dns/ip.ts';
import { MAX_MESSAGE_BYTES } from '../dns/limits.ts';
import type { Question } from '../dns/message/record.ts';
import { lowerCased } from '../dns/name.ts';
import { type HashSeed, hashName } from '../dns/name-hash.ts';
import { CLASS, EDE, RCODE } from '../dns/types.ts';
import type { Acl } from '../front/acl.ts';
import type { SocketAddress } from '../native/socket-address.ts';
import { withoutScope } from '../native/socket-address.ts';
import { COUNTER, type Counters, PUSH_ENDS } from '../plane/counters.ts';
import type { PushSettings } from '../plane/settings.ts';
import type { QueryHandler } from '../server/answer/query-handler.ts';
import { keep, nextLength, push as received, skip } from '../server/tcp/stream-reader.ts';
import { type AnswerSet, type AnswerSets, changesBetween } from './answer-set.ts';
import type { Key, Keys } from './keys.ts';
import { listenForSessions, type SessionListener } from './listen.ts';
import { createPace, type Pace } from './pace.ts';
import { FATAL, type Handled, handleMessage, isKeepalive, type RequestDeps, refusal } from './requests.ts';
import { catchUp, createSession, flush, isSlow, overdue, type Session } from './session.ts';

export interface PushServerDeps {
  readonly settings: PushSettings;
  /** Of all sessions together. */
  readonly unreadTotalBytes: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly counters: Counters;
  readonly hashSeed: HashSeed;
  readonly keys: Keys;
  readonly sets: AnswerSets;
  /** For ordinary queries. */
  readonly handler: QueryHandler;
  readonly acl: Acl;
  log(level: 'info' | 'warn' | 'error', message: string): void;
}

export interface PushServer {
  readonly pace: Pace;
  /** Rejects with ListenError. */
  listen(addresses: readonly SocketAddress[]): Promise<readonly SocketAddress[]>;
  stopListening(): Promise<void>;
  /** Asks every client to leave, and waits until they have, but not for long. */
  close(): Promise<void>;
}

type End = (typeof PUSH_ENDS)[number];

/** Messages of one client that are handled before those of others are. */
const TURN_MESSAGES = 100;
const SWEEP_MS = 1_000;
/** Until an incomplete zone or a full server may be asked again. */
const SOON_MS = 5_000;
/** Clients that a shutdown sends away return over as many milliseconds as this for each, and a second. */
const RETURN_MS_PER_SESSION = 2;
const RETURN_LEAST_MS = 1_000;
/** Less than the time in which the thread must end. */
const LEAVE_MS = 1_500;

// biome-ignore lint/complexity/noExcessiveLinesPerFunction: short functions over the sessions of one server
export function createPushServer(deps: PushServerDeps): PushServer {
  const { settings, clock, counters, keys, sets, handler } = deps;
  const sessions: (Session | undefined)[] = [];
  const free: number[] = [];
  const touched = new Set<Session>();
  /** Keys whose messages are kept until the next sweep. */
  const encoded: Key[] = [];
  const out = new Uint8Array(MAX_MESSAGE_BYTES);
  let open = 0;
  let subscriptions = 0;
  let listeners: readonly SessionListener[] = [];
  let sweeping: Timer | undefined;
  let onEmpty: (() => void) | undefined;

  const send = (session: Session, message: Uint8Array): void => {
    session.pending.push(message);
    session.pendingBytes += message.length;
    session.aliveMs = clock.monotonicMs();
    touched.add(session);
  };

  const flushAll = (): void => {
    for (const session of touched) {
      if (!session.isOpen) continue;
      flush(session);
      bringUp(session);
    }
    touched.clear();
    counters[COUNTER.PUSH_KEYS] = keys.size;
    counters[COUNTER.PUSH_WAITING] = pace.waiting();
  };

  /** Forgets it; what the connection still has is discarded, unless the client leaves by itself. */
  const end = (session: Session, why: End): void => {
    if (!session.isOpen) return;
    session.isOpen = false;
    counters[COUNTER.PUSH_ENDED + PUSH_ENDS.indexOf(why)]++;
    counters[COUNTER.PUSH_SESSIONS] = --open;
    for (const [id, key] of session.subscriptions) keys.unsubscribe(key, wordOf(session, id));
    countSubscriptions(-session.subscriptions.size);
    counters[COUNTER.PUSH_KEYS] = keys.size;
    session.subscriptions.clear();
    session.behind.clear();
    sessions[session.index] = undefined;
    free.push(session.index);
    // RFC 8490 section 5.3: aborting is a reset.
    if (why === 'client') session.stream.destroy();
    else session.connection.resetAndDestroy();
    if (open === 0) onEmpty?.();
  };

  const countSubscriptions = (more: number): void => {
    subscriptions += more;
    counters[COUNTER.PUSH_SUBSCRIPTIONS] = subscriptions;
  };

  const deliver = (key: Key, before: AnswerSet, changes: readonly Change[]): void => {
    const messages = composePush(changes, key.sent.rules);
    counters[COUNTER.PUSH_STATES]++;
    for (let i = 0; i < key.count; i++) {
      const session = sessions[key.subscribers[i] >>> 16]!;
      if (session.behind.size > 0 || isSlow(session)) {
        if (session.behind.has(key)) counters[COUNTER.PUSH_SKIPPED]++;
        else session.behind.set(key, before);
        touched.add(session);
      } else for (const message of messages) sendPush(session, message);
    }
  };

  const sendPush = (session: Session, message: Uint8Array): void => {
    counters[COUNTER.PUSH_MESSAGES]++;
    session.activeMs = clock.monotonicMs();
    send(session, message);
  };

  /** Sends what a session is behind with while it reads. */
  const bringUp = (session: Session): void => {
    while (session.isOpen && session.behind.size > 0 && !isSlow(session)) {
      for (const message of catchUp(session)) sendPush(session, message);
      flush(session);
    }
  };

  /** RFC 8490 section 5.6. */
  const cancel = (key: Key, rcode: number): void => {
    for (const word of key.subscribers.subarray(0, key.count)) {
      const session = sessions[word >>> 16]!;
      session.subscriptions.delete(word & 0xffff);
      session.behind.delete(key);
      send(session, refusal(word & 0xffff, rcode, 0));
    }
    countSubscriptions(-key.count);
    keys.remove(key);
  };

  const pace = createPace({ clock, sets, keys, deliver, cancel, flush: flushAll });

  const refuse = (session: Session, id: number, rcode: number, padTo: number, retryMs?: number): undefined => {
    counters[COUNTER.PUSH_REFUSED]++;
    send(session, refusal(id, rcode, padTo, retryMs));
  };

  const subscribe = (session: Session, id: number, question: Question, padTo: number): Handled => {
    counters[COUNTER.PUSH_SUBSCRIBES]++;
    const name = lowerCased(question.name);
    const { type } = question;
    if (session.subscriptions.has(id)) return FATAL;
    if (question.class !== CLASS.IN && question.class !== CLASS.ANY) return refuse(session, id, RCODE.NOTAUTH, padTo);
    const hash = hashName(name, deps.hashSeed);
    let key = keys.find(name, hash, type);
    if (key !== undefined && holds(session, key)) return FATAL;
    if (deps.acl(session.client, name, type) !== 'allow') return refuse(session, id, RCODE.REFUSED, padTo);
    if (session.subscriptions.size >= settings.subscriptionsPerSession)
      return refuse(session, id, RCODE.REFUSED, padTo);
    if (subscriptions >= settings.subscriptions) return refuse(session, id, RCODE.SERVFAIL, padTo);
    if (key === undefined) {
      const { set, rcode } = sets.evaluate(name, type);
      if (set === undefined) return refuse(session, id, rcode, padTo);
      if (isUnknown(set)) return refuse(session, id, RCODE.SERVFAIL, padTo, SOON_MS);
      key = keys.add(name, hash, type, set, sets.dependencies());
    }
    keys.subscribe(key, wordOf(session, id));
    session.subscriptions.set(id, key);
    session.isEstablished = true;
    countSubscriptions(1);
    begin(session, id, key, padTo);
    return undefined;
  };

  /** The response, and what the others have been sent: a change that waits comes to all of them. */
  const begin = (session: Session, id: number, key: Key, padTo: number): void => {
    const { sent } = key;
    const isEmpty = sent.records.size === 0;
    const tlvs = isEmpty ? [{ type: DSO_TYPE.ANSWER_RULES, data: rulesOf(sent) }] : [];
    send(session, composeDso({ id, isResponse: true, padTo, tlvs }));
    if (isEmpty) return;
    if (key.whole === undefined) {
      key.whole = composePush(changesBetween(undefined, sent), sent.rules);
      encoded.push(key);
    }
    for (const message of key.whole) sendPush(session, message);
  };

  const unsubscribe = (session: Session, id: number): void => {
    const key = session.subscriptions.get(id);
    // RFC 8765 section 6.4.1: one that failed, perhaps.
    if (key === undefined) return;
    session.subscriptions.delete(id);
    session.behind.delete(key);
    keys.unsubscribe(key, wordOf(session, id));
    countSubscriptions(-1);
  };

  const query = (session: Session, message: Uint8Array): void => {
    counters[COUNTER.PUSH_QUERIES]++;
    const answer = (response: Uint8Array): void => {
      if (!session.isOpen || session.isLeaving || response.length === 0) return;
      const framed = new Uint8Array(2 + response.length);
      framed[0] = response.length >> 8;
      framed[1] = response.length;
      framed.set(response, 2);
      send(session, framed);
    };
    const response = handler.respond(message, message.length, out, true, session.client);
    if (typeof response === 'number') answer(out.subarray(0, response));
    else
      response.resolve((later) => {
        answer(later);
        flushAll();
      }, session.client);
  };

  const requests: RequestDeps = { counters, send, subscribe, unsubscribe, query };

  /** A bug that one client's message meets ends its session, not the thread with those of all. */
  const handleGuarded = (session: Session, message: Uint8Array): Handled => {
    try {
      return handleMessage(session, message, requests);
    } catch (error) {
      deps.log('error', `DNS Push: a message could not be handled: ${(error as Error).stack ?? error}`);
      end(session, 'error');
      return undefined;
    }
  };

  /** Handles what has arrived, some messages in each turn; a client that does not read is not read from. */
  const handle = (session: Session): void => {
    const { reader, stream } = session;
    for (let left = TURN_MESSAGES; session.isOpen && !session.isLeaving; left--) {
      const length = nextLength(reader);
      if (length < 0) break;
      if (left === 0 || isSlow(session)) {
        keep(reader);
        stream.pause();
        flushAll();
        if (!isSlow(session)) setImmediate(() => resume(session));
        return;
      }
      const message = reader.bytes.subarray(reader.start + 2, reader.start + 2 + length);
      session.aliveMs = clock.monotonicMs();
      if (!isKeepalive(message)) session.activeMs = session.aliveMs;
      skip(reader, length);
      if (handleGuarded(session, message) === FATAL) end(session, 'protocol');
    }
    keep(reader);
    flushAll();
  };

  const resume = (session: Session): void => {
    if (!session.isOpen) return;
    flush(session);
    bringUp(session);
    if (isSlow(session)) return;
    session.stream.resume();
    handle(session);
  };

  const accept = (stream: Socket, connection: Socket): void => {
    const client = parseIp(withoutScope(connection.remoteAddress ?? '')) ?? new Uint8Array(4);
    const index = free.pop() ?? sessions.length;
    const session = createSession(index, stream, connection, client, clock.monotonicMs());
    sessions[index] = session;
    counters[COUNTER.PUSH_OPENED]++;
    counters[COUNTER.PUSH_SESSIONS] = ++open;
    stream.on('data', (chunk: Uint8Array) => {
      received(session.reader, chunk, chunk.length);
      handle(session);
    });
    stream.on('drain', () => {
      session.stalledMs = clock.monotonicMs();
      resume(session);
    });
    stream.on('end', () => end(session, 'client'));
    stream.on('error', () => end(session, 'error'));
    stream.on('close', () => end(session, 'client'));
  };

  const sweep = (): void => {
    const nowMs = clock.monotonicMs();
    for (const session of sessions) {
      const why = session && overdue(session, nowMs);
      if (why !== undefined) end(session!, why);
    }
    counters[COUNTER.PUSH_UNREAD_BYTES] = limitUnread();
    for (const key of encoded.splice(0)) key.whole = undefined;
    sweeping = clock.setTimeout(sweep, SWEEP_MS);
  };

  /** Ends those that have not read for the longest time until the rest leaves no more than the limit; returns that rest. */
  const limitUnread = (): number => {
    const unread = sessions.filter((session) => session !== undefined && session.unreadBytes > 0) as Session[];
    let total = unread.reduce((sum, session) => sum + session.unreadBytes, 0);
    if (total > deps.unreadTotalBytes) unread.sort((a, b) => a.stalledMs - b.stalledMs);
    for (const session of unread) {
      if (total <= deps.unreadTotalBytes) break;
      total -= session.unreadBytes;
      end(session, 'unread');
    }
    return total;
  };

  /** RFC 8490 section 6.6.1.1: each its own delay, so that they do not return together. */
  const sendAway = (session: Session): void => {
    const spread = RETURN_LEAST_MS + open * RETURN_MS_PER_SESSION;
    const delayMs = RETURN_LEAST_MS + Math.floor(deps.random() * spread);
    if (session.isEstablished) send(session, composeRetryDelay(RCODE.NOERROR, delayMs));
    session.isLeaving = true;
    session.behind.clear();
  };

  const left = async (): Promise<void> => {
    let timer: Timer | undefined;
    await new Promise<void>((resolve) => {
      onEmpty = resolve;
      timer = clock.setTimeoutKeepingAlive(resolve, LEAVE_MS);
    });
    timer?.cancel();
  };

  const stopListening = async (): Promise<void> => {
    await Promise.all(listeners.map((listener) => listener.close()));
    listeners = [];
  };

  return {
    pace,
    async listen(addresses) {
      const isFull = () => open >= settings.sessions;
      const opened: SessionListener[] = [];
      try {
        for (const address of addresses)
          opened.push(await listenForSessions(address, settings, { ...deps, isFull, accept }));
      } catch (error) {
        await Promise.all(opened.map((listener) => listener.close()));
        throw error;
      }
      listeners = opened;
      sweeping ??= clock.setTimeout(sweep, SWEEP_MS);
      return listeners.map(({ bound }) => bound);
    },
    stopListening,
    async close() {
      void stopListening();
      pace.close();
      const present = sessions.filter((session) => session !== undefined);
      for (const session of present) sendAway(session);
      flushAll();
      for (const session of present) if (!session.isEstablished) end(session, 'shutdown');
      if (open > 0) await left();
      sweeping?.cancel();
      for (const session of sessions) if (session !== undefined) end(session, 'shutdown');
    },
  };

  /** Whether it is among the subscribers, in the smaller of the two places. */
  function holds(session: Session, key: Key): boolean {
    if (session.subscriptions.size < key.count) {
      for (const held of session.subscriptions.values()) if (held === key) return true;
      return false;
    }
    for (let i = 0; i < key.count; i++) if (key.subscribers[i] >>> 16 === session.index) return true;
    return false;
  }
}

const wordOf = (session: Session, id: number): number => ((session.index << 16) | id) >>> 0;

/** The zone is not complete yet: what is not known is not pushed. */
const isUnknown = ({ records, rules }: AnswerSet): boolean =>
  records.size === 0 && rules.errors.some(({ infoCode }) => infoCode === EDE.NOT_READY);

const rulesOf = ({ rules }: AnswerSet): Uint8Array => composeRules({ ...rules, isPartial: false, weights: [] });
