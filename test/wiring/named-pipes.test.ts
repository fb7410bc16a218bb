// A named pipe without a writer in place of each file that a configuration names. Reading one would wait for ever.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { parseConfig } from '../../src/config/loading/load.ts';
import { FileState } from '../../src/ecs/model/file-state.ts';
import { createHistory } from '../../src/history/history.ts';
import { openHistoryFile, restoreHistory } from '../../src/history/history-file.ts';
import { readTls } from '../../src/http/tls.ts';
import { loadKubeConfig } from '../../src/sources/kubernetes/api/credentials.ts';
import { readSnapshot } from '../../src/sources/kubernetes/snapshot/snapshot-file.ts';
import { readOrders } from '../../src/wiring/operator-file.ts';
import { temporaryFolder } from '../support/command.ts';
import { fakeClock } from '../support/fake-clock.ts';
import { requirement } from '../support/requirement.ts';

const linux = requirement('linux');

async function namedPipe(t: TestContext): Promise<string> {
  const pipe = join(await temporaryFolder(t), 'pipe');
  execFileSync('mkfifo', [pipe]);
  return pipe;
}

const CONFIGURED = {
  include: (pipe: string) => `include: [${pipe}]`,
  'a zone file': (pipe: string) => `zones: [{ name: a.test, file: ${pipe} }]`,
  'a kubeconfig': (pipe: string) => `zones: [{ name: a.test, kubernetes: { kubeconfig: ${pipe} } }]`,
  'an authority of upstream servers': (pipe: string) =>
    `forward: [{ to: tls://192.0.2.1%a.test, tls: { ca: ${pipe} } }]`,
  'a certificate of the admin address': (pipe: string) =>
    `zones: [{ name: a.test }]\nadmin: { address: 127.0.0.1:1, tls: { cert: ${pipe}, key: ${pipe} } }`,
};

for (const [what, text] of Object.entries(CONFIGURED)) {
  test(`${what} that is a named pipe is a problem of the configuration`, linux, async (t) => {
    const result = await parseConfig(text(await namedPipe(t)), '/nowhere/zones.yaml');
    assert.ok(!result.ok);
    assert.match(result.problems[0].message, /is a named pipe|is not a file/);
  });
}

const READ_LATER: Readonly<Record<string, (pipe: string) => unknown>> = {
  'a kubeconfig': (pipe) => loadKubeConfig({ kubeconfig: pipe, context: undefined, label: 'a.test' }),
  'a certificate of the admin address': (pipe) => readTls({ cert: pipe, key: pipe, clientCa: undefined }),
  'the file of orders': readOrders,
  'the state of ECS': (pipe) => new FileState(pipe).load(),
  'a snapshot': (pipe) => readSnapshot(pipe, 'a.test'),
};

for (const [what, read] of Object.entries(READ_LATER)) {
  test(`${what} that has become a named pipe is an error, not a wait`, linux, async (t) => {
    const pipe = await namedPipe(t);
    await assert.rejects(async () => read(pipe), /is a named pipe, not a regular file/);
  });
}

test('a history file that is a named pipe is neither read nor written, and the log says why', linux, async (t) => {
  const file = await namedPipe(t);
  const lines: unknown[] = [];
  const add = (message: string, fields: object = {}) => void lines.push([message, { ...fields }]);
  const settings = { file, clock: fakeClock(), log: { info: add, warn: add } };
  await restoreHistory({ ...settings, history: createHistory() });
  await openHistoryFile(settings).stop();
  assert.deepEqual(lines, [
    ['failed to read the history file', { file, error: `'${file}' is a named pipe, not a regular file` }],
    ['failed to write the history', { file, error: `'${file}' is a socket, pipe or device, not a regular file` }],
  ]);
});
