import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createStatusBoard } from '../../src/sources/status.ts';
import { fakeClock } from '../support/fake-clock.ts';

function setUp() {
  const clock = fakeClock();
  const board = createStatusBoard(clock);
  let changes = 0;
  board.onChange(() => changes++);
  const source = board.add('kubernetes/a', ['cluster.local.']);
  /** The data threads apply everything. */
  const publish = () => board.published(board.unpublished());
  return { clock, board, source, publish, changes: () => changes };
}

test('a source is synced when all its required kinds are, and reports the missing ones before', () => {
  const { board, source } = setUp();
  const services = source.kind('services', true);
  const pods = source.kind('pods', true);
  source.kind('nodes', false);
  assert.deepEqual([board.sources()[0].kinds[0].objects, board.sources()[0].ageMs], [0, undefined]);
  services.synced();
  pods.state('disconnected', 'connect ECONNREFUSED 127.0.0.1:6443');
  assert.deepEqual(board.missing(), [
    { source: 'kubernetes/a', zones: ['cluster.local.'], detail: 'pods: connect ECONNREFUSED 127.0.0.1:6443' },
  ]);
  pods.synced();
  assert.deepEqual(board.missing(), []);
});

test('a source that has synced stays ready when its server becomes unreachable', () => {
  const { board, source } = setUp();
  const services = source.kind('services', true);
  services.synced();
  services.state('disconnected', 'gone');
  assert.deepEqual(board.zone('cluster.local.'), { ready: true, stale: false });
});

test('an abandoned kind no longer delays its source', () => {
  const { board, source } = setUp();
  source.kind('services', true).synced();
  source.kind('pods', true).waive();
  assert.deepEqual(board.missing(), []);
});

test('a zone is ready when all its sources are, and a zone without sources always', () => {
  const { board, source } = setUp();
  const second = board.add('kubernetes/b', ['cluster.local.']);
  source.kind('services', true).synced();
  const late = second.kind('services', true);
  assert.equal(board.zone('cluster.local.').ready, false);
  late.synced();
  assert.equal(board.zone('cluster.local.').ready, true);
  assert.equal(board.zone('static.local.').ready, true);
});

test('a source served from a snapshot is ready and stale until it has synced or the snapshot expires', () => {
  const { board, source } = setUp();
  const services = source.kind('services', true);
  source.restored(0);
  assert.deepEqual(
    [board.zone('cluster.local.'), board.missing()],
    [{ ready: true, stale: true, why: 'stale: kubernetes/a is served from a snapshot of 1970-01-01T00:00:00Z' }, []],
  );
  source.expired();
  assert.deepEqual(
    [board.zone('cluster.local.'), board.missing().length],
    [{ ready: false, stale: false, why: 'not ready: kubernetes/a has not listed services' }, 1],
  );
  source.restored(0);
  services.synced();
  assert.deepEqual(board.zone('cluster.local.'), { ready: true, stale: false });
});

test('a replica is ready once all configured sources have synced; sources added later are only reported', () => {
  const { board, source, publish } = setUp();
  const ready = () => {
    publish();
    return [board.isReady(), ...board.missing().map((one) => one.source)];
  };
  source.kind('services', true).synced();
  // All that was added so far has synced, but not all has been added.
  assert.deepEqual(ready(), [false]);
  const services = board.add('kubernetes/b', ['cluster.local.']).kind('services', true);
  board.setComplete(true);
  assert.deepEqual(ready(), [false, 'kubernetes/b']);
  const third = board.add('kubernetes/c', ['c.local.']);
  third.kind('services', true);
  services.synced();
  assert.deepEqual(ready(), [false, 'kubernetes/c']);
  third.remove();
  assert.deepEqual(ready(), [true]);
  board.add('kubernetes/d', ['d.local.']).kind('services', true);
  assert.deepEqual(ready(), [true, 'kubernetes/d']);
  assert.equal(board.zone('d.local.').ready, false);
});

test('a replica without sources is ready at once', () => {
  const board = createStatusBoard(fakeClock());
  board.setComplete(true);
  assert.equal(board.isReady(), true);
});

test('a replica that was never ready is not made ready by replacing its only source', () => {
  const { board, source, publish } = setUp();
  source.kind('services', true);
  board.setComplete(true);
  board.setComplete(false);
  source.remove();
  assert.equal(board.isReady(), false);
  const services = board.add('kubernetes/b', ['cluster.local.']).kind('services', true);
  board.setComplete(true);
  assert.equal(board.isReady(), false);
  services.synced();
  publish();
  assert.equal(board.isReady(), true);
});

test('a required source is required again when its snapshot has expired', () => {
  const { board, source, publish } = setUp();
  source.kind('services', true);
  source.restored(0);
  board.setComplete(true);
  publish();
  assert.equal(board.isReady(), true);
  source.expired();
  assert.equal(board.isReady(), false);
});

test('a replica is not ready before the data threads have the first data of its sources, or of a snapshot', () => {
  const { board, source, publish, changes } = setUp();
  const services = source.kind('services', true);
  board.setComplete(true);
  source.restored(0);
  assert.deepEqual([board.isReady(), board.unpublished().map(({ name }) => name)], [false, ['kubernetes/a']]);
  const before = changes();
  publish();
  assert.deepEqual([board.isReady(), board.unpublished(), changes()], [true, [], before + 1]);
  services.synced();
  assert.equal(board.isReady(), true, 'it is answered from the snapshot until then');
});

test('a publication requested before a snapshot expired does not publish the source', () => {
  const { board, source } = setUp();
  source.kind('services', true);
  board.setComplete(true);
  source.restored(0);
  const heard = board.unpublished();
  source.expired();
  board.published(heard);
  assert.equal(board.isReady(), false);
});

test('the age of a source is that of its required kind with the oldest contact', async () => {
  const { clock, board, source } = setUp();
  const services = source.kind('services', true);
  const pods = source.kind('pods', true);
  const age = () => board.sources()[0].ageMs;
  assert.equal(age(), undefined);
  services.contact();
  pods.contact();
  await clock.advance(30_000);
  pods.contact();
  await clock.advance(1_000);
  assert.equal(age(), 31_000);
});

test('a kind known only from a snapshot is as old as the snapshot', async () => {
  const { clock, board, source } = setUp();
  const services = source.kind('services', true);
  const pods = source.kind('pods', true);
  source.restored(clock.now() - 60_000);
  const age = () => board.sources()[0].ageMs;
  assert.equal(age(), 60_000);
  pods.contact();
  pods.synced();
  services.contact();
  await clock.advance(5_000);
  assert.equal(age(), 65_000, 'the list of services has begun, and has not been applied');
  source.expired();
  assert.equal(age(), 65_000);
  services.synced();
  assert.equal(age(), 5_000);
});

test('listeners are called when readiness may have changed, not for every event', () => {
  const { source, changes } = setUp();
  const services = source.kind('services', true);
  const before = changes();
  services.count('events');
  services.contact();
  services.state('watching');
  assert.equal(changes(), before);
  services.synced();
  assert.equal(changes(), before + 1);
});

test('a synced source is stale while its data has not been confirmed for too long', () => {
  const { board, source, publish } = setUp();
  const services = source.kind('services', true);
  board.setComplete(true);
  source.setOld(true);
  const why = 'not ready: kubernetes/a has not listed services';
  assert.deepEqual(board.zone('cluster.local.'), { ready: false, stale: false, why });
  services.contact();
  services.synced();
  publish();
  const stale = 'stale: kubernetes/a has not been confirmed since 2026-01-01T00:00:00Z';
  assert.deepEqual([board.zone('cluster.local.'), board.isReady()], [{ ready: true, stale: true, why: stale }, true]);
  assert.equal(board.sources()[0].stale, true);
  source.setOld(false);
  assert.deepEqual(board.zone('cluster.local.'), { ready: true, stale: false });
});

test('names that a source claims stay claimed until it has synced or is served from a snapshot', () => {
  const board = createStatusBoard(fakeClock());
  const store = board.add('cloudmap/a', [], ['.']);
  const kind = store.kind('services', true);
  board.add('cloudmap/b', [], ['.', 'corp.']).kind('services', true);
  assert.deepEqual(board.claimed(), ['.', 'corp.']);
  assert.deepEqual(board.missing()[0].claims, ['.']);
  store.restored(0);
  kind.synced();
  assert.deepEqual(board.claimed(), ['.', 'corp.'], 'the other one claims them as well');
  const alone = createStatusBoard(fakeClock());
  const source = alone.add('cloudmap/a', [], ['.']);
  source.kind('services', true);
  source.restored(0);
  assert.deepEqual(alone.claimed(), []);
  source.expired();
  assert.deepEqual(alone.claimed(), ['.']);
});

test('a zone of several clusters may change its answers while one of them has not been read', () => {
  const { board, source } = setUp();
  const first = source.kind('services', true);
  const second = board.add('kubernetes/b', ['cluster.local.']).kind('services', true);
  const why = 'not ready: kubernetes/a has not listed services';
  assert.deepEqual(board.zone('cluster.local.'), { ready: false, stale: false, why });
  second.synced();
  assert.deepEqual(board.zone('cluster.local.'), { ready: false, stale: true, why });
  first.synced();
  assert.deepEqual(board.zone('cluster.local.'), { ready: true, stale: false });
});

test('the reason for a zone that is not ready follows what its source waits for, without details for everyone', () => {
  const { board, source } = setUp();
  const services = source.kind('services', true);
  const pods = source.kind('pods', true);
  const why = () => board.zone('cluster.local.').why;
  assert.equal(why(), 'not ready: kubernetes/a has not listed services, pods');
  let changes = 0;
  board.onChange(() => changes++);
  services.synced();
  assert.equal(why(), 'not ready: kubernetes/a has not listed pods');
  pods.state('disconnected', 'connect ECONNREFUSED 10.0.0.1:6443');
  assert.equal(why(), 'not ready: kubernetes/a has not listed pods: its API server does not answer');
  assert.equal(changes, 2);
  pods.state('listing');
  pods.state('disconnected', 'again');
  assert.equal(changes, 2, 'a repeated failure changes nothing');
  pods.state('forbidden', 'pods is forbidden: User "x" cannot list');
  assert.equal(why(), 'not ready: kubernetes/a may not list pods');
});
