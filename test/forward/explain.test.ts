import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FORWARD_DEFAULTS } from '../../src/plane/forward-settings.ts';
import { routeTo } from '../support/forwarding.ts';
import { throughEngine } from '../support/through-engine.ts';

test('explain names what answers an external name: hosts, a template, DNS64, or the servers of its route', async () => {
  const { explain, close } = await throughEngine('zone ours.test.', {}, [], {
    ...FORWARD_DEFAULTS,
    loopDetection: false,
    hosts: {
      ...{ files: [], ttlSeconds: 60, reverse: true },
      entries: [{ address: '2001:db8::1', names: ['six.test.'] }],
    },
    templates: [{ zone: 'made.test.', type: 1, match: undefined, rcode: 0, values: ['192.0.2.1'], ttlSeconds: 60 }],
    dns64: { prefix: '64:ff9b::', prefixBits: 96, translateAll: false },
    routes: [routeTo('.', [5301]), routeTo('corp.', [5302])],
  });
  const dns64 = 'dns64 64:ff9b::: AAAA where there is only A';
  const route = { zone: '.', upstreams: ['127.0.0.1:5301'] };
  assert.deepEqual(explain('six.test. A'), { rules: ['answered from hosts', dns64], route });
  assert.deepEqual(explain('any.made.test. A'), { rules: ['answered from a template', dns64], route });
  assert.deepEqual(explain('ipv4only.arpa. A'), { rules: ['answered from dns64 (ipv4only.arpa)', dns64], route });
  assert.deepEqual(explain('www.test. A'), { rules: [dns64], route });
  assert.deepEqual(explain('www.corp. A').route, { zone: 'corp.', upstreams: ['127.0.0.1:5302'] });
  close();
});
