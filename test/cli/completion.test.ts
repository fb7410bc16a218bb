// Completion scripts in the shells that they are for, and the manual page as man reads it.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { healthdns, repository, temporaryFolder } from '../support/command.ts';
import { requirement } from '../support/requirement.ts';

const run = promisify(execFile);

async function scriptFor(shell: string, t: Parameters<typeof temporaryFolder>[0]): Promise<string> {
  const { code, stdout } = await healthdns('completion', shell);
  assert.equal(code, 0);
  const file = join(await temporaryFolder(t), shell);
  await writeFile(file, stdout);
  return file;
}

test('bash completes commands, options and their values', async (t) => {
  const file = await scriptFor('bash', t);
  const complete = async (...words: string[]) => {
    const found = `\${COMPREPLY[@]}`;
    const script = `source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _healthdns; printf "%s\\n" "${found}"`;
    const { stdout } = await run('bash', ['-c', script, 'bash', file, 'healthdns', ...words]);
    return stdout.trim().split('\n');
  };
  assert.deepEqual(await complete('un'), ['undrain']);
  assert.deepEqual(await complete('cache', 'fl'), ['flush']);
  assert.deepEqual(await complete('cache', 'flush', '--b'), ['--below']);
  assert.deepEqual(await complete('serve', '--log-level', ''), ['debug', 'info', 'warn', 'error', 'silent']);
  assert.deepEqual(await complete('force', 'unh'), ['unhealthy']);
  assert.ok(!(await complete('')).includes('manual'), 'a hidden command');
});

test('fish completes commands and values with their descriptions', requirement('fish'), async (t) => {
  const file = await scriptFor('fish', t);
  const complete = async (line: string) =>
    (await run('fish', ['-c', `source ${file}; complete -C "${line}"`])).stdout.trim().split('\n');
  assert.deepEqual(await complete('healthdns cache fl'), [
    'flush\tRemoves one name, the names below it, or everything from the cache.',
  ]);
  assert.deepEqual(
    (await complete('healthdns top --over ')).map((line) => line.split('\t')[0]),
    ['hour', 'minute'],
  );
});

test('zsh accepts the script and finds the command of a line', requirement('zsh'), async (t) => {
  const file = await scriptFor('zsh', t);
  const script = `
    compdef() { :; }; _describe() { shift; [ "$1" = option ] && shift; print -l -- \${(P)1}; }; compadd() { shift; print -l -- "$@"; }; _files() { :; }
    source ${file}; PREFIX=''; words=(healthdns cache ''); CURRENT=3; _healthdns; words=(healthdns top --over ''); CURRENT=4; _healthdns`;
  const { stdout } = await run('zsh', ['-f', '-c', script]);
  assert.match(stdout, /^list:Lists cached answers.*\nflush:.*\nminute\nhour\n$/);
});

test('the manual page of the package has every command, and man reads it', requirement('man'), async () => {
  const page = join(repository, 'dist/healthdns.1');
  const shown = await run('man', ['--warnings', '-l', page], {
    env: { ...process.env, MANWIDTH: '100', LC_ALL: 'C.UTF-8' },
  });
  assert.equal(shown.stderr, '');
  assert.match(shown.stdout, /healthdns drain \[options\] <name> <instance>/);
  assert.match(shown.stdout, /HEALTHDNS_HTTP/);
  assert.equal(await readFile(page, 'utf8'), (await healthdns('manual')).stdout.trimEnd().concat('\n'));
});
