// From a question to what may be answered: the route's upstreams, then the rest of a chain of CNAMEs that they left open.
import type { Clock } from '../../clock.ts';
import { MAX_CNAME_CHAIN } from '../../dns/limits.ts';
import type { WireName } from '../../dns/name.ts';
import { sameName } from '../../dns/name.ts';
import { EDE, RCODE, TYPE } from '../../dns/types.ts';
import type { TargetRecord } from '../forwarder.ts';
import { type Dns64, MAX_TTL_SECONDS } from '../local/dns64.ts';
import { stated } from '../local/hosts.ts';
import type { Judged } from './judge.ts';
import { type LookupDeps, lookUp, type Outcome } from './lookup.ts';
import type { ForwardQuestion } from './question.ts';
import type { Route } from './route.ts';

export interface FindDeps extends LookupDeps {
  readonly clock: Clock;
  routeOf(name: WireName): Route | undefined;
  ourRecords(name: WireName, type: number): readonly TargetRecord[] | undefined;
  readonly dns64: Dns64 | undefined;
  /** What is stated by hand. */
  local(question: ForwardQuestion): Judged | undefined;
}

/** Calls `done` once, within the deadline of the first name's route. Returns what stops it. */
export function findAnswer(question: ForwardQuestion, deps: FindDeps, done: (outcome: Outcome) => void): () => void {
  const route = deps.routeOf(question.name);
  if (route === undefined) {
    done({ kind: 'failed', ede: EDE.NOT_AUTHORITATIVE });
    return () => {};
  }
  const endMs = deps.clock.monotonicMs() + route.settings.deadlineMs;
  const { dns64 } = deps;
  const ipv4Name = dns64?.reverseOf(question);
  if (ipv4Name !== undefined) return findReverse(question, ipv4Name, endMs, deps, done);
  if (dns64 === undefined || question.type !== TYPE.AAAA) return findFrom(question, undefined, 0, endMs, deps, done);
  let stopSecond = () => {};
  const stopFirst = findFrom(question, undefined, 0, endMs, deps, (aaaa) => {
    const judgedAaaa = aaaa.kind === 'answer' ? aaaa.judged : undefined;
    if (!dns64.applies(question, judgedAaaa)) return done(aaaa);
    stopSecond = findFrom({ ...question, type: TYPE.A }, undefined, 0, endMs, deps, (a) => {
      const judged = a.kind === 'answer' ? dns64.synthesize(judgedAaaa, a.judged) : undefined;
      done(judged === undefined ? aaaa : { kind: 'answer', judged });
    });
  });
  return () => {
    stopFirst();
    stopSecond();
  };
}

/** A PTR question about a DNS64 address: an alias of the name of the IPv4 address, and what is known there. */
function findReverse(
  question: ForwardQuestion,
  ipv4Name: WireName,
  endMs: number,
  deps: FindDeps,
  done: (outcome: Outcome) => void,
): () => void {
  const alias = { name: question.name, type: TYPE.CNAME, class: 1, ttl: MAX_TTL_SECONDS, rdata: ipv4Name };
  const before: Judged = { ...stated(question, [], 0), answers: [alias], finalName: ipv4Name };
  const rest = { ...question, name: ipv4Name };
  if (deps.rules.isOurs(ipv4Name)) {
    done({ kind: 'answer', judged: withOurs(before, question.type, deps) });
    return () => {};
  }
  const local = deps.local(rest);
  if (local === undefined) return findFrom(rest, before, 1, endMs, deps, done);
  done({ kind: 'answer', judged: joined(before, local) });
  return () => {};
}

function findFrom(
  question: ForwardQuestion,
  before: Judged | undefined,
  followed: number,
  endMs: number,
  deps: FindDeps,
  done: (outcome: Outcome) => void,
): () => void {
  const route = deps.routeOf(question.name);
  const leftMs = endMs - deps.clock.monotonicMs();
  const stopped = (outcome: Outcome) => {
    done(outcome);
    return () => {};
  };
  // An alias without what it leads to says that there is nothing, which is not known.
  if (followed > MAX_CNAME_CHAIN || (before !== undefined && leadsBack(before)))
    return stopped({ kind: 'failed', ede: EDE.INVALID_DATA });
  if (leftMs <= 0) return stopped({ kind: 'failed', ede: EDE.NO_REACHABLE_AUTHORITY });
  // Nobody is asked for that name: the client sees how far we came.
  if (route === undefined)
    return stopped(before === undefined ? { kind: 'failed', ede: EDE.OTHER } : { kind: 'answer', judged: before });
  let stopRest = () => {};
  const first = lookUp(question, route, leftMs, deps, (outcome) => {
    if (outcome.kind === 'failed') return done(outcome);
    const judged = before === undefined ? outcome.judged : joined(before, outcome.judged);
    if (judged.endsInOurs) return done({ kind: 'answer', judged: withOurs(judged, question.type, deps) });
    if (!isOpenChain(outcome.judged, question)) return done({ kind: 'answer', judged });
    stopRest = findFrom({ ...question, name: judged.finalName }, judged, followed + 1, endMs, deps, done);
  });
  return () => {
    first.stop();
    stopRest();
  };
}

/** CNAMEs, but neither records at their end nor a SOA that says there are none: an authoritative upstream's answer. */
function isOpenChain(judged: Judged, question: ForwardQuestion): boolean {
  return (
    question.recursionDesired &&
    judged.rcode === RCODE.NOERROR &&
    !judged.hasData &&
    judged.answers.length > 0 &&
    !judged.authority.some((record) => record.type === TYPE.SOA)
  );
}

/** The chain ends at a name that it came by. */
function leadsBack({ answers, finalName }: Judged): boolean {
  return answers.some((record) => record.type === TYPE.CNAME && sameName(record.name, finalName));
}

function joined(before: Judged, rest: Judged): Judged {
  return {
    ...rest,
    authentic: before.authentic && rest.authentic,
    answers: [...before.answers, ...rest.answers],
    ttlSeconds: Math.min(smallestTtl(before), rest.ttlSeconds),
  };
}

function smallestTtl(judged: Judged): number {
  return judged.answers.reduce((smallest, record) => Math.min(smallest, record.ttl), Number.POSITIVE_INFINITY);
}

/** Our own records are said as they are now, and never kept (TTL 0 of the whole). */
function withOurs(judged: Judged, type: number, deps: FindDeps): Judged {
  const found = deps.ourRecords(judged.finalName, type);
  const ours = (found ?? []).map((record) => ({
    name: record.name,
    type: record.type,
    class: 1,
    ttl: record.ttlSeconds,
    rdata: record.rdata,
  }));
  return {
    ...judged,
    // What is not known now must not look as if it were not there.
    rcode: found === undefined ? RCODE.SERVFAIL : judged.rcode,
    authentic: false,
    answers: [...judged.answers, ...ours],
    hasData: ours.length > 0,
    ttlSeconds: 0,
  };
}
