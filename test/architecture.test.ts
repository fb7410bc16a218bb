// Holds the invariants of src/README.md by reading what each file imports.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { walks } from './support/walks.ts';

const root = fileURLToPath(new URL('../../src', import.meta.url));

interface Import {
  readonly from: string;
  readonly to: string;
  readonly typeOnly: boolean;
}

const isCode = (path: string) => /\.tsx?$/.test(path);

const files = readdirSync(root, { recursive: true, encoding: 'utf8' })
  .filter(isCode)
  .map((path) => ({ path, code: withoutComments(readFileSync(join(root, path), 'utf8')) }));
const imports = files.flatMap(({ path, code }) => importsOf(path, code));

/** The room of a file: its folder under src/, or the file itself at the top. The language of zones.yaml is below its meaning. */
const roomOf = (path: string) => path.split('/')[0];
const isForeign = ({ to }: Import) => !to.startsWith('node:') && !isCode(to);
const isInside = ({ to }: Import) => isCode(to);

const leaves = ['clock.ts', 'log.ts', 'metrics.ts', 'metric-table.ts', 'version.ts'];
const bothPlanes = ['plane', 'native', 'memory', 'dns', ...leaves];
const truth = ['zone', 'config', 'health', 'reading', 'registry', ...bothPlanes];

/** What each room may import, types included. The rooms that connect the others (cli, wiring, main.ts) may use anything. */
const below: Record<string, readonly string[]> = {
  dns: ['memory'],
  memory: [],
  native: ['memory', 'dns', 'clock.ts'],
  plane: ['native', 'memory', 'dns', ...leaves],
  forward: bothPlanes,
  server: ['forward', ...bothPlanes],
  front: ['server', 'forward', ...bothPlanes],
  push: ['front', 'server', ...bothPlanes],
  thread: ['push', 'front', 'server', 'forward', ...bothPlanes],
  // A process of its own, without a control plane: it reads its file itself.
  node: ['thread', 'front', 'server', 'forward', 'config', 'reading', ...bothPlanes],
  registry: bothPlanes,
  reading: bothPlanes,
  health: ['reading', 'registry', ...bothPlanes],
  history: ['health', 'registry', ...bothPlanes],
  config: ['health', 'reading', 'registry', ...bothPlanes],
  zone: ['config', 'health', 'reading', 'registry', ...bothPlanes],
  sources: truth,
  taskdef: truth,
  cloudmap: ['taskdef', 'sources', ...truth],
  ecs: ['cloudmap', 'taskdef', 'sources', ...truth],
  endpoints: ['history', 'ecs', 'cloudmap', 'sources', ...truth],
  http: ['history', 'endpoints', 'ecs', 'cloudmap', 'taskdef', 'sources', ...truth],
  migrate: ['config', 'reading', ...bothPlanes],
  query: bothPlanes,
  shadow: ['query', 'config', 'reading', ...bothPlanes],
  'log.ts': [],
  'metrics.ts': ['metric-table.ts'],
  'metric-table.ts': [],
  'clock.ts': [],
  'version.ts': [],
};
const dataPlane = ['node', 'thread', 'push', 'front', 'server', 'forward'];

const homes: Record<string, readonly string[]> = {
  dns2: ['dns', 'query'],
  '@kubernetes/client-node': ['sources/kubernetes'],
  'lru-cache': ['forward', 'memory'],
  commander: ['cli.ts', 'cli'],
  pino: ['log.ts'],
  yaml: ['reading', 'config', 'taskdef', 'migrate'],
  valibot: ['reading', 'config', 'health/policies', 'cloudmap', 'taskdef', 'ecs/operations'], // whoever checks what comes from outside
  koffi: ['native'],
  re2js: ['dns'],
  'classic-level': ['cloudmap'],
  cborg: ['http'],
  '@smithy/signature-v4': ['http'],
  '@smithy/hash-node': ['http'],
  tldts: ['cloudmap'],
  preact: ['http/page'],
  'preact-render-to-string': ['http/page'],
};

const within = (path: string, places: readonly string[]) =>
  places.some((place) => path === place || path.startsWith(`${place}/`));

/** The longest that each walk of src/README.md may be. */
const walkLimits: Record<string, number> = {
  'A query over UDP': 12,
  "A pod's readiness": 15,
  'A cache miss': 15,
  RegisterInstance: 25,
};

test('the walks of src/README.md list files that exist, none of them twice, and are no longer than their limits', () => {
  const listed = walks();
  assert.deepEqual([...listed.keys()].sort(), Object.keys(walkLimits).sort());
  for (const [title, paths] of listed) {
    const missing = paths.filter((path) => !files.some((file) => file.path === path));
    assert.deepEqual(missing, [], title);
    assert.equal(new Set(paths).size, paths.length, title);
    assert.ok(paths.length > 0 && paths.length <= walkLimits[title], `${title}: ${paths.length} files`);
  }
});

test('the test finds all imports, including types', () => {
  const of = (path: string) => imports.filter(({ from }) => from === path);
  assert.ok(of('log.ts').some(({ to, typeOnly }) => to === 'pino' && !typeOnly));
  assert.ok(of('health/sync.ts').some(({ to, typeOnly }) => to === 'registry/registry.ts' && typeOnly));
  assert.ok(of('health/sync.ts').some(({ to, typeOnly }) => to === 'health/judge.ts' && !typeOnly));
});

test('each room imports only the rooms below it', () => {
  const wrong = imports
    .filter(isInside)
    .filter(({ from, to }) => roomOf(from) in below && !within(to, [roomOf(from), ...below[roomOf(from)]]))
    .map(show);
  assert.deepEqual(wrong, []);
});

test('the control plane never imports the data plane', () => {
  const wrong = imports
    .filter(isInside)
    .filter(({ from, to }) => !within(from, dataPlane) && within(to, dataPlane))
    .map(show);
  assert.deepEqual(wrong, []);
});

test('rooms do not import each other in a circle', () => {
  assert.deepEqual(circlesOf(imports.filter(isInside).map(({ from, to }) => [roomOf(from), roomOf(to)] as const)), []);
});

test('folders do not import each other in a circle', () => {
  const folderOf = (path: string) => (path.includes('/') ? dirname(path) : path);
  const circles = circlesOf(imports.filter(isInside).map(({ from, to }) => [folderOf(from), folderOf(to)] as const));
  assert.deepEqual(circles, []);
});

test('files do not import each other in a circle', () => {
  const circles = circlesOf(imports.filter(isInside).map(({ from, to }) => [from, to] as const));
  assert.deepEqual(circles, []);
});

test('each foreign package is imported in one place only', () => {
  const wrong = imports
    .filter(isForeign)
    .filter(({ from, to }) => !within(from, homes[to] ?? []))
    .map(show);
  assert.deepEqual(wrong, []);
});

test('pure rooms do no I/O and use no clock, randomness or process state', () => {
  const pure = files.filter(
    ({ path }) =>
      ['dns', 'registry', 'zone'].includes(roomOf(path)) ||
      (roomOf(path) === 'health' && !path.startsWith('health/checks/')),
  );
  const io = imports
    .filter(({ to }) => to.startsWith('node:') && to !== 'node:util')
    .filter(({ from }) => pure.some(({ path }) => path === from))
    .map(show);
  const ambient =
    /\b(Date\.now|new Date\(\)|performance\.now|Math\.random|setTimeout\(|setInterval\(|setImmediate\(|console\.|process\.|fetch\()/;
  const asks = pure
    .flatMap(({ path, code }) => code.split('\n').map((line, index) => ({ path, line, index })))
    .filter(({ line }) => ambient.test(line.replaceAll(/clock\.\w+\(/g, '')))
    .map(({ path, line, index }) => `${path}:${index + 1} ${line.trim()}`);
  assert.deepEqual([...io, ...asks], []);
});

test('only the command line reads argv and ends the process', () => {
  const wrong = files
    .filter(({ path, code }) => !/^cli(\.ts|\/)/.test(path) && /\bprocess\.(argv|exit\b|exitCode)/.test(code))
    .map(({ path }) => path);
  assert.deepEqual(wrong, []);
});

test('data threads transfer no buffers, after which V8 would check every access to a typed array', () => {
  const below = new Set(['thread', 'front', 'server', 'forward', 'native', 'memory', 'dns']);
  const wrong = files
    .filter(({ path, code }) => below.has(roomOf(path)) && /postMessage\([^;]*, \[|\btransfer\b/.test(code))
    .map(({ path }) => path);
  assert.deepEqual(wrong, []);
});

const show = ({ from, to }: Import) => `${from} imports ${to}`;

/** The strongly connected components of more than one node (Tarjan), each in the order of its names. */
function circlesOf(edges: readonly (readonly [string, string])[]): string[][] {
  const next = new Map<string, Set<string>>();
  for (const [from, to] of edges) {
    if (!next.has(from)) next.set(from, new Set());
    if (from !== to) next.get(from)!.add(to);
  }
  const index = new Map<string, number>();
  const low = new Map<string, number>();
  const stack: string[] = [];
  const circles: string[][] = [];
  const visit = (node: string): void => {
    index.set(node, index.size);
    low.set(node, index.get(node)!);
    stack.push(node);
    for (const to of next.get(node) ?? []) {
      if (!index.has(to)) visit(to);
      if (stack.includes(to)) low.set(node, Math.min(low.get(node)!, low.get(to)!));
    }
    if (low.get(node) !== index.get(node)) return;
    const circle = stack.splice(stack.indexOf(node));
    if (circle.length > 1) circles.push(circle.sort());
  };
  for (const node of next.keys()) if (!index.has(node)) visit(node);
  return circles;
}

function importsOf(path: string, code: string): Import[] {
  const statements = code.matchAll(
    /^(?:import|export)\s+(type\s)?(\{[^}]*\}|\*(?:\s+as\s+\w+)?|\w+(?:\s*,\s*\{[^}]*\})?)\s+from\s+'([^']+)'/gm,
  );
  const bare = code.matchAll(/^import\s+'([^']+)'/gm);
  const dynamic = code.matchAll(/\bimport\('([^']+)'\)/g);
  return [
    ...[...statements].map(([, type, names, to]) => ({ typeOnly: type !== undefined || onlyTypes(names), to })),
    ...[...bare, ...dynamic].map(([, to]) => ({ typeOnly: false, to })),
  ].map(({ typeOnly, to }) => ({
    from: path,
    to: to.startsWith('.') ? relative(root, resolve(root, dirname(path), to)) : to,
    typeOnly,
  }));
}

/** `{ type A, type B }`: with verbatimModuleSyntax the import stays, but for nothing's sake. */
function onlyTypes(names: string): boolean {
  const braces = /^\{([\s\S]*)\}$/.exec(names.trim());
  if (braces === null) return false;
  const list = braces[1].split(',').map((name) => name.trim());
  return list.filter((name) => name !== '').every((name) => name.startsWith('type '));
}

function withoutComments(code: string): string {
  return code
    .replaceAll(/\/\*[\s\S]*?\*\//g, (comment) => comment.replaceAll(/[^\n]/g, ' '))
    .replaceAll(/(^|\s)\/\/.*$/gm, '');
}
