import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { endpointOf } from '../../src/cloudmap/kubernetes/instance-slices.ts';
import {
  changesOf,
  derivedEndpoints,
  isReady,
  type PresentSlice,
  sameEndpoints,
  type Wanted,
} from '../../src/endpoints/desired.ts';
import type { ServiceState } from '../../src/registry/model.ts';

describe('the readiness of an endpoint', () => {
  for (const [status, unknown, expected] of [
    ['HEALTHY', 'answer', true],
    ['HEALTHY', 'exclude', true],
    ['UNKNOWN', 'answer', true],
    ['UNKNOWN', 'exclude', false],
    ['UNHEALTHY', 'answer', false],
    ['UNHEALTHY', 'exclude', false],
  ] as const)
    test(`an instance that is ${status} with unknown: ${unknown} is ${expected}`, () =>
      assert.equal(isReady(status, unknown), expected));
});

test('derived endpoints are tasks, and IPv6 addresses of instances stored with their IPv4 address', () => {
  const state = (id: string, attributes: Record<string, string>, status: string) =>
    [id, { instance: { id, attributes, addresses: [] }, verdict: { status } }] as const;
  const service = {
    service: { policy: { unknown: 'answer' } },
    instances: new Map([
      state('task', { AWS_INSTANCE_IPV4: '10.0.0.1', AWS_INSTANCE_PORT: '80', AVAILABILITY_ZONE: 'z' }, 'UNHEALTHY'),
      state('dual', { AWS_INSTANCE_IPV4: '10.0.0.2', AWS_INSTANCE_IPV6: 'fd00::2' }, 'HEALTHY'),
    ]),
  } as unknown as ServiceState;
  const record = {
    serviceId: 's',
    id: 'dual',
    registeredMs: 0,
    attributes: [...service.instances.values()].find(({ instance }) => instance.id === 'dual')!.instance.attributes,
  };
  const target = { namespace: 'shop', name: 'task' };
  assert.deepEqual(
    derivedEndpoints(service, new Map([['dual', record]]), () => target),
    [
      { id: 'dual', address: 'fd00::2', ready: true, shape: { family: 'IPv6', port: 0 } },
      { id: 'task', address: '10.0.0.1', ready: false, shape: { family: 'IPv4', port: 80 }, zone: 'z', target },
    ],
  );
});

const wanted: fc.Arbitrary<Wanted[]> = fc
  .uniqueArray(fc.record({ n: fc.integer({ min: 0, max: 400 }), ready: fc.boolean() }), {
    selector: ({ n }) => n,
    maxLength: 350,
  })
  .map((all) =>
    all.map(({ n, ready }) => ({
      id: `i-${n}`,
      address: `10.0.${n >> 8}.${n & 255}`,
      ready,
      shape: { family: 'IPv4' as const, port: n % 3 === 0 ? 81 : 80 },
    })),
  );

/** The slices after the changes, as the API server would have them. */
function apply(present: readonly PresentSlice<number>[], next: readonly Wanted[]): PresentSlice<number>[] {
  const changes = changesOf(next, present);
  const kept = present.filter(({ slice }) => !changes.some((change) => change.slice === slice));
  const written = changes.filter(({ endpoints }) => endpoints.length > 0);
  let name = Math.max(0, ...present.map(({ slice }) => slice));
  return [...kept, ...written.map((change) => ({ ...change, slice: change.slice ?? ++name }))];
}

const shown = (slices: readonly PresentSlice<number>[]) =>
  slices.flatMap(({ shape, endpoints }) => endpoints.map((one) => JSON.stringify([shape.port, one]))).sort();

test('applying the changes yields the desired slices of at most 100 endpoints, and no further changes', () => {
  fc.assert(
    fc.property(wanted, wanted, (first, second) => {
      const before = apply([], first);
      const after = apply(before, second);
      assert.deepEqual(shown(after), second.map((one) => JSON.stringify([one.shape.port, endpointOf(one)])).sort());
      assert.ok(after.every(({ endpoints }) => endpoints.length <= 100));
      assert.deepEqual(changesOf(second, after), []);
    }),
    { numRuns: 50 },
  );
});

test('an instance that goes or changes affects only its own slice', () => {
  const all = Array.from({ length: 250 }, (_, n) => ({
    ...{ id: `i-${n}`, address: `10.0.0.${n}`, ready: true, shape: { family: 'IPv4' as const, port: 80 } },
  }));
  const slices = apply([], all);
  assert.equal(slices.length, 3);
  assert.equal(changesOf(all.slice(1), slices).length, 1);
  assert.equal(
    changesOf(
      all.map((one) => (one.id === 'i-120' ? { ...one, ready: false } : one)),
      slices,
    ).length,
    1,
  );
});

test('fields that the server adds to an endpoint are not a difference', () => {
  const one = endpointOf({ id: 'a', address: '10.0.0.1', ready: true });
  assert.ok(sameEndpoints([one], [{ ...one, nodeName: 'x', deprecatedTopology: {} }]));
  assert.ok(!sameEndpoints([one], [endpointOf({ id: 'a', address: '10.0.0.1', ready: false })]));
  assert.ok(!sameEndpoints([one], []));
});
