// Replaces queried names by others, and restores the names in answers, so that the client sees the name it queried.
import { composeTruncating, type Message, parseMessage } from '../dns/message/message.ts';
import type { MessageRecord } from '../dns/message/record.ts';
import type { WireName } from '../dns/name.ts';
import { formatName, isSubdomain, lowerCased, NameError, parseName, sameName } from '../dns/name.ts';
import { compilePattern } from '../dns/pattern.ts';
import { TYPE } from '../dns/types.ts';
import type { RewriteRule } from '../plane/forward-settings.ts';

/** A rewritten question, and how its response is turned back into one to the original. */
export interface Rewriting {
  readonly name: WireName;
  readonly type: number;
  /** Aliases to these targets lead elsewhere. */
  readonly aliases: readonly ((target: WireName) => WireName | undefined)[];
  /** Applied to each record of all sections, in this order. */
  readonly edits: readonly Edit[];
  readonly rcodes: readonly { readonly from: number; readonly to: number }[];
}

type Edit = (record: MessageRecord) => MessageRecord;
type Rename = (name: WireName) => WireName | undefined;

/** undefined: no rule matches. `name` is lower case. */
export type Rewriter = (name: WireName, type: number) => Rewriting | undefined;

export function createRewriter(rules: readonly RewriteRule[]): Rewriter {
  const compiled = rules.map(compileRule);
  return (name, type) => {
    let now = { name, type };
    const edits: Edit[] = [];
    const rcodes: { from: number; to: number }[] = [];
    const aliases: Rename[] = [];
    let fits = false;
    for (const { apply, rule } of compiled) {
      const applied = apply(now.name, now.type);
      if (applied === undefined) continue;
      fits = true;
      now = { name: applied.name, type: applied.type };
      // The last replacement is undone first.
      edits.unshift(...applied.edits);
      if (rule.rcode !== undefined) rcodes.push(rule.rcode);
      if (applied.alias !== undefined) aliases.push(applied.alias);
      if (!rule.continues) break;
    }
    const isSame = sameName(now.name, name) && now.type === type;
    return !fits || (isSame && edits.length + rcodes.length + aliases.length === 0)
      ? undefined
      : { ...now, edits, rcodes, aliases };
  };
}

interface Applied {
  readonly name: WireName;
  readonly type: number;
  readonly edits: readonly Edit[];
  readonly alias: Rename | undefined;
}

function compileRule(rule: RewriteRule): {
  readonly rule: RewriteRule;
  apply(name: WireName, type: number): Applied | undefined;
} {
  const { type: types, ttl, cname } = rule;
  const fits = matcherOf(rule);
  const rename = rule.to === undefined ? undefined : renameOf({ ...rule, to: rule.to });
  const fixed = [...answerEdits(rule), ...(ttl === undefined ? [] : [ttlEdit(ttl)])];
  const alias = cname && renameOf({ kind: 'exact', ...cname });
  return {
    rule,
    apply(name, type) {
      if ((types !== undefined && types.from !== type) || !fits(name)) return undefined;
      const renamed = rename?.(name);
      // Too long, or an empty label: this name has no other.
      if (rename !== undefined && renamed === undefined) return undefined;
      const back =
        renamed === undefined || sameName(renamed, name) ? [] : backTo(name, renamed, rule.answer === 'auto');
      return { name: renamed ?? name, type: types?.to ?? type, edits: [...fixed, ...back], alias };
    },
  };
}

function matcherOf({ kind, from }: RewriteRule): (name: WireName) => boolean {
  if (from === undefined) return () => true;
  if (kind === 'prefix') return (name) => formatName(name).startsWith(from);
  if (kind === 'substring') return (name) => formatName(name).includes(from);
  if (kind === 'regex') {
    const pattern = compilePattern(from);
    return (name) => pattern.exec(formatName(name)) !== null;
  }
  if (kind === 'suffix') {
    const fits = suffixRule(from, from);
    return (name) => fits(name) !== undefined;
  }
  const wire = parseName(from);
  return (name) => sameName(name, wire);
}

/** `auto` of a suffix also concerns other names below it. */
function answerEdits({ kind, from, to, answer }: RewriteRule): Edit[] {
  if (answer === 'auto' && kind === 'suffix' && from !== undefined && to !== undefined) {
    const back = renameOf({ kind, from: to, to: from });
    return [ownerEdit(back), valueEdit(back)];
  }
  if (!Array.isArray(answer)) return [];
  return answer.map(({ part, from: pattern, to: text }) => {
    const rename = renameOf({ kind: 'regex', from: pattern, to: text });
    return part === 'name' ? ownerEdit(rename) : valueEdit(rename);
  });
}

/** Records of the name that was asked for instead are shown as those of the question. */
function backTo(name: WireName, renamed: WireName, withValues: boolean): Edit[] {
  const back: Rename = (one) => (sameName(lowerCased(one), renamed) ? name : undefined);
  return withValues ? [ownerEdit(back), valueEdit(back)] : [ownerEdit(back)];
}

const ownerEdit =
  (rename: Rename): Edit =>
  (record) => {
    const name = rename(lowerCased(record.name));
    return name === undefined ? record : { ...record, name };
  };

const ttlEdit =
  ({ least, most }: { readonly least: number; readonly most: number }): Edit =>
  (record) => ({ ...record, ttlSeconds: Math.min(most, Math.max(least, record.ttlSeconds)) });

/** Of the types whose rdata has one name that leads on. */
const valueEdit =
  (rename: Rename): Edit =>
  (record) => {
    const start = NAME_IN_RDATA[record.type];
    if (start === undefined) return record;
    const end = start + nameLength(record.rdata.subarray(start));
    const name = rename(lowerCased(record.rdata.subarray(start, end)));
    if (name === undefined) return record;
    const rdata = Buffer.concat([record.rdata.subarray(0, start), name, record.rdata.subarray(end)]);
    return { ...record, rdata: Uint8Array.from(rdata) };
  };

/** Type → where the name begins. */
const NAME_IN_RDATA: Readonly<Record<number, number>> = {
  [TYPE.CNAME]: 0,
  [TYPE.DNAME]: 0,
  [TYPE.NS]: 0,
  [TYPE.SOA]: 0,
  [TYPE.MX]: 2,
  [TYPE.SRV]: 6,
};

function nameLength(bytes: Uint8Array): number {
  let at = 0;
  while (bytes[at] !== 0) at += 1 + bytes[at];
  return at + 1;
}

/** The rewritten name; undefined: the rule does not match, or the result is not a name. */
function renameOf(rule: { readonly kind: RewriteRule['kind']; readonly from?: string; readonly to: string }): Rename {
  const rename = textRule(rule);
  return (name) => {
    const text = rename(name);
    if (text === undefined) return undefined;
    try {
      return parseName(text);
    } catch (error) {
      if (error instanceof NameError) return undefined;
      throw error;
    }
  };
}

function textRule({
  kind,
  from,
  to,
}: {
  readonly kind: RewriteRule['kind'];
  readonly from?: string;
  readonly to: string;
}): (name: WireName) => string | undefined {
  if (from === undefined) return () => to;
  if (kind === 'prefix') {
    return (name) => (formatName(name).startsWith(from) ? to + formatName(name).slice(from.length) : undefined);
  }
  if (kind === 'substring') {
    return (name) => (formatName(name).includes(from) ? formatName(name).replaceAll(from, () => to) : undefined);
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

/** The response to the rewritten query as one to the client's, which asked for `asked` and `type`. */
export function withNameBack(
  response: Uint8Array,
  { edits, rcodes }: Rewriting,
  asked: WireName,
  type: number,
  maxBytes: number,
): Uint8Array {
  const message = parseMessage(response);
  if (message.questions.length === 0) return response;
  // The spelling of the question is the client's.
  const spelled: Edit = (record) => (sameName(lowerCased(asked), record.name) ? { ...record, name: asked } : record);
  const edited = (records: readonly MessageRecord[]) =>
    records.map((record) => [...edits, spelled].reduce((one, edit) => edit(one), record));
  const rcode = rcodes.find(({ from }) => from === message.rcode)?.to ?? message.rcode;
  const { answers, authorities, additionals, questions } = message;
  const sections = { answers: edited(answers), authorities: edited(authorities), additionals: edited(additionals) };
  return fitting({ ...message, rcode, ...sections, questions: [{ ...questions[0], type }] }, asked, maxBytes);
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
  return composeTruncating({ ...message, questions: [{ ...message.questions[0], name: asked }] }, maxBytes);
}

/** An alias in an answer that leads to another target: CoreDNS's `rewrite cname`. */
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
