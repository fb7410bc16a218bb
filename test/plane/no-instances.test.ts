import assert from 'node:assert/strict';
import { test } from 'node:test';
import { composeMessage, parseMessage } from '../../src/dns/message/message.ts';
import { parseName } from '../../src/dns/name.ts';
import { RCODE, TYPE } from '../../src/dns/types.ts';
import type { WhenAllUnhealthy } from '../../src/plane/records.ts';
import type { Service } from '../../src/registry/model.ts';
import { createRegistry } from '../../src/registry/registry.ts';
import { Zones } from '../../src/zone/zones.ts';
import { fakeClock } from '../support/fake-clock.ts';
import { createInProcessPlane } from '../support/in-process.ts';
import { instance, POLICY, zoneConfig } from '../support/zone-setup.ts';

const expected: readonly (readonly [WhenAllUnhealthy, number])[] = [
  ['nodata', RCODE.NOERROR],
  ['nxdomain', RCODE.NXDOMAIN],
  ['servfail', RCODE.SERVFAIL],
  ['all', RCODE.NOERROR],
];

for (const [whenAllUnhealthy, rcode] of expected) {
  test(`a service without instances is answered according to whenAllUnhealthy: ${whenAllUnhealthy}`, async () => {
    const plane = createInProcessPlane();
    const registry = createRegistry(plane.slots);
    const zones = new Zones({
      registry,
      plane,
      zones: [zoneConfig('example.test.')],
      clock: fakeClock(),
      random: () => 0.5,
    });
    const service: Service = {
      key: 'static/example.test./default/api',
      source: 'static',
      zone: 'example.test.',
      namespace: 'default',
      name: 'api',
      names: ['{service}'],
      ttlSeconds: 5,
      kind: 'instances',
      ports: [],
      policy: { ...POLICY, whenAllUnhealthy },
    };
    const ask = (type: number) => {
      const name = parseName('api.example.test.');
      return parseMessage(plane.respond(composeMessage({ id: 1, questions: [{ name, type, class: 1 }] }))!);
    };
    registry.replaceService(service);
    await zones.flush();
    assert.equal(ask(TYPE.A).rcode, rcode);
    assert.equal(ask(TYPE.AAAA).rcode, rcode);

    registry.replaceGroup('g', service.key, [instance('api-1', ['192.0.2.1'])]);
    for (const state of registry.service(service.key)!.instances.values()) plane.slots.set(state.slot, true);
    await zones.flush();
    assert.equal(ask(TYPE.A).answers.length, 1);

    registry.removeGroup('g');
    await zones.flush();
    assert.equal(ask(TYPE.A).rcode, rcode);
  });
}
