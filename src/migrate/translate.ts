// A Corefile → zones.yaml and a report on each of its lines. Pure: files and environment are read by the caller.
import { Document, isMap, isScalar } from 'yaml';
import { type CorefileSources, type Directive, parseCorefile, type ServerBlock } from './corefile.ts';
import { type BlockContext, type Draft, emptyDraft, type Finding, written, zoneName } from './draft.ts';
import { PLUGINS } from './plugins.ts';

export interface Migration {
  /** zones.yaml with comments that name the lines it comes from; undefined where nothing could be read. */
  readonly zonesYaml: string | undefined;
  readonly findings: readonly Finding[];
  /** What could not be read, with its place. */
  readonly problems: readonly {
    readonly at: { readonly file: string; readonly line: number };
    readonly text: string;
  }[];
}

/** Ports for probes, metrics and people, of which the first that is not one of DNS is taken; CoreDNS has a port for each. */
const HTTP_PORTS = [8053, 9153];

/** `text` is a Corefile that is called `file` in the report. Never throws for what is in it. */
export function migrateCorefile(text: string, file: string, sources: CorefileSources): Migration {
  const { blocks, problems } = parseCorefile(text, file, sources);
  const draft = emptyDraft();
  const findings: Finding[] = [];
  for (const block of inOrder(blocks)) migrateBlock(block, draft, findings);
  const inPlaces = [...findings].sort((a, b) => a.at.file.localeCompare(b.at.file) || a.at.line - b.at.line);
  return { zonesYaml: blocks.length === 0 ? undefined : composeZonesYaml(draft, file), findings: inPlaces, problems };
}

/** Blocks for the root come first: what they set is the rule, and other blocks are compared with it. */
function inOrder(blocks: readonly ServerBlock[]): ServerBlock[] {
  const isRoot = ({ keys }: ServerBlock) => keys.some((key) => parseKey(key).zone === '.');
  return [...blocks.filter(isRoot), ...blocks.filter((block) => !isRoot(block))];
}

function migrateBlock(block: ServerBlock, draft: Draft, findings: Finding[]): void {
  const keys = block.keys.map(parseKey);
  const unusable = keys.filter(({ scheme }) => scheme !== 'dns');
  const context: BlockContext = {
    zones: keys.map(({ zone }) => zone),
    port: keys[0].port,
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
    for (const { port } of keys) for (const address of ['0.0.0.0', '[::]']) draft.listen.add(`${address}:${port}`);
    context.comment('listen', head);
  }
  for (const directive of block.directives) {
    notePlaceholders(directive, context);
    const plugin = PLUGINS.get(directive.name);
    if (plugin !== undefined) plugin.migrate(directive, context);
    else context.note(directive, 'dropped', `"${directive.name}" is not a plugin of CoreDNS that is known here`);
  }
}

/** zones.yaml has no variables: a value that was kept as {$NAME} must be written out. */
function notePlaceholders(directive: Directive, context: BlockContext): void {
  const all = [...directive.args, ...directive.lines.flatMap(({ name, args }) => [name, ...args])];
  const names = new Set(
    all.flatMap((word) => [...word.matchAll(/\{\$(\w+)\}|\{%(\w+)%\}/g)].map(([, a, b]) => a ?? b)),
  );
  if (names.size > 0)
    context.note(
      directive,
      'changed',
      `write the value of ${[...names].join(', ')}, or set it in the environment of this command`,
    );
}

/** "dns://example.org:1053" → scheme, absolute zone, port. */
function parseKey(key: string): { scheme: string; zone: string; port: number } {
  const [, scheme = 'dns', rest] = /^(?:(\w+):\/\/)?(.*)$/.exec(key)!;
  const [, name, port = '53'] = /^(.*?)(?::(\d{1,5}))?$/.exec(rest)!;
  return { scheme, zone: zoneName(name === '' ? '.' : name), port: Number(port) };
}

/** The draft as YAML: keys in the order of docs/configuration.md, each with the lines that it comes from above it. */
function composeZonesYaml(draft: Draft, file: string): string {
  const values: Record<string, unknown> = {
    listen: [...draft.listen],
    http: draft.http.size > 0 ? httpAddress(draft) : false,
    server: draft.server,
    limits: draft.limits,
    forward: draft.forward,
    cache: draft.cache,
    hosts: hostsOf(draft),
    templates: draft.templates,
    ...draft.single,
    acl: draft.acl,
    rewrite: draft.rewrite,
    zones: [...draft.zones].map(([name, zone]) => ({ name, ...zone })),
  };
  const kept = Object.entries(values).filter(([, value]) => !isEmpty(value));
  const document = new Document(Object.fromEntries(kept), { aliasDuplicateObjects: false });
  document.commentBefore = [
    ` Made from ${file} by \`healthdns migrate\`.`,
    ' Check it with `healthdns check`; every key is explained in docs/configuration.md.',
  ].join('\n');
  if (isMap(document.contents)) {
    for (const [index, { key }] of document.contents.items.entries()) {
      const lines = isScalar(key) ? draft.comments.get(String(key.value)) : undefined;
      if (lines !== undefined && isScalar(key)) key.commentBefore = lines.map((line) => ` ${line}`).join('\n');
      if (isScalar(key)) key.spaceBefore = index > 0;
    }
  }
  return document.toString({ lineWidth: 120, flowCollectionPadding: true });
}

function httpAddress({ listen }: Draft): string {
  const isFree = (port: number) => [...listen].every((address) => !address.endsWith(`:${port}`));
  return `0.0.0.0:${HTTP_PORTS.find(isFree)}`;
}

function hostsOf({ hosts }: Draft): Record<string, unknown> {
  return {
    ...(hosts.files.length > 0 && { files: hosts.files }),
    ...(hosts.entries.length > 0 && { entries: hosts.entries }),
    ...hosts.settings,
  };
}

function isEmpty(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}
