import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { VERSION } from '../../src/version.ts';
import { healthdns, repository, temporaryFolder } from '../support/command.ts';

const COMMANDS = ['serve', 'check', 'query', 'explain', 'taskdef convert', 'cache list', 'cache flush'];

test('the version matches package.json', async () => {
  assert.equal(JSON.parse(await readFile(join(repository, 'package.json'), 'utf8')).version, VERSION);
  for (const word of ['version', '--version']) {
    assert.deepEqual(await healthdns(word), { code: 0, stdout: `${VERSION}\n`, stderr: '' });
  }
});

test('every command has a help text with an example and its exit codes', async () => {
  for (const command of COMMANDS) {
    const { code, stdout } = await healthdns(...command.split(' '), '--help');
    assert.equal(code, 0);
    assert.match(stdout, /^Exit codes: 0 /m);
    assert.match(stdout, new RegExp(`^Examples?:(\\n  healthdns .*)*\\n  healthdns ${command} `, 'm'));
  }
});

test('an invalid command line yields one line on stderr and exit code 2', async () => {
  const wrong: [string[], RegExp][] = [
    [['serv'], /unknown command 'serv'.*Did you mean serve/],
    [['serve', '--lissten', 'x'], /unknown option '--lissten'.*Did you mean --listen/],
    [['serve', '--listen', '127.0.0.1'], /--listen.*127\.0\.0\.1:53/],
    [['serve', '--threads', '0'], /--threads.*1 to 64/],
    [['serve', '--threads', '65'], /--threads.*1 to 64/],
    [['serve', '--log-level', 'loud'], /debug, info, warn, error, silent/],
    [['serve', 'a.yaml', 'b.yaml'], /too many arguments/],
    [['query', 'a', 'NOTYPE'], /NOTYPE/],
    [['query'], /name/],
    [['explain', 'a', '--http', 'nowhere'], /--http.*URL/],
    [['taskdef', 'convert', '-'], /--service/],
  ];
  for (const [args, message] of wrong) {
    const { code, stdout, stderr } = await healthdns(...args);
    assert.deepEqual([args, code, stdout], [args, 2, '']);
    assert.match(stderr, /^healthdns[^\n]*\n$/);
    assert.match(stderr, message);
  }
});

test('check prints what would be served', async () => {
  const { code, stdout, stderr } = await healthdns('check', join(repository, 'zones.example.yaml'));
  assert.deepEqual([code, stderr], [0, '']);
  assert.match(stdout, /zones\.example\.yaml: valid\n/);
  assert.match(stdout, /zone {2}production\.local\.: .*3 services, 7 instances/);
});

test('check reports each problem with its location, suggests similar keys and exits with 1', async (t) => {
  const file = join(await temporaryFolder(t), 'zones.yaml');
  await writeFile(file, 'listn: []\nzones:\n  - name: a.local\n    ttlSeconds: soon\n');
  const { code, stderr } = await healthdns('check', file);
  assert.equal(code, 1);
  const lines = stderr.trimEnd().split('\n');
  assert.equal(lines.length, 3);
  assert.ok(lines[0].startsWith(`${file}:1:1: `));
  assert.match(lines[0], /listn.*listen/);
  assert.ok(lines[1].startsWith(`${file}:4:17: `));
  assert.equal(lines[2], `${file}: 2 problems`);
});

test('check prints all problems even if they exceed the pipe buffer', async (t) => {
  const file = join(await temporaryFolder(t), 'zones.yaml');
  await writeFile(file, Array.from({ length: 2000 }, (_, i) => `key${i}: 1\n`).join(''));
  // A shell's pipe: those of Node.js are sockets, which are written in one go.
  const script = '"$0" "$1" check "$2" 2>&1 >/dev/null | cat';
  const shell = spawn('sh', ['-c', script, process.execPath, join(repository, 'bin/healthdns'), file]);
  let printed = '';
  shell.stdout.setEncoding('utf8').on('data', (text) => {
    printed += text;
  });
  await once(shell, 'close');
  assert.match(printed, /zones\.yaml: 1001 problems\n$/);
});

test('check and serve report a missing file', async () => {
  for (const command of ['check', 'serve']) {
    const { code, stderr } = await healthdns(command, '/nowhere/zones.yaml');
    assert.equal(code, 1);
    assert.match(stderr, /^\/nowhere\/zones\.yaml:1:1: .*no such file/);
    assert.doesNotMatch(stderr, / at .*\(/);
  }
});

test('explain and query report an unreachable server in one line', async () => {
  const asked = await healthdns('explain', 'a.local', '--http', 'http://127.0.0.1:9');
  assert.equal(asked.code, 1);
  assert.match(asked.stderr, /^healthdns: no reply from http:\/\/127\.0\.0\.1:9: .*\n$/);
  const queried = await healthdns('query', 'a.local', '@127.0.0.1:9');
  assert.equal(queried.code, 9);
  assert.match(queried.stderr, /^healthdns[^\n]*\n$/);
});

test('taskdef convert prints a Deployment, or the problems of the definition', async (t) => {
  const file = join(await temporaryFolder(t), 'task.json');
  const container = { name: 'app', image: 'app:1', essential: true };
  await writeFile(file, JSON.stringify({ family: 'web', containerDefinitions: [container] }));
  const good = await healthdns('taskdef', 'convert', file, '--service', 'web', '--count', '3');
  assert.equal(good.code, 0);
  assert.match(good.stdout, /kind: Deployment/);
  assert.match(good.stdout, /replicas: 3/);
  await writeFile(file, '{');
  const bad = await healthdns('taskdef', 'convert', file, '--service', 'web');
  assert.deepEqual([bad.code, bad.stdout], [1, '']);
  assert.match(bad.stderr, /task\.json/);
});
