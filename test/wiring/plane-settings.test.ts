import assert from 'node:assert/strict';
import { test } from 'node:test';
import { presentAddresses } from '../../src/wiring/plane-settings.ts';

const LISTEN = [
  { address: '127.0.0.1', port: 53 },
  { address: '::1', port: 53 },
  { address: '::', port: 53 },
  { address: '2001:db8::1', port: 53 },
];

test('on a host without IPv6 its addresses are skipped, elsewhere only a missing loopback address', () => {
  const left = (...host: string[]) => presentAddresses(LISTEN, host).skipped.map(({ address }) => address);
  assert.deepEqual(left('127.0.0.1', '192.0.2.1'), ['::1', '::', '2001:db8::1']);
  assert.deepEqual(left('127.0.0.1', '::1'), []);
  assert.deepEqual(left('127.0.0.1', 'fe80::1'), ['::1']);
});
