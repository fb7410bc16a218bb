// Every name with every type over UDP and TCP, with and without EDNS, and how many differences have which reason.
import type { Question, Way } from '../../../src/shadow/answers/question.ts';
import type { PodMode, World } from '../../../src/shadow/cluster/world.ts';
import { compareAnswers, type Difference } from '../../../src/shadow/compare.ts';
import type { DnsServer } from './servers.ts';

export interface Outcome {
  readonly questions: number;
  /** How many questions each documented reason explains, alone or with others. */
  readonly byReason: Map<string, number>;
  readonly unexplained: Difference[];
}

const EDNS = { udpBytes: 1232, dnssecOk: false };

export const WAYS: readonly Way[] = [
  { transport: 'udp', edns: EDNS },
  { transport: 'udp' },
  { transport: 'tcp', edns: EDNS },
  { transport: 'tcp' },
];

const CHUNK = 20_000;

export interface Comparison {
  readonly coreDns: DnsServer;
  readonly healthdns: DnsServer;
  readonly world: World;
  readonly pods: PodMode;
  readonly names: readonly string[];
  readonly types: readonly string[];
  /** Which of the four ways a question is asked. */
  readonly ways: (index: number) => readonly Way[];
}

export async function compare(comparison: Comparison): Promise<Outcome> {
  const outcome: Outcome = { questions: 0, byReason: new Map(), unexplained: [] };
  const pairs = comparison.names.flatMap((name) => comparison.types.map((type) => ({ name, type })));
  const questions: Question[] = pairs.flatMap((pair, index) => comparison.ways(index).map((way) => ({ ...pair, way })));
  for (let from = 0; from < questions.length; from += CHUNK) {
    const chunk = questions.slice(from, from + CHUNK);
    for (const difference of await compareAnswers(chunk, comparison)) count(difference, outcome);
  }
  return { ...outcome, questions: questions.length };
}

function count(difference: Difference, { byReason, unexplained }: Outcome): void {
  if (difference.reasons === undefined) unexplained.push(difference);
  for (const reason of difference.reasons ?? []) byReason.set(reason, (byReason.get(reason) ?? 0) + 1);
}
