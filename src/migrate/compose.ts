// Server blocks as one zones.yaml: the first block for all names is the file, the others become entries of `forward` where
// nothing else differs, and views where something does.
import { isDeepStrictEqual } from 'node:util';
import { Document, isMap, isScalar, isSeq, type Node, type YAMLMap } from 'yaml';
import type { Draft } from './draft.ts';

export interface DraftedBlock {
  /** Absolute. */
  readonly zones: readonly string[];
  readonly draft: Draft;
  /** Where the block begins and its keys. */
  readonly head: string;
}

type Keys = Record<string, unknown>;
/** Keys of a view that the file has and the block does not. */
const SWITCHED_OFF: Keys = {
  ...{ forward: [], hosts: {}, templates: [], acl: [], rewrite: [] },
  ...{ dns64: false, queryLog: false, nsid: false },
};
/** The port of our own manifests; those of CoreDNS's probes and metrics are kept beside it. */
const HTTP_PORT = 8053;
/** As in our own manifests, whose HEALTHDNS_HTTP it is. */
const ADMIN = '127.0.0.1:8054';

/** `patterns`: what the blocks import. */
export function composeZonesYaml(blocks: readonly DraftedBlock[], patterns: readonly string[], file: string): string {
  const [main, ...others] = blocks;
  const ofFile = answeringOf(main);
  const comments = new Map(main.draft.comments);
  const views: Keys[] = [];
  const viewComments: string[][] = [];
  for (const block of others) {
    for (const key of SHARED) addComments(comments, key, block.draft.comments.get(key));
    if (isOnlyForwarding(block, main)) {
      ofFile.forward = [...((ofFile.forward as Keys[] | undefined) ?? []), ...forwardOf(block)];
      addComments(comments, 'forward', block.draft.comments.get('forward'));
    } else if (hasAnything(block)) {
      views.push(viewOf(block, main, ofFile));
      viewComments.push([...new Set([block.head, ...commentsOf(block)])]);
    }
  }
  if (main.draft.isDns64ForIpv6) {
    views.push({ name: 'clients over IPv6', clients: ['::/0'], dns64: ofFile.dns64 });
    viewComments.push(main.draft.comments.get('dns64') ?? []);
    delete ofFile.dns64;
  }
  const { include, http, metrics, server, limits, zones } = main.draft;
  const values: Keys = {
    include: [...include],
    listen: [...main.draft.listen],
    http: httpOf(
      http,
      [...zones.values()].some((zone) => 'kubernetes' in zone),
      blocks.flatMap(({ draft }) => [...draft.listen]),
    ),
    admin: ADMIN,
    ...metrics,
    server,
    limits,
    ...ofFile,
    views: [...views, ...closingViews(blocks)],
    zones: [...zones].map(([name, zone]) => ({ name, ...zone })),
  };
  comments.set('admin', [
    'For `healthdns explain`, `status`, `drain` and the page: HEALTHDNS_HTTP=http://127.0.0.1:8054',
  ]);
  if (include.size > 0)
    comments.set(
      'include',
      patterns.map((pattern) => `import ${pattern}: what it imports now is in this file`),
    );
  const kept = Object.entries(values).filter(([key, value]) => key === 'cache' || !isEmpty(value));
  return textOf(Object.fromEntries(kept), comments, viewComments, file);
}

/** Keys that belong to all blocks. */
const SHARED = ['http', 'metrics', 'server', 'limits', 'zones'];

function addComments(comments: Map<string, string[]>, key: string, lines: readonly string[] = []): void {
  if (lines.length > 0) comments.set(key, [...new Set([...(comments.get(key) ?? []), ...lines])]);
}

const commentsOf = ({ draft }: DraftedBlock): string[] => [
  ...new Set([...draft.comments].flatMap(([key, lines]) => (SHARED.includes(key) ? [] : lines))),
];

/** How the block answers, beside its zones. */
function answeringOf(block: DraftedBlock): Keys {
  const { draft } = block;
  const { files, entries, settings } = draft.hosts;
  const all: Keys = {
    forward: forwardOf(block),
    hosts: { ...(files.length > 0 && { files }), ...(entries.length > 0 && { entries }), ...settings },
    templates: draft.templates,
    ...draft.single,
    acl: draft.acl,
    rewrite: draft.rewrite,
  };
  const kept = Object.fromEntries(Object.entries(all).filter(([, value]) => !isEmpty(value)));
  const isCacheUsed = kept.forward !== undefined || kept.hosts !== undefined || kept.templates !== undefined;
  const { forward, ...rest } = kept;
  return {
    ...(forward !== undefined && { forward }),
    ...(isCacheUsed && { cache: draft.cache ?? { enabled: false } }),
    ...rest,
  };
}

/** An entry without a zone of its own is for those of the block. */
function forwardOf({ zones, draft }: DraftedBlock): Keys[] {
  return draft.forward.flatMap((entry) =>
    entry.zone === undefined && !zones.includes('.')
      ? zones.map((zone) => ({ zone: withoutDot(zone), ...entry }))
      : [entry],
  );
}

/** Whether nothing but the servers differs from the main block, so that its names are one more entry of `forward`. */
function isOnlyForwarding(block: DraftedBlock, main: DraftedBlock): boolean {
  if (!isSameAddresses(block, main) || block.zones.includes('.') || block.draft.clients.length > 0) return false;
  const { forward, ...own } = answeringOf(block);
  const { forward: _, ...ofMain } = answeringOf(main);
  return forward !== undefined && isDeepStrictEqual(own, ofMain);
}

const isSameAddresses = (one: DraftedBlock, other: DraftedBlock): boolean =>
  isDeepStrictEqual([...one.draft.listen].sort(), [...other.draft.listen].sort());

/** A block that only sets what all share (chaos, health), or only has zones, needs no view. */
const hasAnything = (block: DraftedBlock): boolean => Object.keys(answeringOf(block)).length > 0;

function viewOf(block: DraftedBlock, main: DraftedBlock, ofFile: Keys): Keys {
  const own = answeringOf(block);
  const off = Object.fromEntries(Object.entries(SWITCHED_OFF).filter(([key]) => key in ofFile && !(key in own)));
  // Each query of the view is for its names, so that its entries need no zone.
  const forward = block.draft.forward.length > 0 && { forward: block.draft.forward };
  const names = block.zones.includes('.') ? [] : block.zones.map(withoutDot);
  const elsewhere = !isSameAddresses(block, main);
  const { view, zones } = block.draft;
  const seesAll = !elsewhere || block.draft.zoneNames.size === zones.size;
  return {
    name: [
      ...(view === undefined ? (names.length > 0 ? names : ['all']) : [view]),
      ...(elsewhere ? [`at ${[...block.draft.listen][0]}`] : []),
    ].join(' '),
    ...(elsewhere && { listen: [...block.draft.listen] }),
    ...(block.draft.clients.length > 0 && { clients: block.draft.clients }),
    ...(names.length > 0 && { names }),
    ...(!seesAll && { zones: [...block.draft.zoneNames] }),
    ...own,
    ...forward,
    ...off,
  };
}

/** Addresses at which no block answers all names: what else is asked there is refused, not answered as elsewhere. */
function closingViews(blocks: readonly DraftedBlock[]): Keys[] {
  const [main, ...others] = blocks;
  const open = new Set(others.filter(({ zones }) => zones.includes('.')).flatMap(({ draft }) => [...draft.listen]));
  const closed = new Set(
    others
      .filter((block) => hasAnything(block))
      .flatMap(({ draft }) => [...draft.listen])
      .filter((address) => !open.has(address) && !main.draft.listen.has(address)),
  );
  if (closed.size === 0) return [];
  const off = { forward: [], hosts: {}, templates: [], zones: [] };
  return [{ name: 'other names', listen: [...closed], ...off }];
}

/**
 * 0.0.0.0:8053 for the probes of our own manifests, even if the Corefile has none, and where CoreDNS's probes and metrics are
 * expected. Empty: the default, which is loopback.
 */
function httpOf(wanted: ReadonlySet<string>, isInCluster: boolean, listen: readonly string[]): string | string[] {
  if (wanted.size === 0 && !isInCluster) return [];
  const dns = listen.map((address) => /:(\d+)$/.exec(address)![1]);
  const addresses = [`:${HTTP_PORT}`, ...wanted]
    .map((address) => address.replace(/^:/, '0.0.0.0:').replace(/^localhost:/, '127.0.0.1:'))
    .filter((address) => !dns.includes(/:(\d+)$/.exec(address)?.[1] ?? ''));
  const isCovered = (address: string) =>
    !address.startsWith('0.0.0.0:') && addresses.includes(address.replace(/^.*:/, '0.0.0.0:'));
  const different = [...new Set(addresses.filter((address) => !isCovered(address)))];
  return different.length === 1 ? different[0] : different;
}

/** Keys in the order of docs/configuration.md, each with the lines that it comes from above it. */
function textOf(
  values: Keys,
  comments: ReadonlyMap<string, readonly string[]>,
  viewComments: readonly (readonly string[])[],
  file: string,
): string {
  const document = new Document(withVariables(values), { aliasDuplicateObjects: false });
  document.commentBefore = [
    ` Made from ${file} by \`healthdns migrate\`.`,
    ' Check it with `healthdns check`; every key is explained in docs/configuration.md.',
  ].join('\n');
  if (isMap(document.contents)) {
    for (const [index, { key, value }] of document.contents.items.entries()) {
      if (!isScalar(key)) continue;
      key.spaceBefore = index > 0;
      comment(key, comments.get(String(key.value)) ?? []);
      if (key.value === 'views' && isSeq(value))
        for (const [i, view] of value.items.entries()) comment(view as YAMLMap, viewComments[i] ?? []);
    }
  }
  return document.toString({ lineWidth: 120, flowCollectionPadding: true });
}

function comment(node: Node, lines: readonly string[]): void {
  if (lines.length > 0) node.commentBefore = lines.map((line) => ` ${line}`).join('\n');
}

/** {$NAME} that were kept are variables of zones.yaml, and ${NAME} that are none are escaped. */
function withVariables(value: unknown): unknown {
  if (typeof value === 'string')
    return value
      .replaceAll(/\$\{(?=[A-Za-z_])/g, '$$$${')
      .replaceAll(
        /\{\$(\w+)\}|\{%(\w+)%\}/g,
        (_, a, b) => `\${${a ?? b}${(a ?? b) === 'HOSTNAME' ? ':-healthdns' : ''}}`,
      );
  if (Array.isArray(value)) return value.map(withVariables);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, withVariables(one)]));
}

function isEmpty(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}

function withoutDot(name: string): string {
  return name === '.' ? name : name.replace(/\.$/, '');
}
