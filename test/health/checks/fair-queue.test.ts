import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createFairQueue } from '../../../src/health/checks/fair-queue.ts';

test('owners take turns in a fair queue, whatever the number of their items', () => {
  const queue = createFairQueue<string>();
  for (const item of ['a1', 'a2', 'a3', 'a4', 'a5']) queue.push('a', item);
  for (const item of ['b1', 'b2']) queue.push('b', item);
  const taken: (string | undefined)[] = [];
  for (let i = 0; i < 8; i++) taken.push(queue.take());
  assert.deepEqual(taken, ['a1', 'b1', 'a2', 'b2', 'a3', 'a4', 'a5', undefined]);
});

test('an item removed from a fair queue is not taken', () => {
  const queue = createFairQueue<string>();
  queue.push('a', 'a1');
  queue.push('a', 'a2');
  queue.remove('a', 'a1');
  queue.remove('a', 'a1');
  queue.remove('b', 'a2');
  assert.equal(queue.size(), 1);
  assert.deepEqual([queue.take(), queue.take(), queue.size()], ['a2', undefined, 0]);
});
