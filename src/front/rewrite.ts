// Replaces queried names by others, and restores the names in answers, so that the client sees the name it queried.
import { composeMessage, type Message, parseMessage } from '../dns/message/message.ts';
import type { MessageRecord } from '../dns/message/record.ts';
import type { WireName } from '../dns/name.ts';
import { formatName, isSubdomain, NameError, parseName, sameName } from '../dns/name.ts';
import { compilePattern } from '../dns/pattern.ts';
import { FLAG } from '../dns/types.ts';
import type { RewriteRule } from '../plane/forward-settings.ts';

/** The name to ask for instead; undefined: no rule fits. `name` is lower case. */
export type Rewriter = (name: WireName) => WireName | undefined;

export function createRewriter(rules: readonly RewriteRule[]): Rewriter {
  const compiled = rules.map(compileRule);
  return (name) => {
    for (const rule of compiled) {
      const text = rule(name);
      if (text === undefined) continue;
      try {
        const wire = parseName(text);
        return sameName(wire, name) ? undefined : wire;
      } catch (error) {
        // Too long, or an empty label: this name has no other.
        if (error instanceof NameError) return undefined;
        throw error;
      }
    }
    return undefined;
  };
}

function compileRule({ kind, from, to }: RewriteRule): (name: WireName) => string | undefined {
  if (kind === 'prefix') {
    return (name) => (formatName(name).startsWith(from) ? to + formatName(name).slice(from.length) : undefined);
  }
  if (kind === 'regex') {
    const pattern = compilePattern(from);
    return (name) => {
      const match = pattern.exec(formatName(name));
      return match === null ? undefined : to.replace(/\$([0-9])/g, (_, group: string) => match[Number(group)] ?? '');
    };
  }
  if (kind === 'suffix') return suffixRule(from, to);
  const wire = parseName(from);
  return (name) => (sameName(name, wire) ? to : undefined);
}

/** By labels: a suffix of "example." does not fit "anexample.", and ".example." not "example." itself. */
function suffixRule(from: string, to: string): (name: WireName) => string | undefined {
  const onlyBelow = from.length > 1 && from[0] === '.';
  const suffix = onlyBelow ? from.slice(1) : from;
  const wire = parseName(suffix);
  const suffixLength = suffix === '.' ? 0 : suffix.length;
  const replacement = to[0] === '.' ? to.slice(1) : to;
  return (name) => {
    if (!isSubdomain(name, wire) || (onlyBelow && name.length === wire.length)) return undefined;
    const text = formatName(name);
    return text.slice(0, text.length - suffixLength) + replacement;
  };
}

/** A query for another name: the header, the options and the rest stay. `nameEnd` is just after the name's zero byte. */
export function withName(query: Uint8Array, queryLength: number, nameEnd: number, name: WireName): Uint8Array {
  const rewritten = new Uint8Array(queryLength - (nameEnd - 12) + name.length);
  rewritten.set(query.subarray(0, 12));
  rewritten.set(name, 12);
  rewritten.set(query.subarray(nameEnd, queryLength), 12 + name.length);
  return rewritten;
}

/** The response to a rewritten query in the form of one to the client's query: restores question and owner names. */
export function withNameBack(response: Uint8Array, asked: WireName, maxBytes: number): Uint8Array {
  const message = parseMessage(response);
  const rewritten = message.questions[0]?.name;
  if (rewritten === undefined) return response;
  const back = (record: MessageRecord) => (sameName(record.name, rewritten) ? { ...record, name: asked } : record);
  return fitting({ ...message, answers: message.answers.map(back) }, asked, maxBytes);
}

/** The response to a query for another name, as one to `asked` that is an alias of it. */
export function withAlias(response: Uint8Array, asked: WireName, ttlSeconds: number, maxBytes: number): Uint8Array {
  const message = parseMessage(response);
  const found = message.questions[0].name;
  const alias = { name: asked, type: 5, class: 1, ttlSeconds, rdata: found };
  const answers = message.answers.length > 0 ? [alias, ...message.answers] : [];
  return fitting({ ...message, answers }, asked, maxBytes);
}

function fitting(message: Message, asked: WireName, maxBytes: number): Uint8Array {
  const questions = [{ ...message.questions[0], name: asked }];
  const whole = composeMessage({ ...message, questions });
  if (whole.length <= maxBytes) return whole;
  const flags = message.flags | FLAG.TC;
  return composeMessage({ ...message, questions, flags, answers: [], authorities: [], additionals: [] });
}
