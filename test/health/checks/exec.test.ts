import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { probeExec } from '../../../src/health/checks/exec.ts';
import { until } from '../../support/until.ts';
import { never, target } from './target.ts';

const shell = (line: string, signal = never()) =>
  probeExec(target({ type: 'exec', command: ['CMD-SHELL', line] }), signal);

test('exec check: the exit status decides and the last line of output is the reason', async () => {
  assert.deepEqual(await shell('echo one; echo two'), { passed: true, reason: 'two' });
  assert.deepEqual(await shell('exit 0'), { passed: true, reason: 'exit status 0' });
  assert.deepEqual(await shell('echo no database >&2; exit 3'), {
    passed: false,
    reason: 'exit status 3: no database',
  });
  assert.deepEqual(await shell('kill -SEGV $$'), { passed: false, reason: 'killed by SIGSEGV' });
});

test('exec check: CMD runs an argument vector without a shell', async () => {
  const run = (command: string[]) => probeExec(target({ type: 'exec', command }), never());
  assert.deepEqual(await run(['CMD', 'echo', '$HOME; exit 1']), { passed: true, reason: '$HOME; exit 1' });
  assert.deepEqual(await run(['echo', 'plain']), { passed: true, reason: 'plain' });
  assert.deepEqual(await run(['CMD', '/nonexistent/command']), {
    passed: false,
    reason: 'spawn /nonexistent/command ENOENT',
  });
  assert.equal((await run(['CMD'])).passed, false);
  assert.equal((await run(['echo', 'a\0b'])).passed, false);
});

test('exec check: a command learns about its instance from the environment, and gets nothing else', async () => {
  process.env.HEALTHDNS_TEST_SECRET = 'secret';
  const echo = 'echo "$HEALTHDNS_SERVICE $HEALTHDNS_INSTANCE_ID $HEALTHDNS_INSTANCE_ADDRESS $HEALTHDNS_INSTANCE_PORT';
  const command = [
    'CMD-SHELL',
    `${echo} $HEALTHDNS_INSTANCE_IPV6 $HEALTHDNS_INSTANCE_ATTRIBUTE_DEPLOY_COLOR [$HEALTHDNS_TEST_SECRET]"`,
  ];
  const result = await probeExec(target({ type: 'exec', command }, 80, { 'deploy-color': 'blue' }), never());
  delete process.env.HEALTHDNS_TEST_SECRET;
  assert.equal(result.reason, 'api api-1 127.0.0.1 80 ::1 blue []');
});

test('exec check: large output and control characters do not reach the reason', async () => {
  const { reason } = await shell("head -c 1000000 /dev/zero | tr '\\0' 'x'; echo; printf 'a\\033[31mb\\n'; exit 1");
  assert.equal(reason, 'exit status 1: a [31mb');
  assert.ok((await shell("head -c 100000 /dev/zero | tr '\\0' 'x'")).reason.length <= 200);
});

/** Processes of a group that still run; zombies that init has not reaped yet do not. */
function groupMembers(group: number): string[] {
  return readdirSync('/proc').filter((entry) => {
    if (!/^\d+$/.test(entry)) return false;
    try {
      const [state, , processGroup] = readFileSync(`/proc/${entry}/stat`, 'utf8')
        .replace(/^.*\) /s, '')
        .split(' ');
      return Number(processGroup) === group && state !== 'Z';
    } catch {
      return false; // it ended while we looked
    }
  });
}

/** Killed is not yet gone: waits for the kernel to be done with the group. */
async function groupGone(group: number): Promise<void> {
  while (groupMembers(group).length > 0) await new Promise((resolve) => setImmediate(resolve));
}

const linux = { skip: process.platform === 'linux' ? false : 'needs /proc (Linux)', timeout: 120_000 };

test(
  'exec check: an aborted command is killed with all its children, including those that ignore SIGTERM',
  linux,
  async () => {
    const abort = new AbortController();
    const line = `trap '' TERM; (trap '' TERM; sleep 300) & sleep 300 & echo $$; sleep 300`;
    const run = shell(line, abort.signal);
    // The group is known once the shell is among our children.
    const child = await new Promise<number>((resolve) => {
      const look = () => {
        const found = readdirSync('/proc').find((entry) => {
          if (!/^\d+$/.test(entry)) return false;
          try {
            const after = readFileSync(`/proc/${entry}/stat`, 'utf8')
              .replace(/^.*\) /s, '')
              .split(' ');
            return (
              Number(after[1]) === process.pid &&
              Number(after[2]) === Number(entry) &&
              groupMembers(Number(entry)).length >= 4
            );
          } catch {
            return false;
          }
        });
        if (found === undefined) setImmediate(look);
        else resolve(Number(found));
      };
      look();
    });
    abort.abort();
    const result = await run;
    assert.equal(result.passed, false);
    assert.match(result.reason, /^killed by SIGKILL/);
    await groupGone(child);
  },
);

test('exec check: background processes of a command are killed when it exits', linux, async () => {
  const { passed, reason } = await shell('sleep 300 & sleep 300 & echo $$');
  assert.equal(passed, true);
  await groupGone(Number(reason));
});

test(
  'exec check: a process that left the group and holds the output open does not delay an aborted check',
  linux,
  async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'healthdns-exec-'));
    t.after(() => rmSync(folder, { recursive: true }));
    const file = join(folder, 'pid');
    const abort = new AbortController();
    const run = shell(
      `setsid sh -c 'echo $$ >${file}.new; mv ${file}.new ${file}; exec sleep 300' & sleep 300`,
      abort.signal,
    );
    await until(() => existsSync(file), true);
    abort.abort();
    assert.match((await run).reason, /^killed by SIGKILL/);
    process.kill(Number(readFileSync(file, 'utf8')), 'SIGKILL');
  },
);
