// `acl`, `log`, `autopath`: what happens to a query before it is answered.
import { zoneNames } from './draft.ts';
import { applyOptions, type Plugin } from './plugin.ts';

export const acl: Plugin = {
  name: 'acl',
  syntax: '`acl [ZONE…]` `allow\\|block\\|filter\\|drop [type …] [net …]`',
  healthdns: '`acl: [{ action, types, clients, zones }]`',
  migrate(directive, block) {
    const zones = (directive.args.length > 0 ? directive.args.flatMap(zoneNames) : block.zones).filter(
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
    const isForAll = names.length === 0;
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
