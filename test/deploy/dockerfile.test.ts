// deploy/Dockerfile without an engine: what it copies is enough to build, and what it ships is enough to run.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdir, readFile, symlink } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { repository, temporaryFolder } from '../support/command.ts';

const run = promisify(execFile);

interface Stage {
  readonly copies: { readonly fromBuild: boolean; readonly sources: string[]; readonly target: string }[];
  readonly lines: string[];
}

async function stages(): Promise<Stage[]> {
  const text = await readFile(join(repository, 'deploy/Dockerfile'), 'utf8');
  const found: Stage[] = [];
  for (const line of text.replaceAll(/\\\n\s*/g, '').split('\n')) {
    if (line.startsWith('FROM ')) found.push({ copies: [], lines: [] });
    found.at(-1)?.lines.push(line);
    if (!line.startsWith('COPY ')) continue;
    const words = line.split(/\s+/).slice(1);
    const fromBuild = words[0] === '--from=build';
    const [target, ...sources] = words.slice(fromBuild ? 1 : 0).reverse();
    found.at(-1)?.copies.push({ fromBuild, sources, target });
  }
  return found;
}

/** What COPY does: files into a folder, a folder's content into the target. */
async function copy(sources: readonly string[], target: string, root: string): Promise<void> {
  for (const source of sources) {
    const isFolder = target.endsWith('/') || target.endsWith('./') || sources.length > 1;
    await cp(source, isFolder ? join(root, target, basename(source)) : join(root, target), { recursive: true });
  }
}

test('the files that the Dockerfile copies build, and the resulting image runs', async (t) => {
  const folder = await temporaryFolder(t);
  const [build, image] = await stages();
  const ignored = await readFile(join(repository, 'deploy/Dockerfile.dockerignore'), 'utf8');

  await mkdir(join(folder, 'build'));
  for (const { sources, target } of build.copies)
    await copy(
      sources.map((source) => join(repository, source)),
      target,
      join(folder, 'build'),
    );
  await symlink(join(repository, 'node_modules'), join(folder, 'build/node_modules')); // stands for `npm ci`
  assert.ok(build.lines.includes('RUN npm ci --ignore-scripts'));
  assert.ok(build.lines.includes('RUN npm run build && npm prune --omit=dev --ignore-scripts'));
  await run('npm', ['run', 'build'], { cwd: join(folder, 'build') });

  await mkdir(join(folder, 'app/node_modules'), { recursive: true });
  for (const { fromBuild, sources, target } of image.copies) {
    if (target === 'node_modules') continue; // what is left after pruning: nothing that `check` needs
    const absolute = (source: string) =>
      fromBuild ? join(folder, 'build', source.replace('/build/', '')) : join(repository, source);
    await copy(sources.map(absolute), target, join(folder, 'app'));
  }
  const entry = image.lines.find((line) => line.startsWith('ENTRYPOINT'))!;
  const [init, dashes, program, launcher] = JSON.parse(entry.slice('ENTRYPOINT '.length));
  assert.deepEqual([init, dashes, program], ['/usr/bin/tini', '--', 'node']);
  const { stdout } = await run(process.execPath, [launcher.replace('/app', join(folder, 'app')), '--version']);
  assert.match(stdout, /^\d+\.\d+\.\d+$/m);

  for (const { sources } of [...build.copies, ...image.copies.filter(({ fromBuild }) => !fromBuild)])
    for (const source of sources) assert.ok(ignored.includes(`!${source}\n`), `${source} is ignored`);
});
