// One upstream server: how it is reached, whether it lives, how fast it answers.
import type { Clock } from '../../clock.ts';
import { parseName } from '../../dns/name.ts';
import { TYPE } from '../../dns/types.ts';
import type { OpenSocket } from '../../native/connected-datagram.ts';
import type { RouteSettings, UpstreamSettings } from '../../plane/forward-settings.ts';
import { countLatency, createUpstreamCounters, type UpstreamCounters } from '../../plane/forward-statistics.ts';
import { type Attempt, TOO_BUSY, type Transport } from './attempt.ts';
import { type Deadlines, deadline } from './deadlines.ts';
import { composeUpstreamQuery, isTruncated, saysCannotRead } from './exchange.ts';
import { type ForwardQuestion, plainQuestion } from './question.ts';
import { STREAM_DEFAULTS, StreamTransport } from './stream.ts';
import { UDP_DEFAULTS, UdpTransport } from './udp.ts';
import type { Unpredictable } from './unpredictable.ts';

export interface Upstream {
  /** "1.1.1.1:53" or "tls://1.1.1.1:853". */
  readonly label: string;
  readonly counters: UpstreamCounters;
  /** Failed so often that it is asked only where all others are down, too. */
  isDown(): boolean;
  /** Sends the question. The listener may be called before it returns, and is not called after `cancel`. */
  send(question: ForwardQuestion, listener: AskListener): Cancellable;
  /** How long a reply is worth waiting for before another upstream is asked as well. */
  patienceMs(): number;
  /** No reply came within its patience to a question sent at `sentMs`. */
  noteTimeout(sentMs: number): void;
  sockets(): number;
  close(): void;
}

export interface Cancellable {
  cancel(): void;
}

export interface AskListener {
  /** `message` is valid until it returns. */
  replied(message: Uint8Array): void;
  failed(reason: string): void;
}

export interface UpstreamDeps {
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  readonly unpredictable: Unpredictable;
  readonly openSocket: OpenSocket;
  /** A mistake of ours, while a reply or a failure was dealt with. */
  bug(error: Error): void;
}

/** How long a server that took EDNS for a format error is asked without it. */
const NO_EDNS_MS = 300_000;
/** Without probes only use can show that it is back. */
const HOLD_DOWN_MS = 10_000;
const MIN_PATIENCE_MS = 200;
/** The reason given where dealing with a reply threw. */
const BUG = 'internal error';

export function createUpstream(settings: UpstreamSettings, route: RouteSettings, deps: UpstreamDeps): Upstream {
  const { clock, deadlines, unpredictable } = deps;
  const label = upstreamLabel(settings);
  const counters = createUpstreamCounters(label, route.zone);
  const transportCounters = {
    ignored: () => void counters.ignored++,
    socketOpened: () => void counters.socketsOpened++,
  };
  const stream = new StreamTransport(
    { ...settings, ...STREAM_DEFAULTS, idleMs: route.idleMs },
    deadlines,
    unpredictable,
    transportCounters,
  );
  const udp = new UdpTransport(
    { ...settings, ...UDP_DEFAULTS },
    deadlines,
    unpredictable,
    transportCounters,
    deps.openSocket,
  );
  const first: Transport = settings.tls !== undefined || route.forceTcp ? stream : udp;

  let failsInRow = 0;
  let lastReplyMs = Number.NEGATIVE_INFINITY;
  let smoothedMs = -1;
  let ednsAgainMs = Number.NEGATIVE_INFINITY;
  let down = false;
  let downSinceMs = 0;

  function noteReply(sentMs: number): void {
    lastReplyMs = clock.monotonicMs();
    const took = lastReplyMs - sentMs;
    smoothedMs = smoothedMs < 0 ? took : smoothedMs + (took - smoothedMs) / 8;
    counters.responses++;
    countLatency(counters, took);
    failsInRow = 0;
    if (down) setDown(false, 'it answers again');
  }

  function noteFailure(reason: string): void {
    counters.failures++;
    failsInRow++;
    if (!down && route.maxFails > 0 && failsInRow >= route.maxFails) setDown(true, reason);
    if (route.probe.intervalMs > 0 && probe.dueTick < 0) deadlines.add(probe, route.probe.intervalMs);
  }

  function setDown(value: boolean, reason: string): void {
    down = value;
    downSinceMs = clock.monotonicMs();
    counters.up = value ? 0 : 1;
    counters.reason = reason;
  }

  /** Sends over one transport; TC and FORMERR may lead to a second sending. */
  function send(transport: Transport, question: ForwardQuestion, edns: boolean, listener: AskListener): Cancellable {
    counters.requests++;
    const query = composeUpstreamQuery(question, edns, route.randomCase ? unpredictable : undefined);
    const sending = new Sending(query, route.randomCase, transport, question, edns, listener, clock.monotonicMs(), on);
    transport.send(sending);
    return sending;
  }

  const on: SendingEvents = {
    replied(sending, message) {
      const { transport, question, edns, listener } = sending;
      noteReply(sending.sentMs);
      if (isTruncated(message) && transport === udp) sending.second = send(stream, question, edns, listener);
      else if (edns && saysCannotRead(message))
        sending.second = send(transport, question, false, withoutEdns(listener));
      else listener.replied(message);
    },
    failed({ listener }, reason) {
      if (reason !== TOO_BUSY && reason !== BUG) noteFailure(reason);
      listener.failed(reason);
    },
    bug: deps.bug,
  };

  /** RFC 6891 section 7: where it only understands plain queries, it gets those from now on, for a while. */
  function withoutEdns(listener: AskListener): AskListener {
    return {
      failed: (reason) => listener.failed(reason),
      replied(message) {
        if (!saysCannotRead(message)) ednsAgainMs = clock.monotonicMs() + NO_EDNS_MS;
        listener.replied(message);
      },
    };
  }

  const probeQuestion = plainQuestion(parseName(route.probe.name), TYPE.NS, route.probe.recursionDesired);
  const probe = deadline(() => {
    const tooLate = deadline(() => {
      probing.cancel();
      counters.healthCheckFailures++;
      noteFailure('health check timed out');
    });
    deadlines.add(tooLate, route.probe.timeoutMs);
    const probing = send(first, probeQuestion, clock.monotonicMs() >= ednsAgainMs, {
      replied: () => deadlines.remove(tooLate),
      failed: () => {
        deadlines.remove(tooLate);
        counters.healthCheckFailures++;
      },
    });
  });

  return {
    label,
    counters,
    isDown: () => down && (route.probe.intervalMs > 0 || clock.monotonicMs() - downSinceMs < HOLD_DOWN_MS),
    send: (question, listener) => send(first, question, clock.monotonicMs() >= ednsAgainMs, listener),
    patienceMs: () =>
      smoothedMs < 0
        ? route.attemptTimeoutMs
        : Math.min(route.attemptTimeoutMs, Math.max(MIN_PATIENCE_MS, 4 * smoothedMs + 100)),
    noteTimeout(sentMs) {
      // A server that answered another question since is alive, and slow for this name only.
      if (lastReplyMs >= sentMs) counters.failures++;
      else noteFailure('no reply in time');
    },
    sockets: () => udp.open() + stream.open(),
    close() {
      deadlines.remove(probe);
      udp.close();
      stream.close();
    },
  };
}

interface SendingEvents {
  replied(sending: Sending, message: Uint8Array): void;
  failed(sending: Sending, reason: string): void;
  bug(error: Error): void;
}

/** A class, not closures: thousands of these wait at a time, and what each of them keeps alive is copied by every scavenge. */
class Sending implements Attempt, Cancellable {
  via: object | undefined = undefined;
  /** What followed it over another transport or without EDNS. */
  second: Cancellable | undefined = undefined;

  readonly query: Uint8Array;
  readonly exactSpelling: boolean;
  readonly transport: Transport;
  readonly question: ForwardQuestion;
  readonly edns: boolean;
  readonly listener: AskListener;
  readonly sentMs: number;
  private readonly on: SendingEvents;

  constructor(
    query: Uint8Array,
    exactSpelling: boolean,
    transport: Transport,
    question: ForwardQuestion,
    edns: boolean,
    listener: AskListener,
    sentMs: number,
    on: SendingEvents,
  ) {
    this.query = query;
    this.exactSpelling = exactSpelling;
    this.transport = transport;
    this.question = question;
    this.edns = edns;
    this.listener = listener;
    this.sentMs = sentMs;
    this.on = on;
  }

  replied(message: Uint8Array): void {
    try {
      this.on.replied(this, message);
    } catch (error) {
      this.on.bug(error as Error);
      this.failed(BUG);
    }
  }

  /** Transports call it in loops and from sockets' events: what it throws would end the thread, and all answers with it. */
  failed(reason: string): void {
    try {
      this.on.failed(this, reason);
    } catch (error) {
      this.on.bug(error as Error);
    }
  }

  cancel(): void {
    this.transport.cancel(this);
    this.second?.cancel();
  }
}

export function upstreamLabel(settings: UpstreamSettings): string {
  const host = settings.address.includes(':') ? `[${settings.address}]` : settings.address;
  return `${settings.tls === undefined ? '' : 'tls://'}${host}:${settings.port}`;
}
