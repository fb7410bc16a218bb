import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { test } from 'node:test';
import { ApiError } from '../../../src/sources/kubernetes/api/api-server.ts';
import { askAgain } from '../../../src/sources/kubernetes/watch/event-stream.ts';
import { Freshness } from '../../../src/sources/kubernetes/watch/freshness.ts';
import { watchHeartbeat } from '../../../src/sources/kubernetes/watch/heartbeat.ts';
import type { WatchedKind } from '../../../src/sources/kubernetes/watch/watched-kind.ts';
import { type FakeClock, fakeClock } from '../../support/fake-clock.ts';

const STALE_MS = 3_000;

/** The watches of one source; `told` has what pods were told of their freshness. */
function source(clock: FakeClock) {
  const told: (number | undefined)[] = [];
  const kind = (resource: string, more: Partial<WatchedKind> = {}): WatchedKind => ({
    ...{ resource, apiGroup: '', groupVersionPath: '', essential: true },
    ...{ keyOf: () => '', replace: () => undefined, remove() {} },
    ...more,
  });
  const pods = (namespace?: string) =>
    kind('pods', { namespace, repeatedBy: ['endpointslices'], setStale: (sinceMs) => void told.push(sinceMs) });
  return { freshness: new Freshness(clock, STALE_MS), kind, pods, told };
}

test('a lost kind becomes stale after a while if another repeats it, and fresh as soon as it is back', async () => {
  const clock = fakeClock(1_000_000);
  const { freshness, kind, pods: podsKind, told } = source(clock);
  const [pods, slices] = [podsKind(), kind('endpointslices')];
  freshness.setFollowed(pods, true);
  freshness.setFollowed(slices, true);
  await clock.advance(10_000);
  freshness.setFollowed(pods, false);
  await clock.advance(STALE_MS - 1);
  assert.deepEqual(told, []);
  await clock.advance(1);
  assert.deepEqual(told, [1_010_000]);
  await clock.advance(60_000);
  freshness.setFollowed(slices, true);
  await clock.advance(60_000);
  assert.deepEqual(told, [1_010_000], 'once');
  freshness.setFollowed(pods, true);
  assert.deepEqual(told, [1_010_000, undefined]);
  assert.equal(clock.pendingTimers(), 0);
  await clock.advance(10_000);
  freshness.setFollowed(pods, false);
  await clock.advance(STALE_MS);
  assert.equal(told.length, 3, 'each time');
});

test('a kind that is back before it was stale is not notified', async () => {
  const clock = fakeClock();
  const { freshness, kind, pods: podsKind, told } = source(clock);
  const pods = podsKind();
  freshness.setFollowed(kind('endpointslices'), true);
  freshness.setFollowed(pods, false);
  await clock.advance(STALE_MS - 1);
  freshness.setFollowed(pods, true);
  await clock.advance(60_000);
  assert.deepEqual(told, []);
});

test('if everything is lost nothing becomes stale, until a repeating kind has been followed for a while', async () => {
  const clock = fakeClock();
  const { freshness, kind, pods, told } = source(clock);
  const slices = kind('endpointslices');
  freshness.setFollowed(pods(), false);
  freshness.setFollowed(slices, false);
  await clock.advance(60_000);
  assert.deepEqual(told, []);
  freshness.setFollowed(slices, true);
  await clock.advance(STALE_MS - 1);
  assert.deepEqual(told, [], 'pods may be about to be followed as well');
  await clock.advance(STALE_MS);
  assert.equal(told.length, 1);
});

test('slices of another namespace, and kinds that repeat nothing, do not make pods stale', async () => {
  const clock = fakeClock();
  const { freshness, kind, pods, told } = source(clock);
  freshness.setFollowed(kind('services'), true);
  freshness.setFollowed(kind('endpointslices', { namespace: 'b' }), true);
  freshness.setFollowed(pods('a'), false);
  await clock.advance(60_000);
  assert.deepEqual(told, []);
  const own = kind('endpointslices', { namespace: 'a' });
  freshness.setFollowed(own, true);
  freshness.delete(own);
  await clock.advance(60_000);
  assert.deepEqual(told, []);
  freshness.setFollowed(own, true);
  await clock.advance(60_000);
  assert.equal(told.length, 1);
  freshness.stop();
});

/** A server that is asked by heartbeats; `answer` decides what becomes of each request. */
function beating(answer: () => Promise<unknown>) {
  const clock = fakeClock();
  const stop = new AbortController();
  let backs = 0;
  const server = { get: () => answer().then(() => ({ resume() {} })) } as never;
  const running = watchHeartbeat(server, { everyMs: 4_000, patienceMs: 2_000 }, clock, stop.signal, () => backs++);
  return { clock, stop, running, backs: () => backs };
}

test('a server counts as back at the first response after a failure, whatever it is', async () => {
  let answer = () => Promise.resolve<unknown>(undefined);
  const { clock, stop, running, backs } = beating(() => answer());
  await clock.advance(8_000);
  assert.equal(backs(), 0, 'it was never away');
  answer = () => Promise.reject(new Error('connect ECONNREFUSED'));
  await clock.advance(8_000);
  assert.equal(backs(), 0);
  answer = () => Promise.reject(new ApiError(403, 'forbidden'));
  await clock.advance(8_000);
  assert.equal(backs(), 1);
  stop.abort();
  await running;
});

test('a heartbeat without a response is abandoned', async () => {
  const clock = fakeClock();
  const stop = new AbortController();
  let backs = 0;
  let asked = 0;
  const get = (_path: string, signal: AbortSignal) =>
    new Promise((resolve, reject) => {
      if (asked++ > 0) return resolve({ resume() {} });
      signal.addEventListener('abort', () => reject(new Error('aborted')));
    });
  const running = watchHeartbeat(
    { get } as never,
    { everyMs: 4_000, patienceMs: 2_000 },
    clock,
    stop.signal,
    () => backs++,
  );
  await clock.advance(5_999);
  assert.deepEqual([asked, backs], [1, 0]);
  await clock.advance(4_001);
  assert.deepEqual([asked, backs], [2, 1]);
  stop.abort();
  await running;
});

/** Requests that wait for the test. */
function asking(clock: FakeClock, stop = new AbortController()) {
  const tries: { signal: AbortSignal; resolve(response: IncomingMessage): void; reject(error: Error): void }[] = [];
  const response = askAgain(
    (signal) => new Promise((resolve, reject) => void tries.push({ signal, resolve, reject })),
    3_000,
    clock,
    stop.signal,
  );
  return { tries, response, stop };
}
const headers = () => ({ destroyed: false, destroy() {} }) as unknown as IncomingMessage;

test('a request without headers is repeated a few times; the first headers win and end the others', async () => {
  const clock = fakeClock();
  const { tries, response } = asking(clock);
  await clock.advance(2_999);
  assert.equal(tries.length, 1);
  await clock.advance(30_000);
  assert.equal(tries.length, 5);
  const answer = headers();
  tries[2].resolve(answer);
  assert.equal(await response, answer);
  assert.deepEqual(
    tries.map(({ signal }) => signal.aborted),
    [true, true, false, true, true],
  );
});

test('headers in time need no further request, and the first error ends all', async () => {
  const clock = fakeClock();
  const quick = asking(clock);
  quick.tries[0].resolve(headers());
  await quick.response;
  await clock.advance(60_000);
  assert.equal(quick.tries.length, 1);

  const failing = asking(clock);
  await clock.advance(3_000);
  failing.tries[1].reject(new Error('no'));
  await assert.rejects(failing.response, /^Error: no$/);
  assert.equal(failing.tries[0].signal.aborted, true);
  await clock.advance(60_000);
  assert.equal(failing.tries.length, 2);
});

test('responses that lose the race are closed', async () => {
  const clock = fakeClock();
  const { tries, response } = asking(clock);
  await clock.advance(3_000);
  tries[0].resolve(headers());
  await response;
  let isClosed = false;
  tries[1].resolve({ destroy: () => (isClosed = true) } as unknown as IncomingMessage);
  await clock.advance(0);
  assert.equal(isClosed, true);
});
