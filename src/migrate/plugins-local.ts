// `hosts`, `template`, `dns64`: answers without another server.
import { isAbsolute, join } from 'node:path';
import type { Directive } from './corefile.ts';
import { zoneNames } from './draft.ts';
import { wholeName } from './pattern.ts';
import { applyOptions, duration, flag, keylessOption, type Option, type Plugin, text } from './plugin.ts';

const HOSTS_OPTIONS: readonly Option[] = [
  duration('ttl', 'ttlSeconds', { whole: true }),
  flag('no_reverse', 'reverse', false),
  keylessOption('reload', 'same', 'always', 'files are checked every 5 s'),
  keylessOption('fallthrough', 'same', 'always', 'names that are not listed are forwarded'),
];

export const hosts: Plugin = {
  name: 'hosts',
  syntax: '`hosts [FILE [ZONE…]]`, lines `ADDRESS NAME…`',
  healthdns: '`hosts: { files, entries, zones }`',
  note: 'for names outside `zones`; a name of `hosts` is answered there for all types',
  options: HOSTS_OPTIONS,
  migrate(directive, block) {
    const isEntry = (line: Directive) =>
      /^[0-9a-f.:]+$/i.test(line.name) && /[.:]/.test(line.name) && line.args.length > 0;
    const [file, ...zones] = directive.args;
    const entries = directive.lines.filter(isEntry);
    const settings = block.draft.hosts.settings;
    applyOptions(hosts, { ...directive, lines: directive.lines.filter((line) => !isEntry(line)) }, settings, block);
    for (const { name, args } of entries) block.draft.hosts.entries.push({ address: name, names: [...args] });
    if (file !== undefined) block.draft.hosts.files.push(file);
    else if (entries.length === 0) block.draft.hosts.files.push('/etc/hosts');
    block.comment('hosts', directive);
    if (zones.length > 0) settings.zones = zones.flatMap(zoneNames).map((zone) => zone.replace(/\.$/, ''));
    const fallsThrough = directive.lines.some(({ name }) => name === 'fallthrough');
    if (fallsThrough)
      block.note(
        directive,
        'same',
        `${entries.length === 1 ? '1 address' : `${entries.length} addresses`}${file === undefined ? '' : ` and the file ${file}`}`,
      );
    else
      block.note(
        directive,
        'changed',
        'names that are not listed are forwarded; CoreDNS answers NXDOMAIN without `fallthrough`',
      );
  },
};

const FILE_OPTIONS: readonly Option[] = [
  keylessOption('reload', 'same', '`healthdns serve --watch`', 'a change is a reload, whatever the serial is'),
  keylessOption('reload_by_mtime', 'same', '`healthdns serve --watch`'),
  keylessOption('upstream', 'same', 'always', 'targets of aliases are forwarded'),
  keylessOption('fallthrough', 'dropped', 'none', 'names that a zone file does not have are NXDOMAIN'),
];

export const file: Plugin = {
  name: 'file',
  syntax: '`file DBFILE [ZONE…]`',
  healthdns: '`zones: [{ name, file }]`',
  note: 'paths are relative to zones.yaml, or to `root`',
  options: FILE_OPTIONS,
  migrate(directive, block) {
    const [path, ...args] = directive.args;
    if (path === undefined) return block.note(directive, 'dropped', '`file` needs the path of a zone file');
    const zones = (args.length > 0 ? args.flatMap(zoneNames) : block.zones).map((zone) =>
      zone.replace(/(?<=.)\.$/, ''),
    );
    for (const name of zones) {
      block.draft.zoneNames.add(name);
      block.draft.zones.set(name, { ...block.draft.zones.get(name), file: inRoot(path, block.draft.root) });
    }
    applyOptions(file, directive, {}, block);
    block.comment('zones', directive);
    const isRelative = !isAbsolute(inRoot(path, block.draft.root));
    block.note(
      directive,
      'same',
      `zone ${zones.join(', ')}${isRelative ? '; the path is relative to zones.yaml' : ''}`,
    );
  },
};

const inRoot = (path: string, root: string | undefined): string =>
  root === undefined || isAbsolute(path) ? path : join(root, path);

export const root: Plugin = {
  name: 'root',
  syntax: '`root PATH`',
  healthdns: '`zones: [{ file }]`',
  note: 'part of the path of each zone file',
  migrate(directive, block) {
    [block.draft.root] = directive.args;
    block.note(directive, 'same', 'zone files are found there; other relative paths are relative to zones.yaml');
  },
};

export const template: Plugin = {
  name: 'template',
  syntax: '`template CLASS TYPE [ZONE…]` with `match`, `answer`, `rcode`',
  healthdns: '`templates: [{ zone, type, match, values, ttlSeconds, rcode }]`',
  note: 'Go templates become $1 … $9; class IN',
  options: [
    {
      name: 'match',
      syntax: '`match REGEX`',
      healthdns: '`match`',
      note: 'for the whole name, lower case',
      outcome: 'same',
    },
    { name: 'answer', syntax: '`answer RR`', healthdns: '`values`, `ttlSeconds`', outcome: 'same' },
    { name: 'rcode', syntax: '`rcode CODE`', healthdns: '`rcode`', outcome: 'same' },
    {
      name: 'fallthrough',
      syntax: '`fallthrough [ZONE…]`',
      healthdns: 'always',
      note: 'where `match` does not match',
      outcome: 'same',
    },
    {
      name: 'authority',
      syntax: '`authority RR`',
      healthdns: 'none',
      note: 'negative answers have a SOA of the zone',
      outcome: 'changed',
      differences: ['template-soa'],
    },
    keylessOption(
      'additional',
      'dropped',
      'none',
      'the additional section is optional (RFC 1034 section 4.3.2 step 6)',
    ),
    keylessOption('upstream', 'dropped', 'none', 'clients follow aliases generated by templates'),
    keylessOption('ederror', 'dropped', 'none', 'extended errors contain what the server knows'),
  ],
  migrate(directive, block) {
    const [recordClass = 'ANY', type = 'ANY', ...zones] = directive.args;
    if (!['IN', 'ANY'].includes(recordClass.toUpperCase())) {
      block.note(directive, 'dropped', `class ${recordClass}: templates answer class IN only`);
      return;
    }
    const of = (name: string) => directive.lines.filter((line) => line.name === name);
    const rcode = of('rcode')[0]?.args[0]?.toUpperCase();
    const matches = of('match').map(({ args }) => numberedGroups(args[0] ?? ''));
    const groups = matches[0]?.groups ?? new Map();
    const answers = of('answer').map(({ args }) => readAnswer(args.join(' '), groups));
    if (answers.some((answer) => answer === undefined)) {
      block.note(
        directive,
        'dropped',
        'an `answer` of this template is not NAME TTL CLASS TYPE RDATA with groups of `match` only: write it by hand',
      );
      return;
    }
    applyOptions(template, directive, {}, block);
    const ttls = answers.map((answer) => answer!.ttlSeconds);
    for (const zone of zones.length > 0 ? zones.flatMap(zoneNames) : block.zones)
      for (const match of matches.length > 0 ? matches.map(({ pattern }) => pattern) : [undefined])
        block.draft.templates.push({
          ...(zone !== '.' && { zone: zone.replace(/\.$/, '') }),
          ...(type.toUpperCase() !== 'ANY' && { type: type.toUpperCase() }),
          ...(match !== undefined && { match: wholeName(match) }),
          ...(rcode !== undefined && rcode !== 'NOERROR' && { rcode }),
          ...(answers.length > 0 && { values: answers.map((answer) => answer!.rdata), ttlSeconds: Math.min(...ttls) }),
        });
    block.comment('templates', directive);
    block.note(directive, 'same', 'answered from the text of the name');
  },
};

/**
 * "{{ .Name }} 60 IN A {{ .Group.a }}" → TTL and rdata with $0 for the name and $1 … for groups; undefined for what has no
 * such form.
 */
function readAnswer(
  text: string,
  groups: ReadonlyMap<string, number>,
): { readonly ttlSeconds: number; readonly rdata: string } | undefined {
  const plain = text
    .replaceAll(/\{\{\s*\.Name\s*\}\}/g, '$0')
    .replaceAll(/\{\{\s*index\s+\.Match\s+(\d)\s*\}\}/g, '$$$1')
    .replaceAll(/\{\{\s*\.Group\.(\w+)\s*\}\}/g, (whole, name) => (groups.has(name) ? `$${groups.get(name)}` : whole));
  const match = /^\S+\s+(\d+)\s+(?:IN\s+)?\S+\s+(.+)$/i.exec(plain);
  if (match === null || plain.includes('{{')) return undefined;
  return { ttlSeconds: Number(match[1]), rdata: match[2] };
}

/** Named groups of RE2, `(?P<name>…)`, become numbered ones. */
function numberedGroups(pattern: string): { readonly pattern: string; readonly groups: ReadonlyMap<string, number> } {
  const groups = new Map<string, number>();
  let count = 0;
  const numbered = pattern.replaceAll(/\\.|\[(?:\\.|[^\]])*\]|\((?:\?P?<(\w+)>|(?!\?))/g, (found, name) => {
    if (!found.startsWith('(')) return found;
    count++;
    if (name === undefined) return found;
    groups.set(name, count);
    return '(';
  });
  return { pattern: numbered, groups };
}

export const dns64: Plugin = {
  name: 'dns64',
  syntax: '`dns64 [PREFIX]`',
  healthdns: '`dns64`',
  options: [
    text('prefix', 'PREFIX', 'prefix'),
    flag('translate_all', 'translateAll'),
    keylessOption('allow_ipv4', 'same', '`dns64` of the file', 'without it, of a view for `clients: ["::/0"]`'),
  ],
  migrate(directive, block) {
    const settings: Record<string, unknown> = directive.args[0] === undefined ? {} : { prefix: directive.args[0] };
    applyOptions(dns64, directive, settings, block);
    block.draft.single.dns64 = Object.keys(settings).length === 0 ? true : settings;
    block.draft.isDns64ForIpv6 = !directive.lines.some(({ name }) => name === 'allow_ipv4');
    block.comment('dns64', directive);
    block.note(directive, 'same', 'AAAA records are synthesized from A records');
  },
};
