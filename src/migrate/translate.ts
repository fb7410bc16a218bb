// A Corefile → zones.yaml and a report on each of its lines. Pure: files and environment are read by the caller.
import { composeZonesYaml, type DraftedBlock } from './compose.ts';
import { type CorefileSources, type Directive, parseCorefile, type ServerBlock } from './corefile.ts';
import {
  type BlockContext,
  emptyDraft,
  emptySharedDraft,
  type Finding,
  type SharedDraft,
  written,
  zoneNames,
} from './draft.ts';
import { PLUGINS } from './plugins.ts';

export interface Migration {
  /** zones.yaml with comments that name the lines it comes from; undefined where nothing could be read. */
  readonly zonesYaml: string | undefined;
  readonly findings: readonly Finding[];
  /** Unreadable parts, with their positions. */
  readonly problems: readonly {
    readonly at: { readonly file: string; readonly line: number };
    readonly text: string;
  }[];
}

/** `text` is a Corefile that is called `file` in the report. Never throws for what is in it. */
export function migrateCorefile(text: string, file: string, sources: CorefileSources): Migration {
  const patterns = new Set<string>();
  const noting: CorefileSources = {
    ...sources,
    filesOf(pattern, importingFile) {
      if (/[*?[]/.test(pattern)) patterns.add(pattern);
      return sources.filesOf(pattern, importingFile);
    },
  };
  const { blocks, problems } = parseCorefile(text, file, noting);
  const shared = emptySharedDraft();
  for (const pattern of patterns) shared.include.add(pattern.replace(/\.\w+$/, '.yaml'));
  const findings: Finding[] = [];
  const drafted = inOrder(blocks).map((block) => migrateBlock(block, shared, findings));
  const inPlaces = [...findings].sort((a, b) => a.at.file.localeCompare(b.at.file) || a.at.line - b.at.line);
  const zonesYaml = drafted.length === 0 ? undefined : composeZonesYaml(drafted, [...patterns], file);
  return { zonesYaml, findings: inPlaces, problems };
}

/** The first block for all names of all clients comes first: what it sets is the rule, and other blocks are compared with it. */
function inOrder(blocks: readonly ServerBlock[]): ServerBlock[] {
  const isRoot = ({ keys }: ServerBlock) => keys.some((key) => parseKey(key).zones.includes('.'));
  const isForAll = ({ directives }: ServerBlock) => directives.every(({ name }) => name !== 'view');
  const main = blocks.find((block) => isRoot(block) && isForAll(block)) ?? blocks.find(isForAll);
  return main === undefined ? [...blocks] : [main, ...blocks.filter((block) => block !== main)];
}

function migrateBlock(block: ServerBlock, shared: SharedDraft, findings: Finding[]): DraftedBlock {
  const keys = block.keys.map(parseKey);
  const unusable = keys.filter(({ scheme }) => scheme !== 'dns');
  const draft = emptyDraft(shared);
  const context: BlockContext = {
    zones: keys.flatMap(({ zones }) => zones),
    ports: [...new Set(keys.map(({ port }) => port))],
    draft,
    note: (directive, outcome, text, ...differences) =>
      void findings.push({ at: directive.at, directive: written(directive), outcome, text, differences }),
    comment(key, directive) {
      const lines = draft.comments.get(key) ?? [];
      const line = `${directive.at.file}:${directive.at.line}: ${written(directive)}`;
      if (!lines.includes(line)) draft.comments.set(key, [...lines, line]);
    },
  };
  const head: Directive = { name: block.keys.join(' '), args: [], at: block.at, lines: [] };
  if (unusable.length > 0)
    context.note(head, 'dropped', `${unusable.map(({ scheme }) => scheme).join(', ')}: clients ask over UDP and TCP`);
  if (!block.directives.some(({ name }) => name === 'bind')) {
    for (const port of context.ports) for (const address of ['0.0.0.0', '[::]']) draft.listen.add(`${address}:${port}`);
    context.comment('listen', head);
  }
  for (const directive of rootFirst(block.directives)) {
    notePlaceholders(directive, context);
    const plugin = PLUGINS.get(directive.name);
    if (plugin !== undefined) plugin.migrate(directive, context);
    else context.note(directive, 'dropped', `"${directive.name}" is not a plugin of CoreDNS that is known here`);
  }
  return { zones: context.zones, draft, head: `${head.at.file}:${head.at.line}: ${head.name}` };
}

/** It concerns paths of other directives wherever it stands. */
const rootFirst = (directives: readonly Directive[]): Directive[] => [
  ...directives.filter(({ name }) => name === 'root'),
  ...directives.filter(({ name }) => name !== 'root'),
];

/** A value that was kept as {$NAME} is filled in when zones.yaml is read. */
function notePlaceholders(directive: Directive, context: BlockContext): void {
  const all = [...directive.args, ...directive.lines.flatMap(({ name, args }) => [name, ...args])];
  const names = new Set(
    all.flatMap((word) => [...word.matchAll(/\{\$(\w+)\}|\{%(\w+)%\}/g)].map(([, a, b]) => a ?? b)),
  );
  if (names.size > 0)
    context.note(
      directive,
      'changed',
      `the value of ${[...names].join(', ')} is taken from the environment of \`healthdns serve\``,
    );
}

/** "dns://example.org:1053" → scheme, absolute zones, port. */
function parseKey(key: string): { scheme: string; zones: string[]; port: number } {
  const [, scheme = 'dns', rest] = /^(?:(\w+):\/\/)?(.*)$/.exec(key)!;
  const [, name, port = '53'] = /^(.*?)(?::(\d{1,5}))?$/.exec(rest)!;
  return { scheme, zones: zoneNames(name === '' ? '.' : name), port: Number(port) };
}
