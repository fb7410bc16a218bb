// deploy/Dockerfile without an engine: its steps run in folders, and the image in a root of its own.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, cp, mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { repository } from '../support/command.ts';
import { requirement } from '../support/requirement.ts';
import { temporary } from '../support/temporary.ts';

const run = promisify(execFile);
type Instruction = readonly [name: string, text: string];

/** The instructions of each stage, by the stage's name. */
async function stages(): Promise<ReadonlyMap<string, readonly Instruction[]>> {
  const text = await readFile(join(repository, 'deploy/Dockerfile'), 'utf8');
  const found = new Map<string, Instruction[]>();
  for (const line of text
    .replaceAll(/^#.*\n/gm, '')
    .replaceAll(/\\\n\s*/g, '')
    .split('\n')) {
    const [, name, rest] = /^([A-Z]+) (.*)$/.exec(line) ?? [];
    if (name === undefined || name === 'ARG') continue;
    if (name === 'FROM') found.set(rest.split(' AS ')[1] ?? '', []);
    else [...found.values()].at(-1)!.push([name, rest]);
  }
  return found;
}

/** What an engine would not find on a bare machine: packages come from a folder, dependencies are those of the lock file. */
const BY_OTHER_MEANS: Readonly<Record<string, true>> = {
  'apt-get update && apt-get install -y --no-install-recommends tini': true,
  'npm ci --ignore-scripts': true,
  'npm prune --omit=dev --ignore-scripts': true,
};

/** Carries out the build stage in `folder`, which stands for /build, and returns the folder of the image's files. */
async function build(folder: string): Promise<string> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'tini-static'), 'of a package');
  const work = join(folder, 'build');
  await mkdir(work);
  const ignored = await readFile(join(repository, 'deploy/Dockerfile.dockerignore'), 'utf8');
  for (const [name, text] of (await stages()).get('build')!) {
    if (name === 'COPY' && !text.startsWith('--from')) {
      const [target, ...sources] = text.split(' ').reverse() as [string, ...string[]];
      for (const source of sources) {
        assert.ok(ignored.includes(`!${source}\n`), `${source} is ignored`);
        await cp(join(repository, source), join(work, target === './' ? basename(source) : target), {
          recursive: true,
        });
      }
    } else if (name === 'RUN' && BY_OTHER_MEANS[text] === undefined) {
      const script = text.replaceAll('/usr/bin/tini-static', '../tini-static');
      await run('sh', ['-ec', script], { cwd: work });
    } else if (text === 'npm ci --ignore-scripts')
      await symlink(join(repository, 'node_modules'), join(work, 'node_modules'));
    else if (text.startsWith('npm prune')) await keepDependencies(work);
  }
  return join(work, 'image');
}

/** As `npm prune --omit=dev`. */
async function keepDependencies(work: string): Promise<void> {
  const { packages } = JSON.parse(await readFile(join(work, 'package-lock.json'), 'utf8'));
  await rm(join(work, 'node_modules'));
  for (const [folder, { dev, optional }] of Object.entries<{ dev?: boolean; optional?: boolean }>(packages)) {
    if (folder === '' || dev) continue;
    await cp(join(repository, folder), join(work, folder), { recursive: true }).catch((error) => {
      if (!optional || error.code !== 'ENOENT') throw error; // for another system
    });
  }
}

const sha256 = async (folder: string) =>
  (await run('sh', ['-c', 'find . -type f -not -path "*/code-cache/*" | sort | xargs sha256sum'], { cwd: folder }))
    .stdout;

let folder: string;
let image: string;
before(async () => {
  folder = await temporary();
  image = await build(join(folder, 'one'));
});
after(() => rm(folder, { recursive: true, force: true }));

test('two builds of the image are equal, except for what V8 compiled', async () => {
  const files = await sha256(image);
  assert.match(files, /app\/dist\/cli\.bundle\.js/);
  assert.equal(await sha256(await build(join(folder, 'other'))), files);
});

test('the bill of materials lists what is bundled and what is installed, with the licenses that the packages declare', async () => {
  const { components } = JSON.parse(await readFile(join(image, 'app/dist/sbom.cdx.json'), 'utf8'));
  const of = (shipped: string) =>
    components
      .filter((one: { properties: [{ value: string }] }) => one.properties[0].value === shipped)
      .map((one: { group?: string; name: string }) => (one.group ? `${one.group}/${one.name}` : one.name));
  for (const name of ['@kubernetes/client-node', 'dns2', 'preact', 'yaml'])
    assert.ok(of('bundled').includes(name), name);
  for (const name of await readdir(join(image, 'app/node_modules')))
    if (!name.startsWith('.') && !name.startsWith('@')) assert.ok(of('installed').includes(name), name);
  assert.ok(!of('bundled').includes('typescript') && !of('installed').includes('typescript'));
  for (const { purl, licenses, hashes } of components) {
    assert.match(purl, /^pkg:npm\/(?:%40[^/]+\/)?[^/@]+@\d+\.\d+\.\d+/);
    assert.equal(licenses.length, 1, purl);
    assert.match(hashes[0].content, /^[0-9a-f]{128}$/, purl);
  }
});

const inRoot = requirement('network-namespace', 'ip');

test('the image runs without a shell, libraries and files of a system', inRoot, async (t) => {
  const root = join(folder, 'root');
  await cp(image, root, { recursive: true, verbatimSymlinks: true });
  await addNode(root);
  const instructions = (await stages()).get('')!;
  const entry = instructions.find(([name]) => name === 'ENTRYPOINT')![1];
  const [init, dashes, node, launcher] = JSON.parse(entry) as string[];
  assert.deepEqual([init, dashes], ['/usr/bin/tini', '--']);
  assert.ok((await readdir(join(root, 'usr/bin'))).includes('tini'));
  const inside = (...command: string[]) => [
    '-rn',
    'sh',
    '-c',
    'ip link set lo up; exec chroot "$0" "$@"',
    root,
    ...command,
  ];

  const { stdout } = await run('unshare', inside('/usr/bin/healthdns', '--version'));
  assert.match(stdout, /^\d+\.\d+\.\d+$/m);

  const server = spawn('unshare', inside(node!, launcher!, 'serve', '/app/zones.example.yaml'));
  t.after(() => server.kill('SIGKILL'));
  let shown = '';
  server.stderr.on('data', (text) => {
    shown += text;
  });
  for await (const text of server.stdout) if (String(text).includes('DNS ')) break;
  const into = ['--preserve-credentials', '-t', String(server.pid), '-U', '-n', 'chroot', root];
  const answer = await run('nsenter', [
    ...into,
    '/usr/bin/healthdns',
    'query',
    'api.production.local',
    'A',
    '@127.0.0.1:1053',
  ]);
  assert.match(answer.stdout, /api\.production\.local\.\s.*\sA\s127\.0\.0\.1/, shown);
  server.kill('SIGTERM');
  const [code] = await once(server, 'exit');
  assert.equal(code, 0, shown);
});

/** Node.js and the libraries that it is linked with, which the base image has. */
async function addNode(root: string): Promise<void> {
  const { stdout } = await run('ldd', [process.execPath]);
  const libraries = [...stdout.matchAll(/(\/\S+) \(0x/g)].map(([, path]) => path!);
  for (const [from, to] of [[process.execPath, '/nodejs/bin/node'], ...libraries.map((path) => [path, path])]) {
    await mkdir(join(root, dirname(to!)), { recursive: true });
    await cp(from!, join(root, to!), { dereference: true });
    await chmod(join(root, to!), 0o755);
  }
}
