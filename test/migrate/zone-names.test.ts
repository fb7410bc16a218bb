import assert from 'node:assert/strict';
import { test } from 'node:test';
import { zoneName, zoneNames } from '../../src/migrate/draft.ts';

test('networks are their reverse zones, with several where they end within a label', () => {
  assert.deepEqual(zoneNames('10.0.0.0/24'), ['0.0.10.in-addr.arpa.']);
  assert.deepEqual(zoneNames('10.0.3.0/23'), ['2.0.10.in-addr.arpa.', '3.0.10.in-addr.arpa.']);
  assert.equal(zoneNames('10.96.0.0/12').at(-1), '111.10.in-addr.arpa.');
  assert.deepEqual(zoneNames('0.0.0.0/0'), ['in-addr.arpa.']);
  assert.deepEqual(zoneNames('2001:DB8::/32'), ['8.b.d.0.1.0.0.2.ip6.arpa.']);
  assert.deepEqual(zoneNames('2001:db8::/31'), ['8.b.d.0.1.0.0.2.ip6.arpa.', '9.b.d.0.1.0.0.2.ip6.arpa.']);
  assert.equal(zoneNames('fd00::/126').length, 4);
});

test('text that is not a network is a single name, and variables keep their case', () => {
  assert.deepEqual(zoneNames('Example.ORG'), ['example.org.']);
  assert.deepEqual(zoneNames('10.0.0.0/33'), ['10.0.0.0/33']);
  assert.equal(zoneName('A.{$Zone}.{%Other%}.B{'), 'a.{$Zone}.{%Other%}.b{.');
});
