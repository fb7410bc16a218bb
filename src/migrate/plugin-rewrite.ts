// `rewrite` (https://coredns.io/plugins/rewrite/) → `rewrite`.
import type { Directive } from './corefile.ts';
import { type BlockContext, seconds } from './draft.ts';
import { wholeName } from './pattern.ts';
import type { Option, Plugin } from './plugin.ts';

const KINDS = ['exact', 'prefix', 'suffix', 'substring', 'regex'];
const CLASS = 'only class IN is answered; `server.versionBind` and `server.idServer` are class CH';
const EDNS0 = 'queries to upstream servers carry no options, such as client subnets (RFC 7871)';

const OPTIONS: readonly Option[] = [
  { name: 'answer auto', syntax: '`… answer auto`', healthdns: '`answer: auto`', outcome: 'same' },
  {
    name: 'answer name',
    syntax: '`… answer name\\|value FROM TO`',
    healthdns: '`answer: [{ part, from, to }]`',
    note: 'without it, too, records of the replacement show the original name',
    outcome: 'same',
    differences: ['rewritten-name'],
  },
  { name: 'continue', syntax: '`rewrite continue …`', healthdns: '`continue: true`', outcome: 'same' },
  { name: 'type', syntax: '`rewrite type FROM TO`', healthdns: '`type: { from, to }`', outcome: 'same' },
  {
    name: 'ttl',
    syntax: '`rewrite ttl [KIND] NAME TTL\\|MIN-MAX`',
    healthdns: '`minTtlSeconds`, `maxTtlSeconds`',
    outcome: 'same',
  },
  { name: 'rcode', syntax: '`rewrite rcode [KIND] NAME FROM TO`', healthdns: '`rcode: { from, to }`', outcome: 'same' },
  { name: 'cname', syntax: '`rewrite cname [exact] FROM TO`', healthdns: '`cname: { from, to }`', outcome: 'same' },
  { name: 'class', syntax: '`rewrite class FROM TO`', healthdns: 'none', note: CLASS, outcome: 'dropped' },
  { name: 'edns0', syntax: '`rewrite edns0 …`', healthdns: 'none', note: EDNS0, outcome: 'dropped' },
];

export const rewrite: Plugin = {
  name: 'rewrite',
  syntax: '`rewrite [stop\\|continue] name [KIND] FROM TO`',
  healthdns: '`rewrite: [{ kind, from, to }]`',
  note: 'KIND is exact, prefix, suffix, substring or regex; a prefix and a suffix match whole labels',
  options: OPTIONS,
  migrate(directive, block) {
    // The long form has the rule inside braces, with lines for what happens to the answer.
    const isLong = directive.args.length < 2;
    const inBraces = isLong ? directive.lines[0] : undefined;
    const answers = isLong ? directive.lines.slice(1) : [];
    const words = [...directive.args, ...(inBraces === undefined ? [] : [inBraces.name, ...inBraces.args])];
    const mode = ['stop', 'continue'].includes(words[0]) ? words.shift() : 'stop';
    const field = words.shift() ?? '';
    const rule = ruleOf(field, words);
    if (typeof rule === 'string') {
      block.note(directive, 'dropped', rule);
      return;
    }
    const answer = field === 'name' ? answerOf(words, answers, directive, block) : undefined;
    block.draft.rewrite.push({ ...rule, ...answer, ...(mode === 'continue' && { continue: true }) });
    block.comment('rewrite', directive);
    if (field === 'name' && answer === undefined)
      block.note(directive, 'same', 'rewritten; the answer shows the original name', 'rewritten-name');
    else block.note(directive, 'same', `rewritten: \`${field}\``);
  },
};

/** What is wrong with the rule, or has no equivalent. */
type Dropped = string;

function ruleOf(field: string, words: string[]): Record<string, unknown> | Dropped {
  switch (field) {
    case 'name': {
      const kind = kindOf(words);
      const [from, to] = words.splice(0, 2);
      if (from === undefined || to === undefined) return '`rewrite name` needs a pattern and a replacement';
      return nameRule(kind, from, to);
    }
    case 'type':
      return words.length < 2 ? '`rewrite type` needs two types' : { type: { from: words[0], to: words[1] } };
    case 'ttl': {
      const match = matchRule(kindOf(words), words[0] ?? '.');
      const [least, most] = (words[1] ?? '').split('-').map((text) => (text === '' ? undefined : seconds(text)));
      if (least === undefined && most === undefined)
        return `\`rewrite ttl\` ends with seconds, not "${words[1] ?? ''}"`;
      const isRange = words[1].includes('-');
      return {
        ...match,
        ...(least !== undefined && { minTtlSeconds: least }),
        ...((most !== undefined || !isRange) && { maxTtlSeconds: most ?? least }),
      };
    }
    case 'rcode': {
      const match = matchRule(kindOf(words), words[0] ?? '.');
      const [from, to] = words.slice(1).map((word) => word.toUpperCase());
      return to === undefined ? '`rewrite rcode` needs a name and two codes' : { ...match, rcode: { from, to } };
    }
    case 'cname': {
      const kind = kindOf(words);
      if (kind !== 'exact') return `\`rewrite cname ${kind}\`: only whole targets are replaced`;
      return words.length < 2 ? '`rewrite cname` needs two names' : { cname: { from: words[0], to: words[1] } };
    }
    case 'class':
      return CLASS;
    case 'edns0':
      return EDNS0;
    default:
      return `\`rewrite ${field}\` has no equivalent`;
  }
}

const kindOf = (words: string[]): string => (KINDS.includes(words[0]) ? words.shift()! : 'exact');

function nameRule(kind: string, from: string, to: string): Record<string, unknown> {
  const groups = numbered(to);
  if (kind === 'substring') return { kind, from, to };
  if (kind === 'regex') return { kind, from: wholeName(from), to: groups };
  // CoreDNS completes both to absolute names, so that "pre" is the first label and not what it begins with.
  if (kind === 'prefix') return { kind, from: absolute(from), to: absolute(groups) };
  return { ...(kind !== 'exact' && { kind }), from, to: groups };
}

/** A rule for names without a replacement. */
function matchRule(kind: string, from: string): Record<string, unknown> {
  if (kind === 'regex') return { kind, from: wholeName(from) };
  if (kind === 'prefix') return { kind, from: absolute(from) };
  return { ...(kind !== 'exact' && { kind }), from };
}

const absolute = (text: string): string => (text.endsWith('.') ? text : `${text}.`);
const numbered = (text: string): string => text.replaceAll(/\{(\d)\}/g, '$$$1');

/** `answer name|value|auto …` after the rule, and the lines of the long form. */
function answerOf(
  words: readonly string[],
  lines: readonly Directive[],
  directive: Directive,
  block: BlockContext,
): { answer: unknown } | undefined {
  const after: Directive[] = [];
  for (let i = 0; i < words.length; ) {
    const args = words.slice(i + 1, words[i + 1] === 'auto' ? i + 2 : i + 4);
    after.push({ ...directive, name: words[i], args });
    i += 1 + args.length;
  }
  const rules: unknown[] = [];
  for (const rule of [...after, ...lines]) {
    const [part, from, to] = rule.args;
    if (rule.name === 'answer' && part === 'auto') return { answer: 'auto' };
    if (rule.name !== 'answer' || !['name', 'value'].includes(part) || to === undefined)
      block.note(rule, 'dropped', 'not `answer auto`, `answer name FROM TO` or `answer value FROM TO`');
    else rules.push({ part, from: wholeName(from), to: numbered(to) });
  }
  return rules.length === 0 ? undefined : { answer: rules };
}
