import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiError, SilentConnection } from '../../../src/sources/kubernetes/api/api-server.ts';
import { BrokenStream } from '../../../src/sources/kubernetes/watch/event-stream.ts';
import {
  afterContact,
  afterFailure,
  afterList,
  afterWatch,
  failureOf,
  type Recovery,
  STARTING,
  type Step,
  UnconfirmedList,
} from '../../../src/sources/kubernetes/watch/recovery.ts';
import { DEFAULT_TIMINGS } from '../../../src/sources/kubernetes/watch/timings.ts';

const REFUSED = new Error('connect ECONNREFUSED 127.0.0.1:6443');
const WATCHING = afterList(STARTING);
const gone = () => new ApiError(410, 'too old resource version');

/** A loop that was started at 0, in the state that `recovery` says. */
function loopIn(recovery: Recovery, { essential = true, isOptional = false } = {}) {
  const rules = { timings: DEFAULT_TIMINGS, random: () => 1, essential };
  let nowMs = 0;
  let heardMs = 0;
  const round = (lastedMs: number) => {
    const startedMs = nowMs;
    nowMs += lastedMs;
    return { startedMs, nowMs, heardMs };
  };
  const take = (step: Step) => {
    recovery = step.next;
    return step;
  };
  return {
    now: () => recovery,
    failed: (error: Error, lastedMs = 0) =>
      take(
        afterFailure(
          recovery,
          failureOf(error, isOptional),
          round(lastedMs),
          rules,
          error instanceof ApiError ? error.retryAfterMs : 0,
        ),
      ),
    ended: (lastedMs = 0) => take(afterWatch(recovery, round(lastedMs), rules)),
    listed: () => {
      recovery = afterList(recovery);
    },
    heard: () => {
      heardMs = nowMs;
      recovery = afterContact(recovery);
    },
    passes: (milliseconds: number) => {
      nowMs += milliseconds;
    },
  };
}

const phaseAfter = ({ next }: Step) => next.phase;

test('a server that ends every watch at once is retried less and less often, up to a limit', () => {
  const loop = loopIn(WATCHING);
  const pauses = Array.from({ length: 9 }, () => loop.ended().pauseMs);
  assert.deepEqual(pauses, [500, 1000, 2000, 3000, 3000, 3000, 3000, 3000, 3000]);
});

test('a server that expires every watch is not listed in a tight loop', () => {
  const loop = loopIn(WATCHING);
  const steps = Array.from({ length: 3 }, () => {
    const step = loop.failed(gone());
    loop.listed();
    return step;
  });
  assert.deepEqual(steps.map(phaseAfter), ['listing', 'listing', 'listing']);
  assert.deepEqual(
    steps.map(({ pauseMs }) => pauseMs),
    [500, 1000, 2000],
  );
});

test('a watch that ended normally is continued at once, and failures are forgotten', () => {
  const loop = loopIn(WATCHING);
  loop.failed(REFUSED);
  assert.equal(loop.ended(35_000).pauseMs, 0);
  assert.equal(loop.now().failures, 0);
});

test('a server that falls silent again and again is asked after short pauses: the silence was one', () => {
  const loop = loopIn(WATCHING);
  const pauses = [1, 2, 3, 4].map(() => loop.failed(new SilentConnection('no sign of life'), 4_000).pauseMs);
  assert.deepEqual(pauses, [500, 500, 500, 500]);
});

test('a Retry-After header lengthens the pause', () => {
  assert.equal(loopIn(WATCHING).failed(new ApiError(429, 'too many requests', 12_000)).pauseMs, 12_000);
});

test('trouble begins with the first failure and ends with the next contact', () => {
  const loop = loopIn(WATCHING);
  loop.passes(7);
  const first = loop.failed(REFUSED).next.trouble;
  loop.passes(1_000);
  assert.deepEqual(first, { is: 'lost', sinceMs: 7 });
  assert.equal(loop.failed(REFUSED).next.trouble, first, 'not reported again');
  loop.heard();
  assert.equal(loop.now().trouble, undefined);
});

test('after a long outage a required list is requested at once, but not repeatedly', () => {
  const loop = loopIn(WATCHING);
  for (let i = 0; i < 8; i++) loop.failed(REFUSED);
  const pauses = [1, 2, 3].map(() => loop.failed(gone()).pauseMs);
  assert.deepEqual(pauses, [500, 1000, 2000]);
});

test('a list that failed as a stream is retried in pages, and the other way round', () => {
  const loop = loopIn(STARTING);
  const ways = [1, 2, 3].map(() => loop.failed(new Error('ended early')).next.listBy);
  assert.deepEqual(ways, ['pages', 'stream', 'pages']);
});

test('a failed watch does not change how the next list is requested', () => {
  assert.equal(loopIn(WATCHING).failed(gone()).next.listBy, 'stream');
});

test('a server that rejects streaming lists is listed in pages from then on, without counting as trouble', () => {
  for (const status of [400, 422]) {
    const loop = loopIn(STARTING);
    const step = loop.failed(new ApiError(status, 'sendInitialEvents is forbidden'));
    assert.deepEqual([step.pauseMs, step.state, step.next.trouble], [0, undefined, undefined]);
    assert.deepEqual([step.next.phase, step.next.listBy], ['listing', 'pages']);
    loop.listed();
    assert.equal(loop.now().listBy, 'pages');
    loop.failed(REFUSED);
    assert.equal(loop.now().listBy, 'pages');
  }
});

test('a doubtful list is confirmed in pages, after a pause', () => {
  const loop = loopIn(STARTING);
  const step = loop.failed(new UnconfirmedList());
  assert.deepEqual([step.next.phase, step.next.listBy, step.state], ['listing', 'pages', undefined]);
  assert.equal(step.pauseMs, DEFAULT_TIMINGS.confirmMs * 1.5);
  loop.listed();
  assert.equal(loop.now().listBy, 'stream');
});

test('a malformed event is read again, and skipped by a list if it recurs', () => {
  const loop = loopIn(WATCHING);
  const broken = () => phaseAfter(loop.failed(new BrokenStream('cut off')));
  assert.deepEqual([broken(), broken()], ['watching', 'listing']);
  loop.listed();
  loop.ended();
  assert.equal(broken(), 'watching');
});

test('a version that the server does not know, or not yet, is not requested again', () => {
  const failed = (status: number, message: string) =>
    phaseAfter(loopIn(WATCHING).failed(new ApiError(status, message)));
  assert.equal(failed(504, 'Timeout: Too large resource version: 200, current: 100'), 'listing');
  assert.equal(failed(504, 'Timeout: request did not complete'), 'watching');
  assert.equal(failed(400, 'invalid resource version'), 'listing');
  assert.equal(loopIn(WATCHING).failed(new ApiError(400, 'invalid resource version')).next.canStream, true);
});

test('a server that was unreachable for long is listed again', () => {
  const loop = loopIn(WATCHING);
  assert.equal(phaseAfter(loop.failed(REFUSED)), 'watching');
  loop.passes(DEFAULT_TIMINGS.longAwayMs + 1);
  loop.heard();
  assert.equal(phaseAfter(loop.failed(REFUSED)), 'watching');
  loop.passes(DEFAULT_TIMINGS.longAwayMs + 1);
  assert.equal(phaseAfter(loop.failed(REFUSED)), 'listing');
});

test('an optional kind is abandoned when the server denies it for long', () => {
  const loop = loopIn(WATCHING, { essential: false });
  const refuse = () => loop.failed(new ApiError(403, 'forbidden'));
  assert.deepEqual([refuse().abandons, phaseAfter(refuse()), refuse().state], [false, 'watching', 'forbidden']);
  loop.passes(DEFAULT_TIMINGS.refusedMs);
  const step = refuse();
  assert.deepEqual([step.abandons, phaseAfter(step)], [true, 'listing'], 'what was forgotten must be read again');
});

test('a contact in between restarts the period of denial', () => {
  const loop = loopIn(WATCHING, { essential: false });
  loop.failed(new ApiError(403, 'forbidden'));
  loop.heard();
  loop.passes(DEFAULT_TIMINGS.refusedMs);
  assert.equal(loop.failed(new ApiError(403, 'forbidden')).abandons, false);
});

test('a required kind that is denied is retried', () => {
  const loop = loopIn(WATCHING);
  loop.failed(new ApiError(403, 'forbidden'));
  loop.passes(DEFAULT_TIMINGS.refusedMs * 10);
  assert.equal(loop.failed(new ApiError(403, 'forbidden')).abandons, false);
});

test('errors are classified', () => {
  const kinds = [
    [gone(), 'expired'],
    [new ApiError(401, 'Unauthorized'), 'unauthorized'],
    [new ApiError(403, 'forbidden'), 'forbidden'],
    [new ApiError(404, 'not found'), 'refused'],
    [new ApiError(500, 'internal error'), 'refused'],
    [new SilentConnection('no sign of life'), 'silent'],
    [REFUSED, 'lost'],
  ] as const;
  for (const [error, expected] of kinds) assert.equal(failureOf(error, false), expected, error.message);
  assert.equal(failureOf(new ApiError(404, 'not found'), true), 'absent');
});

test('an absent kind is requested from time to time, which is not trouble', () => {
  const step = loopIn(WATCHING, { isOptional: true }).failed(new ApiError(404, 'not found'));
  assert.deepEqual([step.next.phase, step.state, step.next.trouble], ['listing', 'absent', undefined]);
  assert.equal(step.pauseMs, DEFAULT_TIMINGS.absentMs * 1.5);
});
