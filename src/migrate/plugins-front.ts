// `acl`, `log`, `autopath`: processing of a query before it is answered.
import { zoneName, zoneNames } from './draft.ts';
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
      block.note(line, 'same', 'the first matching rule applies');
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

export const log: Plugin = {
  name: 'log',
  syntax: '`log [NAME…] [FORMAT]`, `class all\\|success\\|denial\\|error`',
  healthdns: '`queryLog: { names, classes, format }`',
  note: 'without FORMAT, one line of JSON for a query',
  options: [{ name: 'class', syntax: '`class …`', healthdns: '`classes`', outcome: 'same' }],
  migrate(directive, block) {
    const classes = directive.lines.filter(({ name }) => name === 'class').flatMap(({ args }) => args);
    const names = directive.args.filter((word) => !isFormat(word)).map((name) => zoneName(name).replace(/\.$/, ''));
    const format = directive.args.find(isFormat);
    const settings: QueryLog = {
      ...(!names.includes('') && names.length > 0 && { names }),
      ...(!classes.includes('all') && classes.length > 0 && { classes: [...new Set(classes)] }),
      ...(format !== undefined && { format }),
    };
    const earlier = block.draft.single.queryLog as QueryLog | true | undefined;
    const all = earlier === undefined ? settings : either(earlier === true ? {} : earlier, settings);
    block.draft.single.queryLog = Object.keys(all).length === 0 ? true : all;
    applyOptions(log, directive, {}, block);
    block.comment('queryLog', directive);
    if (earlier !== undefined)
      block.note(directive, 'changed', 'one `queryLog` for what any of these lines logs, in the format of the first');
    else if (format !== undefined) block.note(directive, 'same', 'a line in this format for each query');
    else block.note(directive, 'same', "a line of JSON for each query; `format: '{common}'` for lines as in CoreDNS");
  },
};

interface QueryLog {
  readonly names?: readonly string[];
  readonly classes?: readonly string[];
  readonly format?: string;
}

const isFormat = (word: string): boolean => word.includes('{');

/** The narrowest filter that logs everything that either of the two logs. */
function either(one: QueryLog, other: QueryLog): QueryLog {
  const union = (a?: readonly string[], b?: readonly string[]) => a && b && [...new Set([...a, ...b])];
  const [names, classes, format] = [
    union(one.names, other.names),
    union(one.classes, other.classes),
    one.format ?? other.format,
  ];
  return { ...(names && { names }), ...(classes && { classes }), ...(format !== undefined && { format }) };
}

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
