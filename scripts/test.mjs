// Runs the compiled tests: `node scripts/test.mjs [PATH-PART …] [--node-test-option …]`.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

const wanted = process.argv.slice(2).filter((word) => !word.startsWith('--'));
const options = process.argv.slice(2).filter((word) => word.startsWith('--'));

/** All compiled test files, in the order of their paths. */
async function testFiles(folder) {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && entry.name.endsWith('.test.js'))
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .filter((path) => existsSync(path.replace(/^build\//, '').replace(/\.js$/, '.ts'))) // not left behind by a move
    .filter((path) => wanted.length === 0 || wanted.some((part) => path.includes(part)))
    .sort();
}

const files = await testFiles('build/test');
if (files.length === 0) {
  console.error(`no test file matches ${wanted.join(' ') || 'build/test'}`);
  process.exit(1);
}
const runner = spawn(
  process.execPath,
  [
    '--enable-source-maps',
    '--test',
    '--test-concurrency=2',
    '--test-reporter=spec',
    // Node 20 applies it to whole files: for one that is stuck, not for one that many processes slow down.
    '--test-timeout=1200000',
    ...options,
    ...files,
  ],
  { stdio: 'inherit' },
);
runner.on('exit', (code, signal) => process.exit(signal ? 1 : code));
