// Names in rdata, compressed and read again.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { composeMessage, parseMessage } from '../../src/dns/message/message.ts';
import { formatName, parseName, type WireName } from '../../src/dns/name.ts';
import { FLAG, RCODE, TYPE } from '../../src/dns/types.ts';
import type { NameRecords } from '../../src/plane/records.ts';
import { createInProcessPlane } from '../support/in-process.ts';

const RRSET = { ttlSeconds: 5, routing: 'multivalue', maxAnswers: 0, whenAllUnhealthy: 'nodata' } as const;
const ZONE = parseName('example.test.');

const rrsetOf = (type: number, rdata: readonly Uint8Array[]) => ({
  ...RRSET,
  type,
  records: rdata.map((one) => ({ rdata: one, slot: 0, weight: 1 })),
});

async function planeWith(names: readonly NameRecords[]) {
  const plane = createInProcessPlane();
  const zone = { name: ZONE, ready: true, stale: false, fallthrough: [] };
  await plane.apply([
    { kind: 'replace-zone', zone },
    ...[ZONE, parseName('a.example.test.')].map(
      (name) => ({ kind: 'replace-name', records: { name, rrsets: [] } }) as const,
    ),
    ...names.map((records) => ({ kind: 'replace-name', records }) as const),
  ]);
  return (name: WireName, type: number, transport: 'udp' | 'tcp' = 'tcp') => {
    const response = plane.respond(composeMessage({ id: 1, questions: [{ name, type, class: 1 }] }), transport);
    assert.ok(response);
    return { message: parseMessage(response), bytes: response.length };
  };
}

const label = fc.constantFrom('a', 'b', 'mail', 'example', 'test', 'a-longer-label');
const target = fc.array(label, { maxLength: 6 }).map((labels) => `${labels.join('.')}.`.replace(/^\.+/, '.'));

test('the names in rdata are those of the zone, whatever they share with the owner and with each other', async () => {
  const property = fc.asyncProperty(
    fc.constantFrom('example.test.', 'mail.example.test.', '*.example.test.', 'b.a.example.test.'),
    fc.constantFrom(TYPE.NS, TYPE.PTR, TYPE.MX),
    fc.uniqueArray(target, { minLength: 1, maxLength: 12 }),
    async (owner, type, targets) => {
      const prefix = type === TYPE.MX ? [0, 7] : [];
      const rdata = targets.map((text) => Uint8Array.from([...prefix, ...parseName(text)]));
      const ask = await planeWith([{ name: parseName(owner), rrsets: [rrsetOf(type, rdata)] }]);
      const name = parseName(owner.replace('*', 'x'));
      // Below the apex, NS is a referral.
      const { message } = ask(name, type);
      const records = message.answers.length > 0 ? message.answers : message.authorities;
      assert.deepEqual(
        records.map((record) => formatName(record.rdata.subarray(prefix.length))).sort(),
        [...targets].sort(),
      );
    },
  );
  await fc.assert(property, { numRuns: 300 });
});

test('beyond the reach of a pointer names are written whole', async () => {
  // Two of each domain stand next to each other, so that the second would point to the first.
  const targets = Array.from({ length: 1500 }, (_, i) => `${'ab'[i % 2]}.host.domain-${i >> 1}.net.`);
  const name = parseName('many.example.test.');
  const ask = await planeWith([
    {
      name,
      rrsets: [
        rrsetOf(
          TYPE.PTR,
          targets.map((text) => parseName(text)),
        ),
      ],
    },
  ]);
  const { message, bytes } = ask(name, TYPE.PTR);
  assert.ok(bytes > 0x4000 + 1000, String(bytes));
  assert.deepEqual(message.answers.map(({ rdata }) => formatName(rdata)).sort(), targets.sort());
});

test('a name that a DNAME leads to has at most 255 bytes', async () => {
  const dname = parseName('d.example.test.');
  const targetName = parseName(`${'t'.repeat(63)}.${'u'.repeat(63)}.${'v'.repeat(63)}.`);
  const ask = await planeWith([{ name: dname, rrsets: [rrsetOf(TYPE.DNAME, [targetName])] }]);
  const rcodeOf = (length: number) => ask(parseName(`${'x'.repeat(length)}.d.example.test.`), TYPE.A).message.rcode;
  const room = 255 - targetName.length - 1;
  assert.deepEqual([rcodeOf(room), rcodeOf(room + 1)], [RCODE.NOERROR, RCODE.YXDOMAIN]);
});

/** A name of so many bytes on the wire. */
function nameOf(bytes: number, top: string): WireName {
  let text = `${top}.`;
  for (let left = bytes - top.length - 2; left > 0; left -= Math.min(left, 61))
    text = `${top.repeat(Math.min(left, 61) - 1)}.${text}`;
  return parseName(text);
}

test('an SOA that is one byte too long for 512 bytes is left out, with TC', async () => {
  const name = parseName('missing.example.test.');
  const room = 512 - (12 + name.length + 4) - 12 - 20;
  for (const [more, truncated] of [
    [0, 0],
    [1, FLAG.TC],
  ]) {
    const names = [...nameOf(240, 'm'), ...nameOf(room - 240 + more, 'r')];
    const soa = Uint8Array.from([...names, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0, 5]);
    const ask = await planeWith([{ name: ZONE, rrsets: [rrsetOf(TYPE.SOA, [soa])] }]);
    const { message, bytes } = ask(name, TYPE.A, 'udp');
    assert.equal(message.rcode, RCODE.NXDOMAIN);
    assert.deepEqual([message.flags & FLAG.TC, message.authorities.length], [truncated, 1 - more]);
    if (more === 0) assert.equal(bytes, 512);
  }
});
