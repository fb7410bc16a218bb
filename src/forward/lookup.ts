// One question taken to a route's upstreams until one answers: the next is asked when one fails, or when its patience is
// over, and earlier ones may still answer until the deadline.
import type { Clock } from '../clock.ts';
import { EDE, RCODE } from '../dns/types.ts';
import { TOO_BUSY } from './attempt.ts';
import { type Deadlines, deadline } from './deadlines.ts';
import { type Judged, type JudgeRules, judgeReply, LameReply } from './judge.ts';
import type { ForwardQuestion } from './question.ts';
import { ReplyError } from './records.ts';
import type { Route } from './route.ts';
import type { Upstream } from './upstream.ts';

export type Outcome =
  | { readonly kind: 'answer'; readonly judged: Judged }
  /** What to tell the client beside SERVFAIL (RFC 8914). */
  | { readonly kind: 'failed'; readonly ede: number };

export interface LookupDeps {
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  readonly rules: JudgeRules;
  /** `bug` is set where it is not the reply that is wrong. */
  malformed(bug: Error | undefined): void;
}

interface Sent {
  readonly upstream: Upstream;
  readonly sentMs: number;
  cancel: () => void;
}

/** Calls `done` exactly once, at the latest after `deadlineMs`, unless the function it returns was called. */
export function lookUp(
  question: ForwardQuestion,
  route: Route,
  deadlineMs: number,
  deps: LookupDeps,
  done: (outcome: Outcome) => void,
): () => void {
  const { clock, deadlines } = deps;
  const order = route.order();
  const mostAttempts = order.length === 0 ? 0 : Math.max(order.length, route.settings.attempts);
  const waiting = new Set<Sent>();
  let attempts = 0;
  let finished = false;
  let ede: number = EDE.NO_REACHABLE_AUTHORITY;

  function stop(): void {
    finished = true;
    deadlines.remove(last);
    deadlines.remove(next);
    for (const sent of waiting) sent.cancel();
    waiting.clear();
  }

  function finish(outcome: Outcome): void {
    if (finished) return;
    stop();
    done(outcome);
  }

  function ask(): void {
    if (finished) return;
    if (attempts >= mostAttempts) {
      giveUp();
      return;
    }
    const upstream = order[attempts++ % order.length];
    const sent: Sent = { upstream, sentMs: clock.monotonicMs(), cancel: () => {} };
    waiting.add(sent);
    deadlines.add(next, upstream.patienceMs());
    let over = false;
    const cancel = upstream.ask(question, {
      replied(message) {
        waiting.delete(sent);
        judge(message);
      },
      failed(reason) {
        over = true;
        waiting.delete(sent);
        // Where nobody listens, or there is no room, nothing is better in the next moment.
        if (reason === 'ECONNREFUSED' || reason === TOO_BUSY) askAnother();
        else ask();
      },
    });
    sent.cancel = cancel;
    if (finished && !over) cancel();
  }

  /** After a reply that was no answer: the same server would say it again. */
  function askAnother(): void {
    if (attempts < order.length) ask();
    else giveUp();
  }

  /** Those that were asked already may still answer. */
  function giveUp(): void {
    deadlines.remove(next);
    if (waiting.size === 0) finish({ kind: 'failed', ede });
  }

  function judge(message: Uint8Array): void {
    let judged: Judged;
    try {
      judged = judgeReply(message, question, deps.rules);
    } catch (error) {
      // Nothing that a server sends may end the thread, not even through a mistake of ours.
      deps.malformed(error instanceof ReplyError || error instanceof LameReply ? undefined : (error as Error));
      ede = EDE.INVALID_DATA;
      askAnother();
      return;
    }
    if (isFinal(judged.rcode)) {
      finish({ kind: 'answer', judged });
      return;
    }
    ede = judged.ede >= 0 ? judged.ede : EDE.NETWORK_ERROR;
    askAnother();
  }

  const last = deadline(() => {
    for (const sent of waiting) sent.upstream.noteTimeout(sent.sentMs);
    finish({ kind: 'failed', ede });
  });
  const next = deadline(() => {
    // Said once for each attempt: the one that was to answer by now is the newest.
    const newest = [...waiting].at(-1);
    if (newest !== undefined && attempts < mostAttempts) newest.upstream.noteTimeout(newest.sentMs);
    ask();
  });
  deadlines.add(last, deadlineMs);
  ask();
  return stop;
}

/** Other RCODEs say that this server could not answer, not what the answer is. */
function isFinal(rcode: number): boolean {
  return rcode === RCODE.NOERROR || rcode === RCODE.NXDOMAIN || rcode === RCODE.YXDOMAIN;
}
