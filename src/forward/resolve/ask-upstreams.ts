// One question put to the upstreams of a route until one answers: the next is asked when one fails or is slower than
// expected, and earlier ones may still answer until the deadline.
import type { Clock } from '../../clock.ts';
import { extraText } from '../../dns/extra-text.ts';
import { MessageError } from '../../dns/reader.ts';
import { EDE, RCODE, rcodeName } from '../../dns/types.ts';
import type { Answer } from '../upstream/answer.ts';
import { isNotToBlame, UNREADABLE } from '../upstream/attempt.ts';
import { type Deadline, type Deadlines, NOT_WAITING } from '../upstream/deadlines.ts';
import { type JudgeRules, judgeReply, LameReply } from '../upstream/judge.ts';
import type { ForwardQuestion } from '../upstream/question.ts';
import type { AskListener, Cancellable, Upstream } from '../upstream/upstream.ts';
import type { Route } from './route.ts';

export type Outcome = { readonly kind: 'answer'; readonly answer: Answer } | Failure;

export interface Failure {
  readonly kind: 'failed';
  /** The EDE info code sent with SERVFAIL (RFC 8914). */
  readonly ede: number;
  /** Its text; ASCII. */
  readonly why: string;
  /** The longest that the failure may be cached; undefined: as configured. */
  readonly maxSeconds?: number;
}

/** Every server was silent up to the deadline: the least that RFC 9520 section 3.2 permits, since it may end any time. */
const SILENCE_SECONDS = 1;

export interface AskDeps {
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  readonly rules: JudgeRules;
  /** `bug`: the failure is a bug of healthdns, not of the reply. */
  malformed(bug: Error | undefined): void;
}

const REFUSED = 'ECONNREFUSED';
const TIMED_OUT = 'timed out';

/** Calls `done` exactly once, at the latest after `deadlineMs`, unless it is stopped by what this returns. */
export function askUpstreams(
  question: ForwardQuestion,
  route: Route,
  deadlineMs: number,
  deps: AskDeps,
  done: (outcome: Outcome) => void,
): () => void {
  const inquiry = new Inquiry(question, route, deps.clock.monotonicMs() + deadlineMs, deps, done);
  inquiry.askNext();
  return () => inquiry.stop();
}

/**
 * A class, not closures: see Sending in upstream.ts. It waits for the next attempt or the deadline, whichever is first. As in
 * Unbound, attempts begin at what the server's round trip suggests and grow further apart, up to the deadline: a short
 * outage costs no more than the time between two attempts.
 */
class Inquiry implements Deadline {
  previous: Deadline | undefined = undefined;
  next: Deadline | undefined = undefined;
  dueTick = NOT_WAITING;
  private readonly order: readonly Upstream[];
  private readonly mostAttempts: number;
  private attempts = 0;
  private waiting: Sent[] = [];
  private finished = false;
  /** Servers that replied, but not with an answer: they would repeat it. */
  private spent: readonly Upstream[] = [];
  /** An incomplete answer, given if no server has all of it. */
  private partial: Answer | undefined = undefined;
  private ede: number = EDE.NO_REACHABLE_AUTHORITY;
  /** The server that failed last, and how. */
  private failing: Upstream | undefined = undefined;
  private failure = TIMED_OUT;

  private readonly question: ForwardQuestion;
  private readonly endMs: number;
  private readonly deps: AskDeps;
  private readonly done: (outcome: Outcome) => void;

  constructor(question: ForwardQuestion, route: Route, endMs: number, deps: AskDeps, done: (outcome: Outcome) => void) {
    this.question = question;
    this.endMs = endMs;
    this.deps = deps;
    this.done = done;
    this.order = route.order();
    this.mostAttempts = Math.max(this.order.length, route.settings.attempts);
  }

  stop(): void {
    this.finished = true;
    this.deps.deadlines.remove(this);
    for (const sent of this.waiting) sent.asking?.cancel();
    this.waiting = [];
  }

  askNext(): void {
    if (this.finished) return;
    const upstream = this.attempts < this.mostAttempts ? this.nextUpstream() : undefined;
    if (upstream === undefined) {
      // Those that were asked already may still answer.
      if (this.waiting.length === 0) this.fail(0);
      else this.waitFor(Number.POSITIVE_INFINITY);
      return;
    }
    const round = Math.floor(this.attempts++ / this.order.length);
    const sent = new Sent(this, upstream, this.deps.clock.monotonicMs());
    // Not push(): its first call makes room for seventeen.
    this.waiting = this.waiting.length === 0 ? [sent] : [...this.waiting, sent];
    this.waitFor(upstream.patienceMs(round));
    const asking = upstream.send(this.question, round, sent);
    sent.asking = asking;
    if (this.finished && !sent.over) asking.cancel();
  }

  replied(sent: Sent, message: Uint8Array): void {
    this.forget(sent);
    this.spent = [...this.spent, sent.upstream];
    this.failing = sent.upstream;
    let answer: Answer;
    try {
      answer = judgeReply(message, this.question, this.deps.rules);
    } catch (error) {
      // A reply must not end the thread, even through a bug here.
      this.deps.malformed(error instanceof MessageError || error instanceof LameReply ? undefined : (error as Error));
      this.failure = UNREADABLE;
      this.askAnother(EDE.INVALID_DATA);
      return;
    }
    if (answer.truncated) {
      // TC over TCP: another server may send all of it. Without any record it shows nothing about the name.
      if (answer.hasData) this.partial = answer;
      this.failure = 'sent an incomplete answer';
      this.askAnother(EDE.INVALID_DATA);
    } else if (isFinal(answer.rcode)) {
      this.finish({ kind: 'answer', answer });
    } else {
      this.failure = `answered ${rcodeName(answer.rcode)}`;
      this.askAnother(answer.ede >= 0 ? answer.ede : EDE.NETWORK_ERROR);
    }
  }

  failed(sent: Sent, reason: string): void {
    this.forget(sent);
    this.failing = sent.upstream;
    this.failure = reason;
    if (reason === UNREADABLE) {
      this.spent = [...this.spent, sent.upstream];
      this.askAnother(EDE.INVALID_DATA);
      return;
    }
    if (reason === REFUSED) this.forgetAllOf(sent.upstream);
    // Where nothing listens, or there is no room, the next moment will be no better; but a connection may just have ended.
    const most = reason === REFUSED || isNotToBlame(reason) ? this.order.length : 2 * this.order.length;
    if (this.attempts < most) this.askNext();
    else if (this.waiting.length === 0) this.fail(0);
  }

  expire(): void {
    const { clock } = this.deps;
    if (clock.monotonicMs() >= this.endMs) {
      for (const sent of this.waiting) {
        sent.noteTimeout();
        this.failing = sent.upstream;
        this.failure = TIMED_OUT;
      }
      this.fail(SILENCE_SECONDS);
      return;
    }
    // The newest is the one whose time is over.
    if (this.attempts < this.mostAttempts) this.waiting.at(-1)?.noteTimeout();
    this.askNext();
  }

  /** In turn, without those that are spent. */
  private nextUpstream(): Upstream | undefined {
    const { order, spent } = this;
    for (let i = 0; i < order.length; i++) {
      const upstream = order[(this.attempts + i) % order.length];
      if (!spent.includes(upstream)) return upstream;
    }
    return undefined;
  }

  /** After a reply that was not an answer. */
  private askAnother(ede: number): void {
    this.ede = ede;
    if (this.attempts < this.order.length || this.waiting.length === 0) this.askNext();
  }

  private waitFor(patienceMs: number): void {
    const leftMs = Math.max(0, this.endMs - this.deps.clock.monotonicMs());
    this.deps.deadlines.add(this, Math.min(patienceMs, leftMs));
  }

  private forget(sent: Sent): void {
    sent.over = true;
    this.waiting = this.waiting.filter((other) => other !== sent);
  }

  /** Nothing listens there: earlier attempts get no reply either. */
  private forgetAllOf(upstream: Upstream): void {
    const doomed = this.waiting.filter((sent) => sent.upstream === upstream);
    for (const sent of doomed) {
      this.forget(sent);
      sent.asking?.cancel();
    }
  }

  /** A failure without any reply is cached for `silenceSeconds` at most. */
  private fail(silenceSeconds: number): void {
    const { partial, spent, ede } = this;
    if (partial !== undefined) this.finish({ kind: 'answer', answer: partial });
    else if (spent.length > 0) this.finish({ kind: 'failed', ede, why: this.why() });
    else this.finish({ kind: 'failed', ede, why: this.why(), maxSeconds: silenceSeconds });
  }

  private why(): string {
    const { failing, failure, order } = this;
    if (failing === undefined) return order.length === 0 ? 'all upstreams are down' : '';
    const last = order.length > 1 ? ` (the last of ${order.length})` : '';
    return extraText(`upstream ${failing.label.replace(/:53$/, '')} ${failure}${last}`);
  }

  private finish(outcome: Outcome): void {
    if (this.finished) return;
    this.stop();
    this.done(outcome);
  }
}

/** One question to one server. */
class Sent implements AskListener {
  asking: Cancellable | undefined = undefined;
  over = false;
  private noted = false;

  private readonly inquiry: Inquiry;
  readonly upstream: Upstream;
  readonly sentMs: number;

  constructor(inquiry: Inquiry, upstream: Upstream, sentMs: number) {
    this.inquiry = inquiry;
    this.upstream = upstream;
    this.sentMs = sentMs;
  }

  /** Counts against the server once. */
  noteTimeout(): void {
    if (!this.noted) this.upstream.noteTimeout(this.sentMs);
    this.noted = true;
  }

  replied(message: Uint8Array): void {
    this.inquiry.replied(this, message);
  }

  failed(reason: string): void {
    this.inquiry.failed(this, reason);
  }
}

/** Other RCODEs mean that this server could not answer. */
function isFinal(rcode: number): boolean {
  return rcode === RCODE.NOERROR || rcode === RCODE.NXDOMAIN || rcode === RCODE.YXDOMAIN;
}
