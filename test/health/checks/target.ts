import type { CheckTarget } from '../../../src/health/checks/probe.ts';
import type { HealthCheck } from '../../../src/registry/model.ts';

export const CHECK: HealthCheck = { type: 'tcp', interval: 10, timeout: 2, retries: 3, startPeriod: 0 };

export function target(check: Partial<HealthCheck>, port = 0, attributes: Record<string, string> = {}): CheckTarget {
  return {
    check: { ...CHECK, ...check },
    service: { name: 'api', namespace: 'default', zone: 'test.local.' },
    instance: { id: 'api-1', addresses: ['127.0.0.1', '::1'], attributes },
    address: '127.0.0.1',
    port,
  };
}

/** For checks that are to run to their end. */
export const never = () => new AbortController().signal;
