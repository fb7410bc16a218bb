// `rewrite`, `acl`, `log`, `autopath`: what happens to a query before it is answered.
import type { Directive } from './corefile.ts';
import { type BlockContext, zoneName } from './draft.ts';
import { applyOptions, type Plugin } from './plugin.ts';

const REWRITE_KINDS = ['exact', 'prefix', 'suffix', 'substring', 'regex'];

export const rewrite: Plugin = {
  name: 'rewrite',
  syntax: '`rewrite [stop] name exact\\|prefix\\|suffix\\|substring\\|regex FROM TO`',
  healthdns: '`rewrite: [{ kind, from, to }]`',
  note: 'the first matching rule wins; the answer shows the original name',
  options: [
    { name: 'answer auto', syntax: '`answer auto`, `answer name`', healthdns: 'always', outcome: 'same' },
    {
      name: 'answer value',
      syntax: '`answer value FROM TO`',
      healthdns: 'none',
      note: "names in the records' data stay",
      outcome: 'dropped',
    },
    {
      name: 'continue',
      syntax: '`rewrite continue …`',
      healthdns: 'none',
      note: 'the first rule that fits decides',
      outcome: 'changed',
    },
    {
      name: 'type',
      syntax: '`rewrite type\\|class\\|ttl\\|edns0\\|rcode\\|cname …`',
      healthdns: 'none',
      outcome: 'dropped',
    },
  ],
  migrate(directive, block) {
    // The long form has the rule inside braces, with lines for what happens to the answer.
    const inBraces = directive.lines.find(({ name }) => name === 'name');
    const words = [...directive.args, ...(inBraces === undefined ? [] : [inBraces.name, ...inBraces.args])];
    const mode = ['stop', 'continue'].includes(words[0]) ? words.shift() : 'stop';
    const field = words.shift();
    if (field !== 'name') {
      block.note(directive, 'dropped', `\`rewrite ${field ?? ''}\` has no equivalent: only names are rewritten`);
      return;
    }
    const kind = REWRITE_KINDS.includes(words[0]) ? words.shift()! : 'exact';
    const [from, to, ...answer] = words;
    if (from === undefined || to === undefined) {
      block.note(directive, 'dropped', '`rewrite name` needs what is replaced and what takes its place');
      return;
    }
    block.draft.rewrite.push(rewriteRule(kind, from, to));
    block.comment('rewrite', directive);
    noteAnswerRules(directive, answer, block);
    if (mode === 'continue') block.note(directive, 'changed', '`continue`: the first rule that fits decides here');
    else block.note(directive, 'same', 'rewritten, and the answer shows the original name');
  },
};

function rewriteRule(kind: string, from: string, to: string): Record<string, unknown> {
  const groups = to.replaceAll(/\{(\d)\}/g, '$$$1');
  if (kind === 'substring') {
    const literal = from.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
    return { kind: 'regex', from: `(.*)${literal}(.*)`, to: `$1${groups}$2` };
  }
  if (kind === 'regex') {
    const start = from.startsWith('^') ? '' : '.*';
    const end = from.endsWith('$') ? '' : '.*';
    return { kind, from: `${start}${from.replace(/^\^/, '').replace(/\$$/, '')}${end}`, to: groups };
  }
  return { ...(kind !== 'exact' && { kind }), from, to: groups };
}

/** `answer name|value|auto …` after the rule, and the lines of the long form. */
function noteAnswerRules(directive: Directive, answer: readonly string[], block: BlockContext): void {
  const rules = [
    ...(answer.length > 0 ? [{ ...directive, name: answer[0], args: answer.slice(1) }] : []),
    ...directive.lines.filter(({ name }) => name === 'answer'),
  ];
  for (const rule of rules) {
    const what = rule.args[0] ?? 'auto';
    if (what === 'value') block.note(rule, 'dropped', "`answer value`: names in the records' data stay as they are");
    else block.note(rule, 'same', 'the original name is restored in the answer');
  }
}

export const acl: Plugin = {
  name: 'acl',
  syntax: '`acl [ZONE…]` `allow\\|block\\|filter\\|drop [type …] [net …]`',
  healthdns: '`acl: [{ action, types, clients, zones }]`',
  migrate(directive, block) {
    const zones = (directive.args.length > 0 ? directive.args.map(zoneName) : block.zones).filter(
      (zone) => zone !== '.',
    );
    for (const line of directive.lines) {
      const types = wordsAfter(line.args, 'type').filter((type) => type !== '*' && type.toUpperCase() !== 'ANY');
      const clients = wordsAfter(line.args, 'net').filter((net) => net !== '*');
      if (!['allow', 'block', 'filter', 'drop'].includes(line.name)) {
        block.note(line, 'dropped', `"${line.name}" is not an action: allow, block, filter or drop`);
        continue;
      }
      block.draft.acl.push({
        action: line.name,
        ...(zones.length > 0 && { zones: zones.map((zone) => zone.replace(/\.$/, '')) }),
        ...(types.length > 0 && { types }),
        ...(clients.length > 0 && { clients }),
      });
      block.note(line, 'same', 'the first rule that fits decides');
    }
    block.comment('acl', directive);
    block.note(directive, 'same', 'applied to every name that is looked up for a client');
  },
};

function wordsAfter(args: readonly string[], keyword: string): string[] {
  const start = args.indexOf(keyword);
  if (start < 0) return [];
  const end = args.findIndex((word, index) => index > start && (word === 'type' || word === 'net'));
  return args.slice(start + 1, end < 0 ? undefined : end);
}

/** CoreDNS's classes: an answer without an error, one that denies, and everything else. */
const CLASS_RCODES: Record<string, readonly string[]> = {
  success: ['NOERROR'],
  denial: ['NXDOMAIN'],
  error: ['SERVFAIL', 'REFUSED', 'FORMERR', 'NOTIMP'],
};

export const log: Plugin = {
  name: 'log',
  syntax: '`log [NAME…] [FORMAT]`, `class all\\|success\\|denial\\|error`',
  healthdns: '`queryLog: { rcodes }`',
  note: 'one line of JSON for a query; NODATA counts as NOERROR',
  options: [{ name: 'class', syntax: '`class …`', healthdns: '`rcodes`', outcome: 'same' }],
  migrate(directive, block) {
    const classes = directive.lines.filter(({ name }) => name === 'class').flatMap(({ args }) => args);
    const all = classes.length === 0 || classes.includes('all');
    block.draft.single.queryLog = all ? true : { rcodes: classes.flatMap((name) => CLASS_RCODES[name] ?? []) };
    applyOptions(log, directive, {}, block);
    block.comment('queryLog', directive);
    const names = directive.args.filter((word) => !word.includes('{') && word !== '.');
    const isForAll = names.length === 0 && block.zones.includes('.');
    if (!isForAll || directive.args.some((word) => word.includes('{')))
      block.note(directive, 'changed', 'every name is logged, in one format (JSON)');
    else block.note(directive, 'same', 'a line of JSON for each query');
  },
};

export const autopath: Plugin = {
  name: 'autopath',
  syntax: '`autopath [ZONE…] @kubernetes`',
  healthdns: '`autopath: { zone, search }`',
  note: "`search` names the nodes' own search domains",
  migrate(directive, block) {
    const zones = directive.args.filter((word) => !word.startsWith('@') && !word.includes('/'));
    if (!directive.args.includes('@kubernetes')) {
      block.note(directive, 'dropped', 'works for pods of a cluster only (`@kubernetes`)');
      return;
    }
    const zone = zones[0] ?? [...block.draft.zones.keys()][0] ?? 'cluster.local';
    block.draft.single.autopath = { zone: zone.replace(/\.$/, '') };
    block.comment('autopath', directive);
    block.note(directive, 'same', "add the nodes' own search domains as `search`, if pods have any");
  },
};
