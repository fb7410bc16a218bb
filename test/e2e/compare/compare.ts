// The same questions to both, and what became of them.
import { composeMessage } from '../../../src/dns/message/message.ts';
import { parseNameKeepingCase } from '../../../src/dns/name.ts';
import { CLASS, FLAG, TYPE } from '../../../src/dns/types.ts';
import { type Answer, comparable, parseAnswer, sameAnswer } from './answer.ts';
import { askAll, WAYS, type Way } from './ask.ts';
import { namesOf } from './names.ts';
import { explain } from './reasons/explain.ts';
import type { Pair, Question } from './reasons/reason.ts';
import type { DnsServer, PodMode } from './servers.ts';
import type { World } from './world.ts';

export interface Outcome {
  readonly questions: number;
  /** How many questions each documented reason explains, alone or with others. */
  readonly byReason: Map<string, number>;
  readonly unexplained: Unexplained[];
}

export interface Unexplained {
  readonly question: Question;
  readonly coreDns: Answer | undefined;
  readonly healthdns: Answer | undefined;
  /** What is left of both after the reasons that applied. */
  readonly left?: readonly [Answer, Answer];
}

const CHUNK = 20_000;
const EDNS = { version: 0, udpBytes: 1232, dnssecOk: false, options: [] };

export interface Comparison {
  readonly coreDns: DnsServer;
  readonly healthdns: DnsServer;
  readonly world: World;
  readonly pods: PodMode;
  readonly names: readonly string[];
  readonly types: readonly string[];
  /** Which of the four ways a question is asked; all by default. */
  readonly ways?: (index: number) => readonly Way[];
}

export async function compare(comparison: Comparison): Promise<Outcome> {
  const outcome: Outcome = { questions: 0, byReason: new Map(), unexplained: [] };
  const questions = comparison.names.flatMap((name) => comparison.types.map((type) => ({ name, type })));
  for (const way of WAYS) {
    const asked = questions.filter((_, index) => comparison.ways?.(index).includes(way) ?? true);
    for (let from = 0; from < asked.length; from += CHUNK) {
      const chunk = asked.slice(from, from + CHUNK).map((question) => ({ ...question, way }));
      await compareChunk(comparison, chunk, way, outcome);
    }
  }
  return { ...outcome, questions: outcome.questions };
}

async function compareChunk(
  comparison: Comparison,
  questions: readonly Question[],
  way: Way,
  outcome: { questions: number } & Omit<Outcome, 'questions'>,
): Promise<void> {
  const theirs: (Buffer | undefined)[] = [];
  const ours: (Buffer | undefined)[] = [];
  await Promise.all([
    askAll(comparison.coreDns.port, way.transport, questions.map(query), (index, reply) => {
      theirs[index] = reply;
    }),
    askAll(comparison.healthdns.port, way.transport, questions.map(query), (index, reply) => {
      ours[index] = reply;
    }),
  ]);
  for (const [index, question] of questions.entries()) {
    outcome.questions++;
    const [one, other] = [theirs[index], ours[index]];
    const queryEnd = query(question).length - (way.edns ? OPT_BYTES : 0);
    if (one !== undefined && other !== undefined && comparable(one, queryEnd) === comparable(other, queryEnd)) continue;
    await judge(question, one && parseAnswer(one), other && parseAnswer(other), comparison, outcome);
  }
}

async function judge(
  question: Question,
  coreDns: Answer | undefined,
  healthdns: Answer | undefined,
  comparison: Comparison,
  { byReason, unexplained }: Pick<Outcome, 'byReason' | 'unexplained'>,
): Promise<void> {
  if (coreDns === undefined || healthdns === undefined) {
    unexplained.push({ question, coreDns, healthdns });
    return;
  }
  const { world, pods } = comparison;
  const ask = (server: keyof Pair, other: Question) => askOne(comparison[server], other);
  const name = question.name.toLowerCase();
  const names = namesOf(world, pods);
  const explained = await explain({ question, name, type: question.type, coreDns, healthdns, world, names, pods, ask });
  if (!sameAnswer(explained.coreDns, explained.healthdns)) {
    unexplained.push({ question, coreDns, healthdns, left: [explained.coreDns, explained.healthdns] });
    return;
  }
  for (const reason of new Set(explained.reasons)) byReason.set(reason, (byReason.get(reason) ?? 0) + 1);
}

async function askOne({ name, port }: DnsServer, question: Question): Promise<Answer> {
  let answer: Answer | undefined;
  await askAll(port, question.way.transport, [query(question)], (_, reply) => {
    answer = reply && parseAnswer(reply);
  });
  if (answer === undefined) throw new Error(`${name} does not answer ${question.name} ${question.type}`);
  return answer;
}

/** Root, type, class, TTL, length. */
const OPT_BYTES = 11;

function query({ name, type, way }: Question): Buffer {
  const question = { name: parseNameKeepingCase(name), type: TYPE[type as keyof typeof TYPE], class: CLASS.IN };
  return Buffer.from(composeMessage({ flags: FLAG.RD, questions: [question], ...(way.edns && { edns: EDNS }) }));
}
