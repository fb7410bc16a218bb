import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseName } from '../../src/dns/name.ts';
import type { ServiceState } from '../../src/registry/model.ts';
import { KeptService, KeptServices } from '../../src/zone/names/kept-endpoints.ts';

const zone = parseName('cluster.local.');

test('the instances of kept services are limited in total: the service compiled longest ago makes room', () => {
  const services = new KeptServices(1);
  const keep = (key: string, size: number) => {
    const state = { key, service: {}, instances: { size } } as unknown as ServiceState;
    const origin = { service: state.service!, zone, reverseZones: [] };
    const kept = new KeptService(origin, []);
    services.keep(state, kept);
    return { again: () => services.keep(state, kept), isKept: () => services.find(key, origin) === kept };
  };
  const [a, b] = [keep('a', 9_000), keep('b', 9_000)];
  assert.deepEqual([a.isKept(), b.isKept()], [true, true]);
  a.again();
  const c = keep('c', 9_000);
  assert.deepEqual([a.isKept(), b.isKept(), c.isKept()], [true, false, true]);
  services.forget('a');
  const d = keep('d', 9_000);
  assert.deepEqual([a.isKept(), c.isKept(), d.isKept()], [false, true, true]);
});
