import assert from 'node:assert/strict';
import { isIPv6 } from 'node:net';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatIp, parseIpv4 } from '../../src/dns/ip.ts';
import { readPodAddress } from '../../src/dns/pod-address.ts';

/** The address that a label contains; undefined if it contains none. */
function read(label: string): string | undefined {
  const name = Buffer.concat([Buffer.from([3]), Buffer.from('abc'), Buffer.from([label.length]), Buffer.from(label)]);
  const address = new Uint8Array(16).fill(0xee);
  const length = readPodAddress(Buffer.concat([name, Buffer.from('\x03pod\x00')]), 4, address);
  return length === 0 ? undefined : formatIp(address.subarray(0, length));
}

test('a pod name contains the IPv4 address that its dashes separate', () => {
  fc.assert(fc.property(fc.ipV4(), (address) => assert.equal(read(address.replaceAll('.', '-')), address)));
  for (const label of ['1-2-3', '1-2-3-', '-1-2-3', '1-2-3-4-5', '01-2-3-4', '1-2-3-256', '1-2-x-4', '1'])
    assert.equal(read(label), undefined, label);
});

test('a pod name contains an IPv6 address exactly if Node accepts it with colons', () => {
  const group = fc.integer({ min: 0, max: 0xffff }).map((value) => value.toString(16));
  const label = fc.oneof(
    fc
      .array(fc.oneof(group, fc.constantFrom('', '-', '00', '12345')), { maxLength: 9 })
      .map((parts) => parts.join('-')),
    fc.array(group, { minLength: 8, maxLength: 8 }).map((parts) => parts.join('-')),
    fc.string({ unit: fc.constantFrom('a', '0', '-', '1', 'g'), maxLength: 12 }),
  );
  fc.assert(
    fc.property(label, (text) => {
      fc.pre(text.length > 0 && text.length <= 63 && parseIpv4(text.replaceAll('-', '.')) === undefined);
      const address = text.replaceAll('-', ':');
      assert.equal(read(text) !== undefined, isIPv6(address), text);
      if (isIPv6(address)) assert.equal(read(text), new URL(`http://[${address}]`).hostname.slice(1, -1), text);
    }),
    { numRuns: 5_000 },
  );
  for (const [written, address] of [
    ['fd00--1', 'fd00::1'],
    ['--1', '::1'],
    ['1--', '1::'],
    ['--', '::'],
    ['1-2-3-4-5-6-7--', '1:2:3:4:5:6:7:0'],
  ])
    assert.equal(read(written!), address);
});
