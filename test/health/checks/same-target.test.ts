import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sameTarget } from '../../../src/health/checks/check.ts';
import type { CheckTarget } from '../../../src/health/checks/probe.ts';
import { instance, service } from '../../support/model.ts';
import { CHECK } from './target.ts';

function target(type: 'tcp' | 'exec', attributes: Readonly<Record<string, string>>, more: Partial<CheckTarget> = {}) {
  const check = { ...CHECK, type };
  return {
    ...{ check, address: '10.0.0.1', port: 80 },
    ...{ instance: instance('a', '10.0.0.1', { attributes }), service: service('api') },
    ...more,
  } satisfies CheckTarget;
}

test('a check restarts if its address, port or parameters change', () => {
  const tcp = target('tcp', {});
  assert.ok(sameTarget(tcp, target('tcp', {})));
  assert.ok(!sameTarget(tcp, target('tcp', {}, { address: '10.0.0.2' })));
  assert.ok(!sameTarget(tcp, target('tcp', {}, { port: 81 })));
  assert.ok(!sameTarget(tcp, target('tcp', {}, { check: { ...CHECK, type: 'tcp', retries: 9 } })));
});

test('changed attributes restart a command, which sees them, and no other check', () => {
  assert.ok(sameTarget(target('exec', { a: '1' }), target('exec', { a: '1' })));
  assert.ok(!sameTarget(target('exec', { a: '1' }), target('exec', { a: '2' })));
  assert.ok(sameTarget(target('tcp', { a: '1' }), target('tcp', { a: '2' })));
});
