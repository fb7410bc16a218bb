// From a question to its answer: the upstreams of its route, then the rest of a chain of CNAMEs that they left open, or the
// A records for an AAAA question (DNS64).
import type { Clock } from '../../clock.ts';
import { MAX_CNAME_CHAIN } from '../../dns/limits.ts';
import type { WireName } from '../../dns/name.ts';
import { sameName } from '../../dns/name.ts';
import { CLASS, EDE, RCODE, TYPE } from '../../dns/types.ts';
import { DNS64_TTL_SECONDS, type Dns64 } from '../local/dns64.ts';
import type { Answer } from '../upstream/answer.ts';
import { statedAnswer } from '../upstream/answer.ts';
import type { ForwardQuestion } from '../upstream/question.ts';
import { type AskDeps, askUpstreams, type Outcome } from './ask-upstreams.ts';
import type { Route } from './route.ts';
import type { OurAnswer, TargetRecord } from './target.ts';

export interface ResolverDeps extends AskDeps {
  readonly clock: Clock;
  routeOf(name: WireName): Route | undefined;
  /** The next route of the same zone. */
  routeAfter(route: Route, name: WireName): Route | undefined;
  /** What we answer for a name of ours; never cached. */
  ourAnswer(name: WireName, type: number): OurAnswer;
  readonly dns64: Dns64 | undefined;
  /** From hosts and templates. */
  localAnswer(question: ForwardQuestion): Answer | undefined;
}

type Done = (outcome: Outcome) => void;
type Stop = () => void;

const nothingToStop: Stop = () => {};

export class Resolver {
  private readonly deps: ResolverDeps;

  constructor(deps: ResolverDeps) {
    this.deps = deps;
  }

  /** Calls `done` once, within the deadline of the first name's route, perhaps before returning. Returns what stops it. */
  resolve(question: ForwardQuestion, done: Done): Stop {
    const { dns64, clock, routeOf } = this.deps;
    const route = routeOf(question.name);
    if (route === undefined) return stopped(done, { kind: 'failed', ede: EDE.NOT_AUTHORITATIVE, why: '' });
    const endMs = clock.monotonicMs() + route.settings.deadlineMs;
    const ipv4Name = dns64?.reverseOf(question);
    if (ipv4Name !== undefined) return this.resolveReverse(question, ipv4Name, endMs, done);
    if (dns64 !== undefined && question.type === TYPE.AAAA) return this.resolveIpv6(question, dns64, endMs, done);
    return this.resolveChain(question, undefined, 0, endMs, done);
  }

  /** An AAAA question, and the A question behind it where DNS64 applies. */
  private resolveIpv6(question: ForwardQuestion, dns64: Dns64, endMs: number, done: Done): Stop {
    let stopSecond = nothingToStop;
    const stopFirst = this.resolveChain(question, undefined, 0, endMs, (aaaa) => {
      const aaaaAnswer = aaaa.kind === 'answer' ? aaaa.answer : undefined;
      if (!dns64.applies(question, aaaaAnswer)) return done(aaaa);
      stopSecond = this.resolveChain({ ...question, type: TYPE.A }, undefined, 0, endMs, (a) => {
        const answer = a.kind === 'answer' ? dns64.synthesize(aaaaAnswer, a.answer) : undefined;
        done(answer === undefined ? aaaa : { kind: 'answer', answer });
      });
    });
    return () => {
      stopFirst();
      stopSecond();
    };
  }

  /** A PTR question about a DNS64 address: an alias of the IPv4 address's name, and the records there. */
  private resolveReverse(question: ForwardQuestion, ipv4Name: WireName, endMs: number, done: Done): Stop {
    const alias = { name: question.name, type: TYPE.CNAME, class: 1, ttlSeconds: DNS64_TTL_SECONDS, rdata: ipv4Name };
    const before: Answer = { ...statedAnswer(question, [], 0), answers: [alias], finalName: ipv4Name };
    const rest = { ...question, name: ipv4Name };
    if (this.deps.rules.isOurs(ipv4Name)) {
      return stopped(done, { kind: 'answer', answer: this.withOurs(before, question.type) });
    }
    const local = this.deps.localAnswer(rest);
    if (local === undefined) return this.resolveChain(rest, before, 1, endMs, done);
    return stopped(done, { kind: 'answer', answer: joined(before, local) });
  }

  /** `before` is the chain that led to the question's name, of `followed` replies. */
  private resolveChain(
    question: ForwardQuestion,
    before: Answer | undefined,
    followed: number,
    endMs: number,
    done: Done,
  ): Stop {
    const { deps } = this;
    const route = deps.routeOf(question.name);
    const leftMs = endMs - deps.clock.monotonicMs();
    // An alias without its target would mean that there are no records, which is not known.
    if (followed > MAX_CNAME_CHAIN || (before !== undefined && leadsBack(before)))
      return stopped(done, {
        kind: 'failed',
        ede: EDE.INVALID_DATA,
        why: 'the chain of CNAMEs is too long or a loop',
      });
    if (leftMs <= 0)
      return stopped(done, { kind: 'failed', ede: EDE.NO_REACHABLE_AUTHORITY, why: 'no time left to follow a CNAME' });
    // No upstream is asked for that name: the client gets the chain up to there.
    if (route === undefined)
      return stopped(
        done,
        before === undefined
          ? { kind: 'failed', ede: EDE.OTHER, why: 'nothing is forwarded there' }
          : { kind: 'answer', answer: before },
      );
    let stopRest = nothingToStop;
    const stopFirst = this.askRoutes(question, route, endMs, (outcome) => {
      if (outcome.kind === 'failed') return done(outcome);
      const answer = before === undefined ? outcome.answer : joined(before, outcome.answer);
      if (answer.endsInOurs) return done({ kind: 'answer', answer: this.withOurs(answer, question.type) });
      if (!isOpenChain(outcome.answer, question)) return done({ kind: 'answer', answer });
      stopRest = this.resolveChain({ ...question, name: answer.finalName }, answer, followed + 1, endMs, done);
    });
    return () => {
      stopFirst();
      stopRest();
    };
  }

  /** Asks the servers of the route, and those of the next route where its answer is one that another may better. */
  private askRoutes(question: ForwardQuestion, route: Route, endMs: number, done: Done): Stop {
    const { deps } = this;
    const leftMs = endMs - deps.clock.monotonicMs();
    const { next } = route.settings;
    if (next === undefined) return askUpstreams(question, route, leftMs, deps, done);
    let stopRest = nothingToStop;
    const stopFirst = askUpstreams(question, route, leftMs, deps, (outcome) => {
      const other = isToBeBettered(outcome, next) ? deps.routeAfter(route, question.name) : undefined;
      if (other === undefined || endMs <= deps.clock.monotonicMs()) return done(outcome);
      stopRest = this.askRoutes(question, other, endMs, done);
    });
    return () => {
      stopFirst();
      stopRest();
    };
  }

  /**
   * What we answer ourselves at the chain's end, now; the whole is never cached (TTL 0). The RCODE is that of the last name
   * (RFC 6604), and a negative answer has our SOA (RFC 2308).
   */
  private withOurs(answer: Answer, type: number): Answer {
    const ours = this.deps.ourAnswer(answer.finalName, type);
    const inClass = (record: TargetRecord) => ({ ...record, class: CLASS.IN });
    return {
      ...answer,
      rcode: ours.rcode,
      authentic: false,
      answers: [...answer.answers, ...ours.records.map(inClass)],
      authority: [...answer.authority, ...ours.authority.map(inClass)],
      hasData: ours.records.length > 0,
      ttlSeconds: 0,
    };
  }
}

function isToBeBettered(outcome: Outcome, next: NonNullable<Route['settings']['next']>): boolean {
  if (outcome.kind === 'failed') return next.includes('SERVFAIL');
  const { rcode, hasData } = outcome.answer;
  if (rcode === RCODE.NXDOMAIN) return next.includes('NXDOMAIN');
  return rcode === RCODE.NOERROR && !hasData && next.includes('NODATA');
}

function stopped(done: Done, outcome: Outcome): Stop {
  done(outcome);
  return nothingToStop;
}

/** CNAMEs, but neither records at their end nor a SOA that shows that there are none: an authoritative upstream's answer. */
function isOpenChain(answer: Answer, question: ForwardQuestion): boolean {
  return (
    question.recursionDesired &&
    answer.rcode === RCODE.NOERROR &&
    !answer.hasData &&
    answer.answers.length > 0 &&
    !answer.authority.some((record) => record.type === TYPE.SOA)
  );
}

/** The chain ends at a name that is already in it. */
function leadsBack({ answers, finalName }: Answer): boolean {
  return answers.some((record) => record.type === TYPE.CNAME && sameName(record.name, finalName));
}

function joined(before: Answer, rest: Answer): Answer {
  return {
    ...rest,
    authentic: before.authentic && rest.authentic,
    answers: [...before.answers, ...rest.answers],
    ttlSeconds: Math.min(smallestTtl(before), rest.ttlSeconds),
  };
}

function smallestTtl(answer: Answer): number {
  return answer.answers.reduce((smallest, record) => Math.min(smallest, record.ttlSeconds), Number.POSITIVE_INFINITY);
}
