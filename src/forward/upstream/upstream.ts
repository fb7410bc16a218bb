// One upstream server: how it is reached, whether it is alive, how fast it answers.
import type { Clock } from '../../clock.ts';
import { parseName } from '../../dns/name.ts';
import { TYPE } from '../../dns/types.ts';
import type { OpenSocket } from '../../native/connected-datagram.ts';
import type { RouteSettings, UpstreamSettings } from '../../plane/forward-settings.ts';
import { countReply, createUpstreamCounters, type UpstreamCounters } from '../../plane/forward-statistics.ts';
import { type Attempt, isNotToBlame, type Transport } from './attempt.ts';
import { type Deadlines, deadline, NOT_WAITING } from './deadlines.ts';
import { composeUpstreamQuery, isTruncated, saysCannotRead } from './exchange.ts';
import { type ForwardQuestion, plainQuestion } from './question.ts';
import { STREAM_DEFAULTS, StreamTransport } from './stream.ts';
import { UDP_DEFAULTS, UdpTransport } from './udp.ts';
import type { Unpredictable } from './unpredictable.ts';

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
  /** Another way to reach this server, which is opened and closed elsewhere; undefined: as its settings say. */
  transportTo?(settings: UpstreamSettings): Transport | undefined;
  /** An exception while a reply or a failure was handled. */
  bug(error: Error): void;
}

/** How long a server that does not understand EDNS is asked without it. */
const NO_EDNS_MS = 300_000;
/** The first round of attempts in which queries may go without EDNS. */
const PLAIN_ROUND = 2;
const EDNS_PROBE_MS = 1000;
/** Without probes only a query can show that it is back. */
const HOLD_DOWN_MS = 10_000;
const MIN_PATIENCE_MS = 200;
/** As in Unbound. */
const UNMEASURED_PATIENCE_MS = 376;
const TIMED_OUT = 'health check timed out';
/** The reason when handling a reply threw. */
const BUG = 'internal error';

export class Upstream {
  /** "1.1.1.1:53" or "tls://1.1.1.1:853". */
  readonly label: string;
  readonly counters: UpstreamCounters;
  private readonly route: RouteSettings;
  private readonly deps: UpstreamDeps;
  private readonly stream: StreamTransport;
  private readonly udp: UdpTransport;
  /** The transport that questions are sent over first. */
  private readonly first: Transport;
  private readonly probe = deadline(() => this.sendProbe());
  private failsInRow = 0;
  private lastReplyMs = Number.NEGATIVE_INFINITY;
  private smoothedMs = -1;
  /** A query with EDNS has been answered: missing replies are not caused by EDNS. */
  private knowsEdns = false;
  private ednsAgainMs = Number.NEGATIVE_INFINITY;
  private readonly ednsProbe = deadline(() => this.sendEdnsProbe());
  private down = false;
  private downSinceMs = 0;

  constructor(settings: UpstreamSettings, route: RouteSettings, deps: UpstreamDeps) {
    const { deadlines, unpredictable, openSocket } = deps;
    this.label = upstreamLabel(settings);
    this.counters = createUpstreamCounters(this.label, route.zone);
    this.route = route;
    this.deps = deps;
    const counters = {
      ignored: () => void this.counters.ignored++,
      socketOpened: () => void this.counters.socketsOpened++,
    };
    const streamCounters = {
      ...counters,
      socketOpened: () => {
        this.counters.socketsOpened++;
        this.counters.streamSocketsOpened++;
      },
    };
    const streamSettings = { ...settings, ...STREAM_DEFAULTS, idleMs: route.idleMs };
    this.stream = new StreamTransport(streamSettings, deadlines, unpredictable, streamCounters);
    this.udp = new UdpTransport({ ...settings, ...UDP_DEFAULTS }, deadlines, unpredictable, counters, openSocket);
    const usual = settings.tls !== undefined || route.forceTcp ? this.stream : this.udp;
    this.first = deps.transportTo?.(settings) ?? usual;
  }

  /** Failed so often that it is asked only if all others are down, too. */
  isDown(): boolean {
    if (!this.down) return false;
    return this.route.probe.intervalMs > 0 || this.deps.clock.monotonicMs() - this.downSinceMs < HOLD_DOWN_MS;
  }

  /**
   * Sends the question, in the `round`th round of attempts. The listener may be called before it returns, and is not called
   * after `cancel`. Some servers and firewalls drop queries with EDNS: where none was ever answered, some go without.
   */
  send(question: ForwardQuestion, round: number, listener: AskListener): Cancellable {
    const edns = this.deps.clock.monotonicMs() >= this.ednsAgainMs;
    if (!edns || this.knowsEdns || round < PLAIN_ROUND || round % 2 !== 0)
      return this.sendOver(this.first, question, edns, listener);
    return this.sendOver(this.first, question, false, {
      failed: (reason) => listener.failed(reason),
      replied: (message) => {
        if (!this.knowsEdns) this.doWithoutEdns();
        listener.replied(message);
      },
    });
  }

  /**
   * How long to wait for a reply before the question is sent again, here or elsewhere; twice as long in each `round` of
   * attempts. TCP retransmits by itself.
   */
  patienceMs(round: number): number {
    const { attemptTimeoutMs } = this.route;
    if (this.first === this.stream) return attemptTimeoutMs * 2 ** round;
    const first = this.smoothedMs < 0 ? UNMEASURED_PATIENCE_MS : Math.max(MIN_PATIENCE_MS, 4 * this.smoothedMs + 100);
    return Math.min(attemptTimeoutMs, first * 2 ** round);
  }

  /** No reply came in time to a question sent at `sentMs`. */
  noteTimeout(sentMs: number): void {
    // A server that answered another question since is alive, and slow for this name only.
    if (this.lastReplyMs >= sentMs) this.countFailure('no reply in time');
    else this.noteFailure('no reply in time');
  }

  sockets(): number {
    return this.udp.open() + this.stream.open();
  }

  close(): void {
    this.deps.deadlines.remove(this.probe);
    this.deps.deadlines.remove(this.ednsProbe);
    this.udp.close();
    this.stream.close();
  }

  /** TC and FORMERR may lead to a second sending. */
  private sendOver(transport: Transport, question: ForwardQuestion, edns: boolean, listener: AskListener): Sending {
    const { randomCase } = this.route;
    const { clock, unpredictable } = this.deps;
    this.counters.requests++;
    if (transport === this.stream) this.counters.streamRequests++;
    const query = composeUpstreamQuery(question, edns, randomCase ? unpredictable : undefined);
    const sending = new Sending(this, query, randomCase, transport, question, edns, listener, clock.monotonicMs());
    transport.send(sending);
    return sending;
  }

  /** For Sending. */
  handleReply(sending: Sending, message: Uint8Array): void {
    const { transport, question, edns, listener } = sending;
    this.noteReply(sending.sentMs, message[3] & 15);
    if (edns && !saysCannotRead(message)) this.knowsEdns = true;
    if (isTruncated(message) && transport === this.udp)
      sending.second = this.sendOver(this.stream, question, edns, listener);
    else if (edns && saysCannotRead(message))
      sending.second = this.sendOver(transport, question, false, this.withoutEdns(listener));
    else listener.replied(message);
  }

  /** For Sending. */
  handleFailure({ listener }: Sending, reason: string): void {
    if (!isNotToBlame(reason) && reason !== BUG) this.noteFailure(reason);
    listener.failed(reason);
  }

  /** For Sending: an exception while a reply or a failure was handled. */
  reportBug(error: Error): void {
    this.deps.bug(error);
  }

  /** RFC 6891 section 7: a server that understands only plain queries gets those from now on, for a while. */
  private withoutEdns(listener: AskListener): AskListener {
    return {
      failed: (reason) => listener.failed(reason),
      replied: (message) => {
        if (!saysCannotRead(message)) this.ednsAgainMs = this.deps.clock.monotonicMs() + NO_EDNS_MS;
        listener.replied(message);
      },
    };
  }

  /** It may have been an outage that ended: one query with EDNS shows it. */
  private doWithoutEdns(): void {
    this.ednsAgainMs = this.deps.clock.monotonicMs() + NO_EDNS_MS;
    this.deps.deadlines.add(this.ednsProbe, EDNS_PROBE_MS);
  }

  private sendEdnsProbe(): void {
    this.ask(true, {
      replied: (message) => {
        if (!saysCannotRead(message)) this.ednsAgainMs = Number.NEGATIVE_INFINITY;
      },
      failed: () => {},
    });
  }

  /** Sends the probe's question. `failed` also gets TIMED_OUT. */
  private ask(edns: boolean, listener: AskListener): void {
    const { deadlines } = this.deps;
    const { name, recursionDesired, timeoutMs } = this.route.probe;
    const tooLate = deadline(() => {
      asking.cancel();
      listener.failed(TIMED_OUT);
    });
    deadlines.add(tooLate, timeoutMs);
    const asking = this.sendOver(this.first, plainQuestion(parseName(name), TYPE.NS, recursionDesired), edns, {
      replied(message) {
        deadlines.remove(tooLate);
        listener.replied(message);
      },
      failed(reason) {
        deadlines.remove(tooLate);
        listener.failed(reason);
      },
    });
  }

  private noteReply(sentMs: number, rcode: number): void {
    this.lastReplyMs = this.deps.clock.monotonicMs();
    const took = this.lastReplyMs - sentMs;
    this.smoothedMs = this.smoothedMs < 0 ? took : this.smoothedMs + (took - this.smoothedMs) / 8;
    countReply(this.counters, rcode, took);
    this.failsInRow = 0;
    if (this.down) this.setDown(false, 'it answers again');
  }

  private noteFailure(reason: string): void {
    const { maxFails, probe } = this.route;
    this.countFailure(reason);
    this.failsInRow++;
    if (!this.down && maxFails > 0 && this.failsInRow >= maxFails) this.setDown(true, reason);
    if (probe.intervalMs > 0 && this.probe.dueTick === NOT_WAITING)
      this.deps.deadlines.add(this.probe, probe.intervalMs);
  }

  private countFailure(reason: string): void {
    const { counters } = this;
    counters.failures++;
    counters.lastError = reason;
    counters.lastErrorMs = this.deps.clock.now();
  }

  private setDown(value: boolean, reason: string): void {
    this.down = value;
    this.downSinceMs = this.deps.clock.monotonicMs();
    this.counters.up = value ? 0 : 1;
    this.counters.reason = reason;
    if (value) this.knowsEdns = false;
  }

  private sendProbe(): void {
    this.ask(this.deps.clock.monotonicMs() >= this.ednsAgainMs, {
      replied() {},
      failed: (reason) => {
        this.counters.healthCheckFailures++;
        if (reason === TIMED_OUT) this.noteFailure(reason);
      },
    });
  }
}

/**
 * A class, not closures: thousands of these wait at a time, and every scavenge copies what each keeps alive ("miss, 1,000
 * outstanding").
 */
class Sending implements Attempt, Cancellable {
  via: object | undefined = undefined;
  /** The second sending, over another transport or without EDNS. */
  second: Cancellable | undefined = undefined;

  readonly query: Uint8Array;
  readonly exactSpelling: boolean;
  readonly transport: Transport;
  readonly question: ForwardQuestion;
  readonly edns: boolean;
  readonly listener: AskListener;
  readonly sentMs: number;
  private readonly upstream: Upstream;

  constructor(
    upstream: Upstream,
    query: Uint8Array,
    exactSpelling: boolean,
    transport: Transport,
    question: ForwardQuestion,
    edns: boolean,
    listener: AskListener,
    sentMs: number,
  ) {
    this.upstream = upstream;
    this.query = query;
    this.exactSpelling = exactSpelling;
    this.transport = transport;
    this.question = question;
    this.edns = edns;
    this.listener = listener;
    this.sentMs = sentMs;
  }

  replied(message: Uint8Array): void {
    try {
      this.upstream.handleReply(this, message);
    } catch (error) {
      this.upstream.reportBug(error as Error);
      this.failed(BUG);
    }
  }

  /** Transports call it in loops and from sockets' events, where an exception would end the thread. */
  failed(reason: string): void {
    try {
      this.upstream.handleFailure(this, reason);
    } catch (error) {
      this.upstream.reportBug(error as Error);
    }
  }

  cancel(): void {
    this.transport.cancel(this);
    this.second?.cancel();
  }
}

export function upstreamLabel(settings: UpstreamSettings): string {
  const host = settings.address.includes(':') ? `[${settings.address}]` : settings.address;
  // One with a transport of its own has no port.
  return `${settings.tls === undefined ? '' : 'tls://'}${host}${settings.port === 0 ? '' : `:${settings.port}`}`;
}
