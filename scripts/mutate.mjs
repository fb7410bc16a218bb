// `npm run mutate [-- ROOM …] [--seed N] [--count N] [--only N,N-N,…] [--seconds N] [--list]`: changes one operator, constant or condition of a room at a
// time, runs the tests of that room that run the changed code, and lists the mutants that no test notices. Mutates a
// copy of the compiled code. A mutant counts as killed only if the test that failed passes again without it; one that
// hangs is counted by itself. Stryker has no runner for a random sample over node:test; this needs a parser only.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { cp, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { SourceMap } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { covers, readCoverage } from './covered.mjs';
import { mutationsOf } from './mutations.mjs';

/** The test folders of a room, where they are not just test/ROOM. */
const TESTS = {
  dns: ['dns', 'server', 'forward', 'zone'],
  memory: ['memory', 'registry', 'forward'],
  native: ['native', 'server', 'forward'],
  plane: ['plane', 'forward', 'zone', 'server'],
  server: ['server', 'scenarios', 'forward', 'plane'],
  front: ['front', 'forward'],
  thread: ['thread', 'plane'],
  forward: ['forward', 'plane'],
  zone: ['zone', 'scenarios', 'http'],
  health: ['health', 'config', 'zone', 'http'],
  registry: ['registry', 'health', 'zone'],
};
const DEFAULT_ROOMS = ['health', 'registry', 'zone', 'dns', 'plane', 'forward', 'server'];
/** Mutants that change nothing which a test should notice, each with the reason. */
const EQUIVALENT = 'scripts/equivalent-mutants.txt';
/** A mutant whose test takes so much longer than with the unchanged code hangs: noticed. */
const SLOWER = 2;
const MORE_MS = 10_000;
const WITHOUT_MUTATION_MS = 240_000;
/** A test of the room is run before one of another room that takes up to so many times less; likewise for each import nearer. */
const OWN_TESTS_SOONER = 4;
const NEARER_SOONER = 1.5;
/** Of a test that has not run yet. */
const UNKNOWN_MS = 1000;
/** Tests that pass with one mutant for so long are enough: it has survived. */
const ENOUGH_MS = 300_000;
/** What `importsOf` has read. */
const importsByFile = new Map();

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seed: { type: 'string', default: '1' },
    count: { type: 'string', default: '20' },
    seconds: { type: 'string', default: '1800' },
    /** Numbers and ranges of the list. */
    only: { type: 'string' },
    list: { type: 'boolean', default: false },
  },
});
const rooms = positionals.length > 0 ? positionals : DEFAULT_ROOMS;

/** The copy that is mutated. */
const tree = await mkdtemp(join(tmpdir(), 'healthdns-mutate-'));
process.once('SIGINT', () => void rm(tree, { recursive: true, force: true }).then(() => process.exit(130)));
try {
  await copyTree();
  process.exitCode = await main();
} finally {
  await rm(tree, { recursive: true, force: true });
}

async function main() {
  const mutants = await sample(Number(options.count), options.seed);
  if (options.list) {
    for (const [index, mutant] of mutants.entries()) console.log(`${index + 1} ${await describe(mutant)}`);
    return 0;
  }
  const isWanted = ranges(options.only);
  const equivalent = await readEquivalent();
  /** What has been recorded of tests. */
  const known = new Map();
  const byRoom = new Map(rooms.map((room) => [room, { killed: 0, hung: 0, survived: 0, unreached: 0, equivalent: 0 }]));
  const untilMs = performance.now() + 1000 * Number(options.seconds);
  for (const [index, mutant] of mutants.entries()) {
    if (performance.now() > untilMs) {
      console.log(`stopped after ${options.seconds} s`);
      break;
    }
    if (!isWanted(index + 1)) continue;
    const { outcome, by } = equivalent.has(keyOf(mutant)) ? { outcome: 'equivalent' } : await judge(mutant, known);
    byRoom.get(mutant.room)[outcome]++;
    const word = outcome === 'survived' || outcome === 'unreached' ? outcome.toUpperCase() : outcome;
    console.log(
      `${index + 1}/${mutants.length} ${word.padEnd(10)} ${await describe(mutant)}${by === undefined ? '' : ` (${by})`}`,
    );
  }
  return report(byRoom);
}

function report(byRoom) {
  const all = { killed: 0, hung: 0, survived: 0, unreached: 0, equivalent: 0 };
  console.log('');
  for (const [room, counts] of byRoom) {
    for (const outcome of Object.keys(all)) all[outcome] += counts[outcome];
    console.log(`${room.padEnd(10)} ${inWords(counts)}`);
  }
  console.log(`${'all'.padEnd(10)} ${inWords(all)}`);
  return all.survived + all.unreached === 0 ? 0 : 1;
}

function inWords({ killed, hung, survived, unreached, equivalent }) {
  const judged = killed + hung + survived + unreached;
  const share = ((100 * (killed + hung)) / Math.max(1, judged)).toFixed(0);
  return `${killed + hung} of ${judged} mutants killed (${share} %), of which ${hung} hung; ${survived} survived, ${unreached} in files that no test of the room imports; ${equivalent} equivalent`;
}

/** `3,10-20` as a predicate. */
function ranges(text) {
  if (text === undefined) return () => true;
  const all = text.split(',').map((range) => range.split('-').map(Number));
  return (number) => all.some(([first, last = first]) => number >= first && number <= last);
}

/** Titles without the line; a line that begins with `#` is the reason for those after it. */
async function readEquivalent() {
  const lines = (await readFile(EQUIVALENT, 'utf8')).split('\n');
  return new Set(lines.filter((line) => line !== '' && !line.startsWith('#')));
}

/** The repository with a copy of build/ to change. */
async function copyTree() {
  for (const entry of await readdir('.'))
    if (entry !== 'build' && entry !== '.git') await symlink(resolve(entry), join(tree, entry));
  await cp('build', join(tree, 'build'), { recursive: true });
}

/**
 * So many mutants of the rooms, each file's chance being in proportion to what can be mutated in it. The choice among those of
 * unchanged lines is the same whatever else has changed.
 */
async function sample(count, seed) {
  const all = [];
  const seen = new Map();
  for (const room of rooms) {
    const files = await filesUnder(join('build/src', room), '.js');
    if (files.length === 0) throw new Error(`src/${room} does not exist or has not been compiled`);
    for (const file of files) {
      const code = await readFile(file, 'utf8');
      for (const mutation of mutationsOf(code)) {
        const mutant = { room, file, code, ...mutation };
        const key = `${keyOf(mutant).replace('▸', '')} ${placeIn(mutant).column}`;
        const sameBefore = seen.get(key) ?? 0;
        seen.set(key, sameBefore + 1);
        const rank = createHash('sha1')
          .update(`${seed} ${key}${' again'.repeat(sameBefore)}`)
          .digest('hex');
        all.push({ ...mutant, rank });
      }
    }
  }
  all.sort((a, b) => (a.rank < b.rank ? -1 : 1));
  return all.slice(0, count);
}

/**
 * Runs the tests that run the mutated code until one fails: quick and near ones first, and sooner those of the room. What a test
 * runs is recorded when it is needed for the first time.
 */
async function judge({ room, file, code, start, end, text, runsAt = start }, known) {
  const distances = await testsReaching(file, TESTS[room] ?? [room]);
  if (distances.size === 0) return { outcome: 'unreached' };
  const own = (test) => test.startsWith(join('build/test', room, '/'));
  const cost = (test) =>
    ((known.get(test)?.tookMs ?? UNKNOWN_MS) * NEARER_SOONER ** distances.get(test)) /
    (own(test) ? OWN_TESTS_SOONER : 1);
  const mutated = join(tree, file);
  let leftMs = ENOUGH_MS;
  try {
    for (const test of [...distances.keys()].sort((a, b) => cost(a) - cost(b))) {
      if (!known.has(test)) known.set(test, await record(test));
      const { tookMs, covered } = known.get(test);
      if (covered === undefined || !covers(covered.get(file) ?? [], runsAt) || leftMs < 0) continue;
      await writeFile(mutated, code.slice(0, start) + text + code.slice(end));
      const timeoutMs = MORE_MS + SLOWER * tookMs;
      const run = await runTest(test, timeoutMs);
      await writeFile(mutated, code);
      leftMs -= run.tookMs;
      if (run.passed) continue;
      const again = await runTest(test, WITHOUT_MUTATION_MS);
      const by = relative('build/test', test);
      if (again.passed && !run.hung) return { outcome: 'killed', by };
      if (again.passed && again.tookMs < timeoutMs / 2) return { outcome: 'hung', by };
      console.log(`${by}: not judged, ${again.passed ? 'the machine is busy' : 'it also fails without the mutation'}`);
    }
    return { outcome: 'survived' };
  } finally {
    await writeFile(mutated, code);
  }
}

/** How long a test takes, and what it runs; `covered` is undefined where it fails. */
async function record(test) {
  const folder = await mkdtemp(join(tmpdir(), 'healthdns-covered-'));
  try {
    const { passed, tookMs } = await runTest(test, WITHOUT_MUTATION_MS, { NODE_V8_COVERAGE: folder });
    if (passed) return { tookMs, covered: await readCoverage(folder, tree) };
    console.log(`${relative('build/test', test)} is left out: it fails without any mutation, or is too slow`);
    return { tookMs };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** In a process group of its own, which a timeout ends with all that the test has started. */
function runTest(test, timeoutMs, variables = {}) {
  const startMs = performance.now();
  const env = { ...process.env, ...variables };
  const child = spawn(process.execPath, [join(tree, test)], { cwd: tree, stdio: 'ignore', detached: true, env });
  let hung = false;
  const timer = setTimeout(() => {
    hung = true;
    killGroup(child.pid);
  }, timeoutMs);
  return new Promise((done) =>
    child.once('exit', (code) => {
      clearTimeout(timer);
      killGroup(child.pid);
      done({ passed: code === 0, hung, tookMs: performance.now() - startMs });
    }),
  );
}

function killGroup(pid) {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // All of them have ended.
  }
}

/** Compiled test files in these folders that import `file`, also indirectly, with how many imports are between. */
async function testsReaching(file, folders) {
  const tests = (await Promise.all(folders.map((folder) => filesUnder(join('build/test', folder), '.test.js')))).flat();
  const reaching = new Map();
  for (const test of tests) {
    const distance = await distanceBetween(test, file);
    if (distance !== undefined) reaching.set(test, distance);
  }
  return reaching;
}

async function distanceBetween(from, to) {
  const distances = new Map([[from, 0]]);
  for (const [file, distance] of distances) {
    if (file === to) return distance;
    if (!importsByFile.has(file)) importsByFile.set(file, await importsOf(file));
    for (const imported of importsByFile.get(file)) if (!distances.has(imported)) distances.set(imported, distance + 1);
  }
  return undefined;
}

/** Relative imports, and modules that are named by URL (the thread's entry). */
async function importsOf(file) {
  const code = await readFile(file, 'utf8').catch(() => '');
  const named = code.matchAll(/(?:from |import\(|import |new URL\()'(\.[^']+\.js)'/g);
  return [...named].map(([, path]) => relative('.', resolve(dirname(file), path)));
}

async function filesUnder(folder, ending) {
  const entries = await readdir(folder, { recursive: true }).catch(() => []);
  return entries
    .filter((path) => path.endsWith(ending))
    .map((path) => join(folder, path))
    .filter((path) => existsSync(sourceOf(path))) // Sources that have moved leave their compiled code behind.
    .sort();
}

function sourceOf(file) {
  return file.replace(/^build\//, '').replace(/\.js$/, '.ts');
}

/** "src/dns/name.ts: < became <=: while (at ▸< end)". */
function keyOf(mutant) {
  const { file, code, start, end, text, what } = mutant;
  const { line, column } = placeIn(mutant);
  const shown = code.split('\n', line + 1).at(-1);
  const marked = `${shown.slice(0, column)}▸${shown.slice(column)}`.trim();
  return `${sourceOf(file)}: ${what ?? `${code.slice(start, end)} became ${text}`}: ${marked}`;
}

/** In the compiled code, from 0. */
function placeIn({ code, start }) {
  const before = code.slice(0, start).split('\n');
  return { line: before.length - 1, column: before.at(-1).length };
}

/** The key with the line of the source: "src/dns/name.ts:41: …". */
async function describe(mutant) {
  const { line, column } = placeIn(mutant);
  const map = new SourceMap(JSON.parse(await readFile(`${mutant.file}.map`, 'utf8')));
  const { originalLine } = map.findEntry(line, column);
  return keyOf(mutant).replace(':', `:${(originalLine ?? line) + 1}:`);
}
