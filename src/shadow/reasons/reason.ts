import type { Answer } from '../answers/answer.ts';
import type { Question } from '../answers/question.ts';
import type { Names } from '../cluster/names.ts';
import type { PodMode, World } from '../cluster/world.ts';

export interface Pair {
  readonly coreDns: Answer;
  readonly healthdns: Answer;
}

export interface Case extends Pair {
  readonly question: Question;
  /** Lower case. */
  readonly name: string;
  readonly type: string;
  readonly world: World;
  readonly names: Names;
  readonly pods: PodMode;
  /** Sends another question to one of the servers. */
  ask(server: keyof Pair, question: Question): Promise<Answer>;
}

/**
 * A documented difference, by its id in docs/differences-from-coredns.md. Only where it applies, it rewrites one
 * side into the form of the other; two answers are explained when they are equal after all reasons that applied.
 * undefined where it does not apply.
 */
export interface Reason {
  readonly id: string;
  /** The correct answer depends on which instances are alive. */
  readonly isHealth?: boolean;
  rewrite(found: Case): Partial<Pair> | undefined | Promise<Partial<Pair> | undefined>;
}

/** NOERROR without answers (RFC 2308 section 2.2). */
export const isNodata = ({ rcode, answers }: Answer): boolean => rcode === 'NOERROR' && answers.length === 0;
export const isNxdomain = ({ rcode, answers }: Answer): boolean => rcode === 'NXDOMAIN' && answers.length === 0;

/** The answer without records, with the other's SOA. */
export function withoutRecords(answer: Answer, rcode: string, { authorities }: Answer): Answer {
  const flags = answer.flags.replace(' tc', '');
  return { ...answer, rcode, flags, answers: [], additionals: [], authorities };
}
