// One DSO session to a replica (RFC 8490): ordinary queries, subscriptions and what is pushed for them (RFC 8765), over one
// stream. Whatever breaks the rules ends it, and so does silence.
import type { Socket } from 'node:net';
import type { Clock, Timer } from '../clock.ts';
import { DSO_TYPE, isDso, parseTlvs, readDsoHead, type Tlv } from '../dns/dso/message.ts';
import {
  composeKeepalive,
  composeSubscribe,
  composeUnsubscribe,
  MAX_TIME_MS,
  MIN_KEEPALIVE_MS,
  parseKeepalive,
  parseRetryDelay,
} from '../dns/dso/operations.ts';
import { parsePush } from '../dns/dso/push.ts';
import { HEADER_BYTES } from '../dns/limits.ts';
import { nameEnd, type WireName } from '../dns/name.ts';
import { MessageError } from '../dns/reader.ts';
import { CLASS, RCODE, rcodeName } from '../dns/types.ts';
import { type Attempt, TOO_BUSY, UNREADABLE } from '../forward/upstream/attempt.ts';
import { isReplyTo, setId } from '../forward/upstream/exchange.ts';
import type { Delivery, Subscriber } from './held.ts';
import { socketReason } from './socket-reason.ts';

export interface SessionEvents {
  /** The replica speaks DSO: it can be asked and subscribed to. */
  established(): void;
  /** A client's question was answered with records. */
  answered(name: WireName, type: number): void;
  isEmpty(id: number): void;
  refused(id: number, retryMs: number): void;
  deliver(delivery: Delivery): void;
  /** Called once. `retryMs`: the replica asked not to come back before; 0: it did not. */
  ended(reason: string, retryMs: number): void;
}

/** What is granted may be more. */
const KEEPALIVE_MS = 15_000;
const CONNECT_MS = 5_000;
/**
 * Then for the handshake of TLS and to agree on the session: when a replica ends, thousands come to the other one, which has to
 * work through them. Who gives up early makes it do that twice.
 */
const OPENING_MS = 20_000;
/** So many intervals without a message, and the replica is dead. */
const SILENT_INTERVALS = 2;
const TICK_MS = 2_500;
const MAX_QUERIES = 4_096;
/** A replica that does not read. */
const MAX_UNSENT_BYTES = 4 * 1024 * 1024;
const IDS = 65_536;

export class Session implements Subscriber {
  /** Monotonic time of the last message from the replica. */
  lastHeardMs: number;
  pushes = 0;
  private readonly socket: Socket;
  private readonly clock: Clock;
  private readonly events: SessionEvents;
  private readonly inUse = new Uint8Array(IDS);
  private readonly queries = new Map<number, Attempt>();
  private readonly ownQueries = new Set<number>();
  /** Requests to subscribe, and whether they have been cancelled meanwhile. */
  private readonly unanswered = new Map<number, 'wanted' | 'cancelled'>();
  private nextId = 1;
  private lastSentMs: number;
  private keepaliveMs = KEEPALIVE_MS;
  private isEstablished = false;
  private hasEnded = false;
  private unread: Buffer = Buffer.alloc(0);
  private timer: Timer;

  /** `socket` is connecting; `ready` is the event after which it takes data. */
  constructor(socket: Socket, ready: 'connect' | 'secureConnect', clock: Clock, events: SessionEvents) {
    this.socket = socket;
    this.clock = clock;
    this.events = events;
    this.lastHeardMs = clock.monotonicMs();
    this.lastSentMs = this.lastHeardMs;
    socket.setNoDelay(true);
    socket.on('connect', () => this.connected());
    socket.on(ready, () => this.open());
    socket.on('data', (chunk: Buffer) => this.receive(chunk));
    socket.on('error', (error: NodeJS.ErrnoException) => this.end(socketReason(error)));
    socket.on('end', () => {
      // Also the kernel of a process that was killed sends this: until then, everything that it knew has arrived.
      this.lastHeardMs = this.clock.monotonicMs();
      this.end('closed by the replica');
    });
    socket.on('close', () => this.end('closed by the replica'));
    this.timer = clock.setTimeout(() => this.end(`no connection within ${CONNECT_MS / 1000} s`), CONNECT_MS);
  }

  subscribe(name: WireName, type: number): number | undefined {
    if (!this.isEstablished || this.hasEnded) return undefined;
    const id = this.takeId();
    if (id === undefined) return undefined;
    this.unanswered.set(id, 'wanted');
    this.write(composeSubscribe(id, { name, type, class: CLASS.IN }));
    return id;
  }

  unsubscribe(id: number): void {
    if (this.hasEnded) return;
    this.write(composeUnsubscribe(id));
    if (this.unanswered.has(id)) this.unanswered.set(id, 'cancelled');
    else this.inUse[id] = 0;
  }

  /** As Transport.send. `forClient`: a client asks, so that the answer is worth holding. */
  ask(attempt: Attempt, forClient: boolean): void {
    const id = this.isEstablished && !this.hasEnded && this.queries.size < MAX_QUERIES ? this.takeId() : undefined;
    if (id === undefined) {
      attempt.failed(TOO_BUSY);
      return;
    }
    attempt.via = this;
    setId(attempt.query, id);
    this.queries.set(id, attempt);
    if (!forClient) this.ownQueries.add(id);
    const frame = Buffer.allocUnsafe(2 + attempt.query.length);
    frame.writeUInt16BE(attempt.query.length, 0);
    frame.set(attempt.query, 2);
    this.write(frame);
  }

  /** Its reply, if one comes, is ignored: until then the ID is not used again. */
  cancel(attempt: Attempt): void {
    const id = (attempt.query[0] << 8) | attempt.query[1];
    if (this.queries.get(id) === attempt) this.queries.delete(id);
  }

  end(reason: string, retryMs = 0): void {
    if (this.hasEnded) return;
    this.hasEnded = true;
    this.timer.cancel();
    this.socket.destroy();
    const failed = [...this.queries.values()];
    this.queries.clear();
    this.events.ended(reason, retryMs);
    for (const attempt of failed) attempt.failed(reason);
  }

  private connected(): void {
    this.timer.cancel();
    if (this.hasEnded) return;
    this.timer = this.clock.setTimeout(() => this.end(`no session within ${OPENING_MS / 1000} s`), OPENING_MS);
  }

  private open(): void {
    this.write(composeKeepalive(this.takeId()!, false, { inactivityMs: MAX_TIME_MS, keepaliveMs: KEEPALIVE_MS }));
  }

  private receive(chunk: Buffer): void {
    this.lastHeardMs = this.clock.monotonicMs();
    let bytes = this.unread.length === 0 ? chunk : Buffer.concat([this.unread, chunk]);
    try {
      while (bytes.length >= 2 && !this.hasEnded) {
        const end = 2 + bytes.readUInt16BE(0);
        if (bytes.length < end) break;
        this.take(bytes.subarray(2, end));
        bytes = bytes.subarray(end);
      }
    } catch (error) {
      if (!(error instanceof MessageError)) throw error;
      this.end(`protocol error: ${error.message}`);
    }
    // At most one message of 64 KiB and the chunk that ends it.
    this.unread = bytes.length === 0 ? bytes : Buffer.from(bytes);
  }

  private take(message: Buffer): void {
    if (message.length < HEADER_BYTES) throw new MessageError(`a message of ${message.length} bytes`);
    if (!isDso(message)) {
      this.takeReply(message);
      return;
    }
    const head = readDsoHead(message);
    if (!head.hasNoRecords) throw new MessageError('a DSO message with records');
    const tlvs = parseTlvs(message);
    if (head.isResponse) this.takeResponse(head.id, head.rcode, tlvs);
    else if (head.id !== 0) throw new MessageError('a request of the replica');
    else this.takeNotice(message, tlvs, head.rcode);
  }

  private takeReply(message: Buffer): void {
    const id = message.readUInt16BE(0);
    if (this.inUse[id] === 0) throw new MessageError(`a reply to no query, with ID ${id}`);
    const attempt = this.queries.get(id);
    const isOwn = this.ownQueries.delete(id);
    this.inUse[id] = 0;
    if (attempt === undefined) return;
    this.queries.delete(id);
    if (!isReplyTo(message, attempt.query, attempt.exactSpelling)) {
      attempt.failed(UNREADABLE);
      return;
    }
    const hasRecords = (message[3] & 15) === RCODE.NOERROR && (message[6] | message[7]) !== 0;
    attempt.replied(message);
    if (!hasRecords || isOwn) return;
    const end = nameEnd(attempt.query, HEADER_BYTES);
    const name = attempt.query.subarray(HEADER_BYTES, end);
    this.events.answered(name, (attempt.query[end] << 8) | attempt.query[end + 1]);
  }

  private takeResponse(id: number, rcode: number, tlvs: readonly Tlv[]): void {
    if (this.inUse[id] === 0) {
      // The replica ends a subscription that was given up meanwhile (RFC 8490 section 5.6).
      if (rcode !== RCODE.NOERROR) return;
      throw new MessageError(`a response to no request, with ID ${id}`);
    }
    if (!this.isEstablished) {
      this.agree(id, rcode, tlvs);
      return;
    }
    const [first] = tlvs;
    if (first?.type === DSO_TYPE.KEEPALIVE) {
      this.inUse[id] = 0;
      this.keepaliveMs = Math.max(MIN_KEEPALIVE_MS, parseKeepalive(first).keepaliveMs);
      return;
    }
    const isCancelled = this.unanswered.get(id) === 'cancelled';
    this.unanswered.delete(id);
    if (isCancelled) {
      this.inUse[id] = 0;
      return;
    }
    if (rcode === RCODE.NOERROR) {
      if (tlvs.some(({ type }) => type === DSO_TYPE.ANSWER_RULES)) this.events.isEmpty(id);
      return;
    }
    const delay = tlvs.find(({ type }) => type === DSO_TYPE.RETRY_DELAY);
    this.inUse[id] = 0;
    this.events.refused(id, delay === undefined ? 0 : parseRetryDelay(delay));
  }

  /** The response to the first KEEPALIVE. */
  private agree(id: number, rcode: number, [first]: readonly Tlv[]): void {
    if (rcode !== RCODE.NOERROR) {
      this.end(`the replica refuses the session: ${rcodeName(rcode)}`);
      return;
    }
    if (first?.type !== DSO_TYPE.KEEPALIVE) throw new MessageError('a response to KEEPALIVE without KEEPALIVE');
    this.inUse[id] = 0;
    this.keepaliveMs = Math.max(MIN_KEEPALIVE_MS, parseKeepalive(first).keepaliveMs);
    this.isEstablished = true;
    this.timer.cancel();
    this.tick();
    this.events.established();
  }

  private takeNotice(message: Buffer, tlvs: readonly Tlv[], rcode: number): void {
    const [first] = tlvs;
    switch (first?.type) {
      case DSO_TYPE.PUSH:
        this.takePush(message, tlvs);
        break;
      case DSO_TYPE.KEEPALIVE:
        this.keepaliveMs = Math.max(MIN_KEEPALIVE_MS, parseKeepalive(first).keepaliveMs);
        break;
      case DSO_TYPE.RETRY_DELAY:
        this.endWithDelay(Math.max(1, parseRetryDelay(first)), rcode);
        break;
      default:
        throw new MessageError(`a notice with TLV ${first?.type ?? 'none'}`);
    }
  }

  private endWithDelay(retryMs: number, rcode: number): void {
    const why = rcode === RCODE.NOERROR ? '' : `, ${rcodeName(rcode)}`;
    this.end(`asked to come back in ${(retryMs / 1000).toFixed(1)} s (RETRY DELAY${why})`, retryMs);
  }

  private takePush(message: Buffer, tlvs: readonly Tlv[]): void {
    if (!this.isEstablished) throw new MessageError('a PUSH before the session');
    this.pushes++;
    const { changes, rules } = parsePush(message, tlvs);
    if (changes.length === 0) return;
    this.events.deliver({
      name: rules?.name ?? changes[0].name,
      type: rules?.type,
      isPartial: rules?.isPartial ?? false,
      changes,
      policy: rules && { routing: rules.isWeighted ? 'weighted' : 'multivalue', maxAnswers: rules.maxAnswers },
      errors: rules?.errors ?? [],
    });
  }

  private tick(): void {
    if (this.hasEnded) return;
    const nowMs = this.clock.monotonicMs();
    if (nowMs - this.lastHeardMs >= SILENT_INTERVALS * this.keepaliveMs) {
      this.end(`nothing heard for ${Math.round((nowMs - this.lastHeardMs) / 1000)} s`);
      return;
    }
    if (nowMs - this.lastSentMs >= this.keepaliveMs - TICK_MS || nowMs - this.lastHeardMs >= this.keepaliveMs) {
      const id = this.takeId();
      if (id !== undefined)
        this.write(composeKeepalive(id, false, { inactivityMs: MAX_TIME_MS, keepaliveMs: KEEPALIVE_MS }));
    }
    this.timer = this.clock.setTimeout(() => this.tick(), TICK_MS);
  }

  private write(bytes: Uint8Array): void {
    this.lastSentMs = this.clock.monotonicMs();
    this.socket.write(bytes);
    if (this.socket.writableLength > MAX_UNSENT_BYTES) this.end('the replica does not read');
  }

  /** Of a query, a request or a subscription: all different. Never 0. */
  private takeId(): number | undefined {
    for (let tries = 1; tries < IDS; tries++) {
      const id = this.nextId;
      this.nextId = id === IDS - 1 ? 1 : id + 1;
      if (this.inUse[id] !== 0) continue;
      this.inUse[id] = 1;
      return id;
    }
    return undefined;
  }
}
