import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLogger, type LogLevel } from '../src/log.ts';

function collecting(level: LogLevel) {
  const lines: string[] = [];
  return { lines, log: createLogger({ level, output: { write: (line) => void lines.push(line) } }) };
}

test('a log line is one JSON object with level, time, fields and message', () => {
  const { lines, log } = collecting('info');
  log.child({ source: 'kubernetes/prod' }).warn('watch lost', { attempt: 3 });
  assert.equal(lines.length, 1);
  const { time, ...rest } = JSON.parse(lines[0]);
  assert.deepEqual(rest, { level: 'warn', source: 'kubernetes/prod', attempt: 3, message: 'watch lost' });
  assert.match(time, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
});

test('external input can forge neither a log line nor a control sequence', () => {
  const { lines, log } = collecting('info');
  log.info('asked', { name: 'a\n{"level":"error"}\u001b[2J' });
  assert.equal(lines.length, 1);
  assert.equal(lines[0].trimEnd().includes('\n'), false);
  assert.equal(lines[0].includes('\u001b'), false);
});

test('what a terminal obeys although JSON permits it is escaped in a log line, and read back as it was', () => {
  const { lines, log } = collecting('info');
  const hostile = 'a\u007f\u009b31m\u202e\u2028\u{e0041}b';
  log.info('checked', { reason: hostile });
  assert.doesNotMatch(lines[0].trimEnd(), /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
  assert.equal(JSON.parse(lines[0]).reason, hostile);
});

test('the log level suppresses less severe lines and can be changed', () => {
  const { lines, log } = collecting('warn');
  log.info('no');
  log.setLevel('debug');
  log.debug('yes');
  assert.deepEqual(
    lines.map((line) => JSON.parse(line).message),
    ['yes'],
  );
});

test('logging a circular object does not throw', () => {
  const { lines, log } = collecting('info');
  const loop: { self?: object } = {};
  loop.self = loop;
  log.info('loop', loop);
  assert.equal(lines.length, 1);
});

test('log lines beyond the buffer are dropped and counted, and one line reports them once the reader is back', () => {
  const lines: string[] = [];
  let unread = 0;
  const output = {
    get writableLength() {
      return unread;
    },
    write(line: string) {
      lines.push(line);
      unread += line.length;
    },
  };
  const log = createLogger({ level: 'info', output });
  const long = 'x'.repeat(1000);
  for (let n = 0; n < 2_000; n++) log.info('query', { long });
  assert.ok(unread <= 1024 * 1024 && unread > 1024 * 1024 - 2_000, `${unread} bytes wait`);
  assert.equal(log.dropped(), 2_000 - lines.length);
  const written = lines.length;
  unread = 0;
  log.info('back');
  assert.deepEqual(
    lines.slice(written).map((line) => JSON.parse(line).lines),
    [undefined, 2_000 - written],
  );
  log.info('again');
  assert.equal(lines.length, written + 3);
});
