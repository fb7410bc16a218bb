import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSlots } from '../../src/plane/slots.ts';
import { createRegistry } from '../../src/registry/registry.ts';
import { stateStaticServices } from '../../src/sources/static.ts';
import { POLICY, port, zoneConfig } from '../support/zone-setup.ts';

const service = (name: string) => ({
  name,
  namespace: 'default',
  names: ['{service}'],
  ttlSeconds: 5,
  policy: POLICY,
  ports: [port('http', 80)],
  healthCheck: undefined,
  instances: [{ id: `${name}-1`, ipv4: '10.0.0.1', ipv6: 'fd00::1', port: 8080, weight: 2, attributes: { a: 'b' } }],
});

test('a reload withdraws services that are no longer in the file', () => {
  const registry = createRegistry(createSlots(100));
  const before = zoneConfig('production.local.', { services: [service('api'), service('old')] });
  const after = zoneConfig('production.local.', { services: [service('api')] });
  const keys = () => [...registry.services()].map(({ key }) => key);
  stateStaticServices(before, registry);
  assert.deepEqual(keys(), ['static/production.local./default/api', 'static/production.local./default/old']);
  stateStaticServices(after, registry, before);
  assert.deepEqual(keys(), ['static/production.local./default/api']);
  stateStaticServices(undefined, registry, after);
  assert.deepEqual(keys(), []);
  assert.equal(registry.size().instances, 0);
});

test('a static instance has addresses of both families and its own port', () => {
  const registry = createRegistry(createSlots(100));
  stateStaticServices(zoneConfig('production.local.', { services: [service('api')] }), registry);
  const [state] = registry.service('static/production.local./default/api')?.instances.values() ?? [];
  assert.deepEqual(state.instance.addresses, ['10.0.0.1', 'fd00::1']);
  assert.deepEqual(state.instance.ports, [port('http', 8080)]);
});
