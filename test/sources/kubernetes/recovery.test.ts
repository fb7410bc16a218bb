import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '../../../src/log.ts';
import { ApiError } from '../../../src/sources/kubernetes/watch/api-server.ts';
import { BrokenStream } from '../../../src/sources/kubernetes/watch/event-stream.ts';
import { createRecovery, UnconfirmedList } from '../../../src/sources/kubernetes/watch/recovery.ts';
import { DEFAULT_TIMINGS } from '../../../src/sources/kubernetes/watch/timings.ts';
import type { WatchedKind } from '../../../src/sources/kubernetes/watch/watched-kind.ts';
import { createStatusBoard } from '../../../src/sources/status.ts';
import { fakeClock } from '../../support/fake-clock.ts';

function setUp(essential = true) {
  const clock = fakeClock();
  const board = createStatusBoard(clock);
  const source = board.add('kubernetes/test', ['cluster.local.']);
  const report = source.kind('pods', true);
  const abandoned: string[] = [];
  const kind: WatchedKind = {
    resource: 'pods',
    apiGroup: '',
    groupVersionPath: '/api/v1',
    essential,
    keyOf: (namespace, name) => `${namespace}/${name}`,
    replace: () => undefined,
    remove() {},
  };
  const lines: string[] = [];
  const log = {
    ...silentLogger,
    warn: (message: string) => lines.push(message),
    error: (message: string) => lines.push(message),
    info: (message: string) => lines.push(message),
  };
  let forgotten = 0;
  const recovery = createRecovery({
    kind,
    known: { abandon: () => abandoned.push('all') } as never,
    report,
    log,
    timings: DEFAULT_TIMINGS,
    context: {
      clock,
      random: () => 1,
      log,
      timings: DEFAULT_TIMINGS,
      server: { forgetCredentials: () => forgotten++ } as never,
    },
  });
  return { clock, board, recovery, lines, abandoned, forgotten: () => forgotten };
}

test('a server that ends every watch at once is asked ever more rarely, up to the limit', () => {
  const { recovery } = setUp();
  const delays = Array.from({ length: 9 }, () => {
    const round = recovery.begin();
    round.ended();
    return round.delayMs();
  });
  assert.deepEqual(delays, [500, 1000, 2000, 4000, 5000, 5000, 5000, 5000, 5000]);
});

test('a server that expires every watch is not listed in a tight loop', () => {
  const { recovery } = setUp();
  const delays = Array.from({ length: 3 }, () => {
    const round = recovery.begin();
    assert.equal(round.failed(new ApiError(410, 'too old')), 'relist');
    return round.delayMs();
  });
  assert.deepEqual(delays, [500, 1000, 2000]);
});

test('after a watch that ended as asked the next follows at once, and failures are forgotten', async () => {
  const { recovery, clock } = setUp();
  recovery.begin().failed(new Error('connect ECONNREFUSED'));
  const round = recovery.begin();
  await clock.advance(35_000);
  round.ended();
  assert.equal(round.delayMs(), 0);
});

test('a server that asks for patience is given it', () => {
  const { recovery } = setUp();
  const round = recovery.begin();
  round.failed(new ApiError(429, 'too many requests', 12_000));
  assert.equal(round.delayMs(), 12_000);
});

test('a failure is logged when it begins, not each time it repeats', () => {
  const { recovery, lines } = setUp();
  for (let i = 0; i < 5; i++) recovery.begin().failed(new Error('connect ECONNREFUSED'));
  assert.equal(lines.length, 1);
});

test('before the first contact nothing was lost, and the log says so', () => {
  const { recovery, lines } = setUp();
  const fail = () => recovery.begin().failed(new Error('connect ECONNREFUSED'));
  fail();
  recovery.contact();
  fail();
  recovery.contact();
  assert.deepEqual(lines, [
    'no answer from the API server yet, trying again',
    'reached the API server',
    'lost the API server, serving what was known and trying again',
    'reached the API server again',
  ]);
});

test('a server that is back after a long time and wants a new list is asked at once, but not again and again', () => {
  const { recovery } = setUp();
  for (let i = 0; i < 8; i++) recovery.begin().failed(new Error('connect ECONNREFUSED'));
  const delays = [1, 2, 3].map(() => {
    const round = recovery.begin();
    assert.equal(round.failed(new ApiError(410, 'too old resource version')), 'relist');
    return round.delayMs();
  });
  assert.deepEqual(delays, [500, 1000, 2000]);
});

test('401 reads the credentials again', () => {
  const { recovery, forgotten } = setUp();
  recovery.begin().failed(new ApiError(401, 'Unauthorized'));
  assert.equal(forgotten(), 1);
});

test('a list that failed as a stream is tried in pages, and the other way round', () => {
  const { recovery } = setUp();
  assert.equal(recovery.mayStream(), true);
  recovery.begin().failed(new Error('ended early'));
  assert.equal(recovery.mayStream(), false);
  recovery.begin().failed(new Error('ended early'));
  assert.equal(recovery.mayStream(), true);
});

test('a server that refuses streaming lists is listed in pages at once, for ever', () => {
  const { recovery } = setUp();
  const round = recovery.begin();
  assert.equal(round.failed(new ApiError(422, 'sendInitialEvents is forbidden')), 'relist');
  assert.equal(round.delayMs(), 0);
  recovery.listed();
  assert.equal(recovery.mayStream(), false);
});

test('a mass loss is confirmed in pages', () => {
  const { recovery } = setUp();
  assert.equal(recovery.begin().failed(new UnconfirmedList()), 'relist');
  assert.equal(recovery.mayStream(), false);
  recovery.listed();
  assert.equal(recovery.mayStream(), true);
});

test('a broken line is read again, and gone around by a list when it comes again', () => {
  const { recovery } = setUp();
  const broken = () => recovery.begin().failed(new BrokenStream('cut off'));
  assert.deepEqual([broken(), broken()], ['resume', 'relist']);
  recovery.begin().ended();
  assert.equal(broken(), 'resume');
});

test('a place that the server does not know, or does not know yet, is not asked for again', () => {
  const { recovery } = setUp();
  const failed = (status: number, message: string) => recovery.begin().failed(new ApiError(status, message));
  assert.equal(failed(504, 'Timeout: Too large resource version: 200, current: 100'), 'relist');
  assert.equal(failed(504, 'Timeout: request did not complete'), 'resume');
  assert.deepEqual(
    [failed(400, 'invalid resource version'), failed(400, 'invalid resource version')],
    ['relist', 'relist'],
  );
});

test('a server that was away for long is listed anew', async () => {
  const { recovery, clock } = setUp();
  recovery.contact();
  const refused = () => recovery.begin().failed(new Error('connect ECONNREFUSED'));
  assert.equal(refused(), 'resume');
  await clock.advance(DEFAULT_TIMINGS.longAwayMs + 1);
  assert.equal(refused(), 'relist');
  recovery.contact();
  assert.equal(refused(), 'resume');
});

test('a kind that is not essential and refused for long is abandoned and holds nobody up', async () => {
  const { recovery, clock, board, abandoned } = setUp(false);
  const refuse = () => recovery.begin().failed(new ApiError(403, 'forbidden'));
  refuse();
  assert.equal(board.missing().length, 1);
  await clock.advance(DEFAULT_TIMINGS.refusedMs);
  assert.equal(refuse(), 'relist', 'what was forgotten must be read again');
  assert.deepEqual([board.missing().length, abandoned], [0, ['all']]);
});

test('an essential kind that is refused is waited for', async () => {
  const { recovery, clock, board, abandoned } = setUp();
  const refuse = () => recovery.begin().failed(new ApiError(403, 'forbidden'));
  refuse();
  await clock.advance(DEFAULT_TIMINGS.refusedMs * 10);
  refuse();
  assert.deepEqual([board.missing().length, abandoned], [1, []]);
});
