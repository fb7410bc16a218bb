import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSlots } from '../../src/plane/slots.ts';

test('slot 0 is always answered and never allocated', () => {
  const slots = createSlots(4);
  assert.equal(slots.get(0), true);
  assert.deepEqual([slots.allocate(), slots.allocate(), slots.allocate()], [1, 2, 3]);
  assert.throws(() => slots.set(0, false), RangeError);
});

test('allocating beyond the last slot is an error', () => {
  const slots = createSlots(2);
  slots.allocate();
  assert.throws(() => slots.allocate(), /all 2 health slots are in use/);
});

test('a released slot is unhealthy at once, and reused only after the threads have dropped its records', async () => {
  const slots = createSlots(3);
  const slot = slots.allocate();
  slots.set(slot, true);
  let acknowledge = () => {};
  slots.release(slot, new Promise((resolve) => (acknowledge = resolve)));
  assert.equal(slots.get(slot), false);
  assert.equal(slots.allocate(), 2);
  assert.throws(() => slots.allocate(), RangeError);
  acknowledge();
  await Promise.resolve();
  assert.equal(slots.allocate(), slot);
  assert.equal(slots.get(slot), false);
});

test('a slot whose release is never acknowledged is never reused', async () => {
  const slots = createSlots(2);
  slots.release(slots.allocate(), Promise.reject(new Error('closed')));
  await new Promise((resolve) => setImmediate(resolve));
  assert.throws(() => slots.allocate(), RangeError);
  assert.equal(slots.inUse(), 1);
});
