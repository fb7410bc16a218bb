import assert from 'node:assert/strict';
import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createHistory, type HistoryChange } from '../../src/history/history.ts';
import { type HistoryFileSettings, openHistoryFile, restoreHistory } from '../../src/history/history-file.ts';
import { createTransitionLog } from '../../src/history/transition-log.ts';
import { fakeClock } from '../support/fake-clock.ts';
import { temporary } from '../support/temporary.ts';
import { until } from '../support/until.ts';

/** As a process does at its start. */
async function begin(settings: HistoryFileSettings) {
  await restoreHistory(settings);
  settings.history.began(settings.clock.now());
  return openHistoryFile(settings);
}

async function temporaryFolder(t: TestContext): Promise<string> {
  const folder = await temporary();
  t.after(() => rm(folder, { recursive: true }));
  return folder;
}

function change(atMs: number, service = 'api', reason = 'connect ECONNREFUSED'): HistoryChange {
  const transition = { instance: 'api-1', addresses: ['192.0.2.1'], from: 'HEALTHY', to: 'UNHEALTHY' };
  const after = { outcome: 'NODATA', answered: 0, of: 1, addresses: [] };
  const transitions = [{ ...transition, answered: false, rule: 'unhealthy', reason }];
  return { atMs, service, name: `${service}.test.`, transitions, more: 0, after };
}

function logged() {
  const lines: { message: string; fields: Record<string, unknown> }[] = [];
  const log = (message: string, fields: object = {}) => void lines.push({ message, fields: { ...fields } });
  return { lines, log: { info: log, warn: log } };
}

test('the history survives a restart', async (t) => {
  const file = join(await temporaryFolder(t), 'history.jsonl');
  const clock = fakeClock();
  const { log, lines } = logged();
  const first = await begin({ file, history: createHistory(), clock, log });
  const changed = change(clock.now() + 5);
  first.append(changed);
  await first.stop();
  assert.equal((await stat(file)).mode & 0o777, 0o600);

  const history = createHistory();
  const second = await begin({ file, history, clock, log });
  await second.stop();
  assert.deepEqual(history.changesOf('api'), [changed]);
  assert.equal(history.knownSince('api'), clock.now());
  assert.deepEqual(lines, []);
});

test('a process that is killed loses no more than the last second', async (t) => {
  const file = join(await temporaryFolder(t), 'history.jsonl');
  const clock = fakeClock();
  const { log } = logged();
  const opened = await begin({ file, history: createHistory(), clock, log });
  opened.append(change(1));
  await clock.advance(1_000);
  await opened.stop();
  opened.append(change(2));
  const history = createHistory();
  await begin({ file, history, clock: fakeClock(), log });
  assert.equal(history.changesOf('api').length, 1);
});

test('that a process has begun is written at once', async (t) => {
  const file = join(await temporaryFolder(t), 'history.jsonl');
  const clock = fakeClock();
  await begin({ file, history: createHistory(), clock, log: logged().log });
  await until(() => readFile(file, 'utf8').catch(() => ''), `{"startedMs":${clock.now()}}\n`);
});

test('the files are bounded, and the newest changes are kept', async (t) => {
  const file = join(await temporaryFolder(t), 'history.jsonl');
  const maxBytes = 4_000;
  const clock = fakeClock();
  const { log } = logged();
  const opened = await begin({ file, history: createHistory(), clock, log, maxBytes });
  for (let i = 0; i < 100; i++) {
    opened.append(change(i));
    await clock.advance(1_000);
    while (clock.pendingTimers() > 0) await clock.advance(1_000);
    await opened.stop();
  }
  assert.ok((await stat(file)).size <= maxBytes);
  assert.ok((await stat(`${file}.previous`)).size <= maxBytes);
  const history = createHistory();
  await begin({ file, history, clock: fakeClock(), log, maxBytes });
  assert.equal(history.changesOf('api').at(-1)?.atMs, 99);
});

test('lines that are damaged or forged are skipped, with one warning', async (t) => {
  const file = join(await temporaryFolder(t), 'history.jsonl');
  const bad = [
    '{',
    '[]',
    'null',
    '{"atMs":1}',
    JSON.stringify({ ...change(1), transitions: [{}] }),
    '\u0000'.repeat(50),
  ];
  await writeFile(file, [...bad, JSON.stringify(change(7)), '{"startedMs":1', ''].join('\n'));
  const { log, lines } = logged();
  const history = createHistory();
  await begin({ file, history, clock: fakeClock(), log });
  assert.deepEqual(
    history.changesOf('api').map(({ atMs }) => atMs),
    [7],
  );
  assert.deepEqual(
    lines.map(({ fields }) => fields.lines),
    [7],
  );
});

test('a file that cannot be written is reported once, and changes nothing else', async (t) => {
  const folder = join(await temporaryFolder(t), 'folder');
  await mkdir(folder);
  const { log, lines } = logged();
  const clock = fakeClock();
  const opened = await begin({ file: folder, history: createHistory(), clock, log });
  opened.append(change(1));
  await opened.stop();
  opened.append(change(2));
  await opened.stop();
  assert.deepEqual(
    lines.map(({ message }) => message),
    ['failed to read the history file', 'failed to write the history'],
  );
});

test('a thousand transitions a second of one service are ten lines, and the others are counted', async () => {
  const clock = fakeClock();
  const { log, lines } = logged();
  let leftOut = 0;
  const note = createTransitionLog(log, clock, (transitions) => (leftOut += transitions));
  for (let i = 0; i < 1_000; i++) note(change(i));
  assert.equal(lines.length, 10);
  assert.equal(leftOut, 990);
  await clock.advance(6_000);
  note(change(1_001));
  assert.equal(lines.length, 11);
  assert.equal(lines[10].fields.transitionsNotLogged, 990);
});

test('a log line of a transition names the service, the instance, the rule, the reason and the answer', () => {
  const { log, lines } = logged();
  createTransitionLog(log, fakeClock(), () => {})(change(1, 'api', 'evil\nline'));
  assert.deepEqual(lines, [
    {
      message: 'instance is left out',
      fields: {
        ...{ service: 'api', name: 'api.test.', instance: 'api-1', from: 'HEALTHY', to: 'UNHEALTHY' },
        ...{ rule: 'unhealthy', reason: 'evil\nline', answers: 'NODATA' },
      },
    },
  ]);
});

test('many services together have a limit, too', () => {
  const { log, lines } = logged();
  const note = createTransitionLog(log, fakeClock(), () => {});
  for (let i = 0; i < 1_000; i++) note(change(i, `s${i}`));
  assert.equal(lines.length, 200);
});
