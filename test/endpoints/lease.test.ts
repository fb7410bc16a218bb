// client-go's rules of leader election, on a clock that the test moves and a lease that it looks into.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { holdLease } from '../../src/endpoints/lease.ts';
import { silentLogger } from '../../src/log.ts';
import { ApiError, type ApiServer } from '../../src/sources/kubernetes/api/api-server.ts';
import { fakeClock } from '../support/fake-clock.ts';

interface LeaseObject {
  readonly metadata: { readonly resourceVersion: string };
  readonly spec: { readonly holderIdentity: string; readonly leaseTransitions: number; readonly renewTime: string };
}

/** One Lease with the API server's rules of versions; `isAway` replicas get no answer. */
function setUp() {
  const clock = fakeClock();
  let version = 0;
  let lease: LeaseObject | undefined;
  const away = new Set<string>();
  const holders: string[] = [];
  const serverFor = (identity: string): ApiServer => ({
    get: () => Promise.reject(new Error('unused')),
    forgetCredentials() {},
    close() {},
    async exchange(method, _path, object) {
      if (away.has(identity)) throw new Error('connect ECONNREFUSED');
      if (method === 'GET') {
        if (lease === undefined) throw new ApiError(404, 'not found');
        return lease as never;
      }
      const next = object as LeaseObject;
      if (method === 'POST' ? lease !== undefined : next.metadata.resourceVersion !== lease?.metadata.resourceVersion)
        throw new ApiError(409, 'conflict');
      lease = { ...next, metadata: { ...next.metadata, resourceVersion: String(++version) } };
      return lease as never;
    },
  });
  const start = (identity: string) =>
    holdLease({
      ...{ server: serverFor(identity), namespace: 'cloud', name: 'endpoints', identity, clock, log: silentLogger },
      random: () => 0,
      writes: 'endpoints',
      onChange(isHolder) {
        if (isHolder) holders.push(identity);
        else holders.splice(holders.indexOf(identity), 1);
      },
    });
  return { clock, start, away, holders, spec: () => lease?.spec };
}

test('the first replica holds the lease, and the second waits while it is renewed', async () => {
  const { clock, start, holders, spec } = setUp();
  start('a');
  await clock.advance(0);
  start('b');
  await clock.advance(600_000);
  assert.deepEqual(holders, ['a']);
  assert.equal(spec()?.leaseTransitions, 0);
  assert.match(spec()!.renewTime, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
});

test('a holder that cannot renew stops after 10 s, before another replica takes over after 15 s', async () => {
  const { clock, start, away, holders, spec } = setUp();
  start('a');
  await clock.advance(0);
  start('b');
  await clock.advance(20_000);
  away.add('a');
  await clock.advance(9_000);
  assert.deepEqual(holders, ['a']);
  await clock.advance(3_500);
  assert.deepEqual(holders, []);
  await clock.advance(7_000);
  assert.deepEqual(holders, ['b']);
  assert.deepEqual([spec()?.holderIdentity, spec()?.leaseTransitions], ['b', 1]);
  away.delete('a');
  await clock.advance(60_000);
  assert.deepEqual(holders, ['b']);
});

test('there are never two holders, however replicas come and go', async () => {
  const { clock, start, away, holders } = setUp();
  for (const identity of ['a', 'b', 'c']) start(identity);
  for (let step = 0; step < 600; step++) {
    const identity = 'abc'[(step * 7) % 3]!;
    if ((step * 31) % 11 < 3) away.add(identity);
    else if ((step * 17) % 5 < 3) away.delete(identity);
    await clock.advance(700);
    assert.ok(holders.length <= 1, `step ${step}: ${holders}`);
  }
  away.clear();
  await clock.advance(30_000);
  assert.equal(holders.length, 1);
});

test('a holder that stops releases the lease, and the next replica acquires it at its next attempt', async () => {
  const { clock, start, holders } = setUp();
  const first = start('a');
  await clock.advance(0);
  start('b');
  await clock.advance(5_000);
  await first.stop();
  assert.deepEqual(holders, []);
  await clock.advance(2_000);
  assert.deepEqual(holders, ['b']);
});
