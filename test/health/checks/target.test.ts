import assert from 'node:assert/strict';
import { test } from 'node:test';
import { targetOf } from '../../../src/health/checks/probe.ts';
import type { HealthCheck, ServicePort } from '../../../src/registry/model.ts';
import { instance, service } from '../../support/model.ts';

const check = (type: HealthCheck['type'], more: Partial<HealthCheck> = {}): HealthCheck => ({
  ...{ type, interval: 10, timeout: 1, retries: 3, startPeriod: 0 },
  ...more,
});
const port = (number: number): ServicePort => ({ name: '', protocol: 'tcp', port: number });

test('a check uses its own port, else that of the instance, the service or the protocol', () => {
  const portOf = (type: HealthCheck['type'], more: Partial<HealthCheck> = {}, own?: number, shared?: number) =>
    targetOf(
      service('api', { healthCheck: check(type, more), ports: shared === undefined ? [] : [port(shared)] }),
      instance('a', '10.0.0.1', { ports: own === undefined ? [] : [port(own)] }),
    )?.port;
  assert.equal(portOf('http'), 80);
  assert.equal(portOf('https'), 443);
  assert.equal(portOf('tcp'), 0);
  assert.equal(portOf('http', {}, undefined, 3), 3);
  assert.equal(portOf('http', {}, 2, 3), 2);
  assert.equal(portOf('http', { port: 1 }, 2, 3), 1);
});

test('a check uses its own address, else the first one of the instance', () => {
  const target = (more: Partial<HealthCheck>) =>
    targetOf(service('api'), instance('a', '10.0.0.1', { healthCheck: check('tcp', more) }));
  assert.equal(target({})?.address, '10.0.0.1');
  assert.equal(target({ address: '192.0.2.9' })?.address, '192.0.2.9');
  assert.equal(targetOf(service('api'), instance('a', '10.0.0.1')), undefined);
});
