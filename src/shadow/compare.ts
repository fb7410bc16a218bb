// Sends the same questions to CoreDNS and healthdns: which answers differ, and for which documented reasons.
import type { ServerAddress } from '../query/exchange.ts';
import { type Answer, comparable, isTruncatedReply, parseAnswer, sameAnswer } from './answers/answer.ts';
import { askAll } from './answers/ask.ts';
import { composeQuery, type Question, questionEnd, type Way } from './answers/question.ts';
import { namesOf } from './cluster/names.ts';
import type { PodMode, World } from './cluster/world.ts';
import { explain, REASONS } from './reasons/explain.ts';
import type { Pair, Reason } from './reasons/reason.ts';

export interface Comparison {
  readonly coreDns: ServerAddress;
  readonly healthdns: ServerAddress;
  readonly world: World;
  readonly pods: PodMode;
  /** REASONS by default. */
  readonly reasons?: readonly Reason[];
  /** Questions a second to each server at most. */
  readonly perSecond?: number;
}

/** A question that the servers answer differently. */
export interface Difference {
  /** Its place in the list of questions. */
  readonly index: number;
  readonly question: Question;
  /** undefined: no reply, or none that can be read. */
  readonly coreDns: Answer | undefined;
  readonly healthdns: Answer | undefined;
  /** Ids of docs/differences-from-coredns.md that explain the whole difference; undefined: unexplained. */
  readonly reasons: readonly string[] | undefined;
  /** The remaining difference between both answers after all reasons have been applied; undefined: none. */
  readonly left?: readonly [Answer, Answer];
}

/** Rejects with SilentServer if a server no longer replies. */
export async function compareAnswers(questions: readonly Question[], comparison: Comparison): Promise<Difference[]> {
  const differences: Difference[] = [];
  for (const transport of ['udp', 'tcp'] as const) {
    const indices = questions.flatMap((question, index) => (question.way.transport === transport ? [index] : []));
    if (indices.length > 0) differences.push(...(await overTransport(transport, questions, indices, comparison)));
  }
  return differences.sort((a, b) => a.index - b.index);
}

async function overTransport(
  transport: Way['transport'],
  questions: readonly Question[],
  indices: readonly number[],
  comparison: Comparison,
): Promise<Difference[]> {
  const asked = indices.map((index) => questions[index]!);
  const queries = asked.map(composeQuery);
  const [theirs, ours] = await Promise.all(
    (['coreDns', 'healthdns'] as const).map((server) => repliesOf(comparison, server, transport, queries)),
  );
  const differences: Difference[] = [];
  for (const [at, question] of asked.entries()) {
    const [one, other] = [theirs![at], ours![at]];
    const end = questionEnd(queries[at]!, question.way);
    const isSame = one !== undefined && other !== undefined && sameReply(one, other, end);
    // The same beginning of an answer says nothing about the rest, which a client asks for over TCP.
    if (isSame && !(transport === 'udp' && isTruncatedReply(one))) continue;
    const difference = isSame
      ? (await compareAnswers([{ ...question, way: { ...question.way, transport: 'tcp' } }], comparison))[0]
      : await judge(question, one && readable(one), other && readable(other), comparison);
    if (difference !== undefined) differences.push({ ...difference, question, index: indices[at]! });
  }
  return differences;
}

async function repliesOf(
  comparison: Comparison,
  server: keyof Pair,
  transport: Way['transport'],
  queries: readonly Buffer[],
): Promise<(Buffer | undefined)[]> {
  const replies: (Buffer | undefined)[] = [];
  const asking = { server: comparison[server], transport, perSecond: comparison.perSecond };
  // The ids are written into the queries.
  const own = queries.map((query) => Buffer.from(query));
  await askAll(asking, own, (index, reply) => {
    replies[index] = reply;
  });
  return replies;
}

function sameReply(one: Buffer, other: Buffer, end: number): boolean {
  const [theirs, ours] = [comparable(one, end), comparable(other, end)];
  return theirs !== undefined && theirs === ours;
}

const readable = (reply: Buffer): Answer | undefined =>
  comparable(reply, 0) === undefined ? undefined : parseAnswer(reply);

async function judge(
  question: Question,
  coreDns: Answer | undefined,
  healthdns: Answer | undefined,
  comparison: Comparison,
): Promise<Omit<Difference, 'index'>> {
  if (coreDns === undefined || healthdns === undefined) {
    return { question, coreDns, healthdns, reasons: undefined };
  }
  const { world, pods, reasons = REASONS } = comparison;
  const ask = (server: keyof Pair, other: Question) => askOne(comparison, server, other);
  const name = question.name.toLowerCase();
  const names = namesOf(world, pods);
  const found = { question, name, type: question.type, coreDns, healthdns, world, names, pods, ask };
  const explained = await explain(found, reasons);
  if (!sameAnswer(explained.coreDns, explained.healthdns)) {
    const left = [explained.coreDns, explained.healthdns] as const;
    return { question, coreDns, healthdns, reasons: undefined, left };
  }
  return { question, coreDns, healthdns, reasons: [...new Set(explained.reasons)] };
}

/** Stands for a missing answer; no reason applies to it. */
const NO_REPLY: Answer = {
  rcode: 'no reply',
  flags: '',
  hasEdns: false,
  answers: [],
  authorities: [],
  additionals: [],
  bytes: 0,
};

async function askOne(comparison: Comparison, server: keyof Pair, question: Question): Promise<Answer> {
  const [reply] = await repliesOf(comparison, server, question.way.transport, [composeQuery(question)]);
  return (reply && readable(reply)) ?? NO_REPLY;
}
