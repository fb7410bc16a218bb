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
  return { clock, board, source, changes: () => changes };
}

test('a source is synced when all its required kinds are, and says what is missing before', () => {
  const { board, source } = setUp();
  const services = source.kind('services', true);
  const pods = source.kind('pods', true);
  source.kind('nodes', false);
  services.synced();
  pods.state('disconnected', 'connect ECONNREFUSED 127.0.0.1:6443');
  assert.deepEqual(board.missing(), [
    { source: 'kubernetes/a', zones: ['cluster.local.'], detail: 'pods: connect ECONNREFUSED 127.0.0.1:6443' },
  ]);
  pods.synced();
  assert.deepEqual(board.missing(), []);
});

test('a source that has synced stays ready when its server goes', () => {
  const { board, source } = setUp();
  const services = source.kind('services', true);
  services.synced();
  services.state('disconnected', 'gone');
  assert.deepEqual(board.zone('cluster.local.'), { ready: true, stale: false });
});

test('a kind that is done without no longer holds its source up', () => {
  const { board, source } = setUp();
  source.kind('services', true).synced();
  source.kind('pods', true).waive();
  assert.deepEqual(board.missing(), []);
});

test('a zone is ready when all its sources are, and one without sources always', () => {
  const { board, source } = setUp();
  const second = board.add('kubernetes/b', ['cluster.local.']);
  source.kind('services', true).synced();
  const late = second.kind('services', true);
  assert.equal(board.zone('cluster.local.').ready, false);
  late.synced();
  assert.equal(board.zone('cluster.local.').ready, true);
  assert.equal(board.zone('static.local.').ready, true);
});

test('a source served from a snapshot is ready and stale until it has spoken or the snapshot is too old', () => {
  const { board, source } = setUp();
  const services = source.kind('services', true);
  source.restored(true);
  assert.deepEqual([board.zone('cluster.local.'), board.missing()], [{ ready: true, stale: true }, []]);
  source.restored(false);
  assert.deepEqual([board.zone('cluster.local.'), board.missing().length], [{ ready: false, stale: false }, 1]);
  source.restored(true);
  services.synced();
  assert.deepEqual(board.zone('cluster.local.'), { ready: true, stale: false });
});

test('the age of a source is that of the required kind heard of longest ago', async () => {
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

test('listeners hear when readiness may have changed, not of every event', () => {
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
