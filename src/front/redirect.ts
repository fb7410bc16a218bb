// Aliases in an answer that lead to another target: CoreDNS's `rewrite cname`.
import { composeTruncating, parseMessage } from '../dns/message/message.ts';
import { lowerCased, type WireName } from '../dns/name.ts';
import { TYPE } from '../dns/types.ts';

export interface Redirected {
  /** How many records of the answer come before the alias. */
  readonly at: number;
  readonly target: WireName;
}

/** The first alias of the answer for whose target one of the functions has another. */
export function redirectedAlias(
  response: Uint8Array,
  targets: readonly ((target: WireName) => WireName | undefined)[],
): Redirected | undefined {
  const { answers } = parseMessage(response);
  for (const [at, { type, rdata }] of answers.entries()) {
    const target = type === TYPE.CNAME ? targets.map((of) => of(lowerCased(rdata))).find(Boolean) : undefined;
    if (target !== undefined) return { at, target };
  }
  return undefined;
}

/** The answer up to the alias, which leads to its new target, and what was found there. */
export function withRest(response: Uint8Array, { at, target }: Redirected, rest: Uint8Array): Uint8Array {
  const message = parseMessage(response);
  const found = parseMessage(rest);
  const alias = { ...message.answers[at], rdata: target };
  return composeTruncating({
    ...found,
    id: message.id,
    questions: message.questions,
    answers: [...message.answers.slice(0, at), alias, ...found.answers],
  });
}
