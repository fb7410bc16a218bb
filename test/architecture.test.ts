// Holds the invariants of src/README.md by reading what each file imports.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../src', import.meta.url));

interface Import {
  readonly from: string;
  readonly to: string;
  readonly typeOnly: boolean;
}

const files = readdirSync(root, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts'))
  .map((path) => ({ path, code: withoutComments(readFileSync(join(root, path), 'utf8')) }));
const imports = files.flatMap(({ path, code }) => importsOf(path, code));

/** The room of a file: its folder under src/, or the file itself at the top. */
const roomOf = (path: string) => path.split('/')[0];
const isForeign = ({ to }: Import) => !to.startsWith('node:') && !to.endsWith('.ts');
const isInside = ({ to }: Import) => to.endsWith('.ts');

/** Rooms whose code (not only types) each room may use. What is not listed here may use anything. */
const mayUse: Record<string, readonly string[]> = {
  dns: ['dns'],
  registry: ['registry', 'plane', 'dns'],
  zone: ['zone', 'registry', 'health', 'plane', 'dns'],
  health: ['health', 'registry', 'plane', 'dns'],
  config: ['config', 'registry', 'dns', 'forward/settings.ts', 'health'],
  plane: ['plane', 'dns', 'server/engine.ts'], // the engine for in-process.ts alone; held below
  server: ['server', 'forward', 'dns', 'plane', 'clock.ts'],
  forward: ['forward', 'server', 'dns', 'plane'],
  sources: ['sources', 'registry', 'config', 'dns', 'health'],
  'log.ts': [],
  'metrics.ts': [],
  'clock.ts': [],
};

/** Types that the data plane may name although their room belongs to the control plane. */
const dataPlaneTypes = ['dns', 'plane', 'server', 'forward', 'clock.ts', 'registry/model.ts', 'metrics.ts', 'log.ts'];

const homes: Record<string, readonly string[]> = {
  dns2: ['dns', 'query'],
  '@kubernetes/client-node': ['sources/kubernetes'],
  'lru-cache': ['forward'],
  commander: ['cli.ts', 'cli/arguments.ts'],
  pino: ['log.ts'],
  yaml: ['config', 'taskdef'],
  valibot: ['config', 'cloudmap', 'taskdef'], // whoever checks what comes from outside
  '@valibot/to-json-schema': ['config'],
  koffi: ['server'],
  'classic-level': ['cloudmap'],
  cborg: ['http'],
  '@smithy/signature-v4': ['http'],
};

const within = (path: string, places: readonly string[]) =>
  places.some((place) => path === place || path.startsWith(`${place}/`));

test('the imports are found (or nothing below would mean anything)', () => {
  const of = (path: string) => imports.filter(({ from }) => from === path);
  assert.ok(of('log.ts').some(({ to, typeOnly }) => to === 'pino' && !typeOnly));
  assert.ok(of('health/sync.ts').some(({ to, typeOnly }) => to === 'registry/registry.ts' && typeOnly));
  assert.ok(of('health/sync.ts').some(({ to, typeOnly }) => to === 'health/judge.ts' && !typeOnly));
});

test('each room uses only the rooms it may', () => {
  const wrong = imports
    .filter((one) => isInside(one) && !one.typeOnly)
    .filter(({ from, to }) => roomOf(from) in mayUse && !within(to, mayUse[roomOf(from)]))
    .map(show);
  assert.deepEqual(wrong, []);
});

test('the data plane knows nothing of the control plane, not even its types', () => {
  const wrong = imports
    .filter((one) => isInside(one) && ['server', 'forward'].includes(roomOf(one.from)))
    .filter(({ to }) => !within(to, dataPlaneTypes))
    .map(show);
  assert.deepEqual(wrong, []);
});

test('no code of the control plane uses server/ or forward/, except what the two planes have agreed on', () => {
  const agreed = ['forward/settings.ts'];
  const wrong = imports
    .filter((one) => isInside(one) && !one.typeOnly && !['server', 'forward'].includes(roomOf(one.from)))
    .filter(({ to }) => within(to, ['server', 'forward']) && !agreed.includes(to))
    .filter(({ from }) => from !== 'plane/in-process.ts')
    .map(show);
  assert.deepEqual(wrong, []);
});

test('each foreign package has one home', () => {
  const wrong = imports
    .filter(isForeign)
    .filter(({ from, to }) => !within(from, homes[to] ?? []))
    .map(show);
  assert.deepEqual(wrong, []);
});

test('the pure rooms do no I/O and ask neither the clock nor chance nor the process', () => {
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

test('no file is longer than 300 lines', () => {
  const long = files
    .map(({ path }) => ({ path, lines: readFileSync(join(root, path), 'utf8').split('\n').length - 1 }))
    .filter(({ lines }) => lines > 300);
  assert.deepEqual(long, []);
});

const show = ({ from, to }: Import) => `${from} imports ${to}`;

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
