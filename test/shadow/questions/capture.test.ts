import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { composeQuery, type Question } from '../../../src/shadow/answers/question.ts';
import { readSegment } from '../../../src/shadow/questions/packet.ts';
import {
  frame,
  framed,
  IPV4,
  IPV6,
  ip,
  LINK_TYPES,
  type Link,
  pcap,
  pcapng,
  tcp,
  udp,
} from '../../support/captures.ts';
import { readInput as read } from '../../support/read-input.ts';
import { requirement } from '../../support/requirement.ts';
import { temporary } from '../../support/temporary.ts';

const way = { transport: 'udp' } as const;
const query = (name: string): Buffer => composeQuery({ name, type: 'A', way });

const udpPacket = (name: string, endpoints = IPV4) => ip(endpoints, udp(endpoints, query(name)), { protocol: 17 });

for (const link of Object.keys(LINK_TYPES) as Link[]) {
  test(`queries over IPv4 and IPv6 are found in frames of link type ${link}, in both formats and byte orders`, async () => {
    const frames = [frame(link, udpPacket('a.example.')), frame(link, udpPacket('b.example.', IPV6))];
    for (const isBigEndian of [false, true]) {
      const files = [
        pcap(frames, { link, isBigEndian }),
        pcap(frames, { link, isBigEndian, isNano: true }),
        pcapng(frames, { link, isBigEndian }),
        pcapng(frames, { link, isBigEndian, simple: true }),
      ];
      for (const file of files) {
        const { names, notes } = await read(file);
        assert.deepEqual([names, notes.read, notes.damage], [['a.example.', 'b.example.'], 2, undefined]);
      }
    }
  });
}

test('VLAN tags are skipped, one within another too', async () => {
  const packet = udpPacket('a.example.');
  const qinq = [
    [0x88a8, 7],
    [0x8100, 9],
  ] as const;
  const ethernet = [frame('ethernet', packet, [[0x8100, 5]]), frame('ethernet', packet, qinq)];
  assert.deepEqual((await read(pcap(ethernet))).names, ['a.example.', 'a.example.']);
  const sll2 = frame('sll2', packet, qinq);
  assert.deepEqual((await read(pcap([sll2], { link: 'sll2' }))).names, ['a.example.']);
});

test('IPv6 extension headers are skipped; an atomic fragment is whole, others are counted', async () => {
  const hopByHop = [0, Buffer.alloc(7)] as const;
  const destination = [60, Buffer.from([1, ...new Array(14).fill(0)])] as const;
  const fragment = (word: number) => [44, Buffer.of(0, word >> 8, word & 255, 0, 0, 0, 1)] as const;
  const packet = (...extensions: (readonly [number, Buffer])[]) =>
    frame('ethernet', ip(IPV6, udp(IPV6, query('a.example.')), { protocol: 17, extensions }));
  const { names, skipped } = await read(
    pcap([packet(hopByHop, destination), packet(fragment(0)), packet(fragment(1)), packet(hopByHop, fragment(0x5a8))]),
  );
  assert.deepEqual([names.length, skipped], [2, { fragment: 2 }]);
});

test('responses, other ports, other protocols, fragments and cut packets are counted by reason, with the first place', async () => {
  const other = { ...IPV4, port: 5353 };
  const response = query('a.example.');
  response[2]! |= 0x80;
  const back = { ...IPV4, port: IPV4.sourcePort, sourcePort: 53 };
  const { names, skipped, notes } = await read(
    pcap([
      frame('ethernet', ip(back, udp(back, response), { protocol: 17 })),
      frame('ethernet', ip(other, udp(other, query('a.example.')), { protocol: 17 })),
      frame('ethernet', ip(IPV4, Buffer.alloc(8), { protocol: 1 })),
      frame('ethernet', ip(IPV4, udp(IPV4, query('a.example.')), { protocol: 17, fragment: 0x2000 })),
      frame('ethernet', ip(IPV4, Buffer.alloc(40), { protocol: 17, fragment: 185 })),
      frame('ethernet', udpPacket('a.example.')).subarray(0, 50),
      Buffer.concat([Buffer.alloc(12), Buffer.of(0x08, 0x06), Buffer.alloc(28)]),
      frame('ethernet', ip(IPV4, udp(IPV4, Buffer.from('hello, this is not DNS')), { protocol: 17 })),
      frame('ethernet', udpPacket('last.example.')),
    ]),
  );
  assert.deepEqual(names, ['last.example.']);
  assert.deepEqual(skipped, {
    response: 1,
    'other ports than 53': 1,
    'neither UDP nor TCP': 1,
    fragment: 2,
    'cut by the capture length (tcpdump -s)': 1,
    'not IP': 1,
    'not a DNS message': 1,
  });
  assert.match(notes.skipped.get('fragment')!.firstAt, /^packet 4 at byte \d+$/);
});

test('queries over TCP are put together from segments that are divided, repeated, out of order, or wrap around', async () => {
  const stream = Buffer.concat(['a.example.', 'b.example.', 'c.example.'].map((name) => framed(query(name))));
  const start = 0xffff_fff0;
  const part = (from: number, to: number, flags?: number) =>
    frame(
      'ethernet',
      ip(IPV4, tcp(IPV4, stream.subarray(from, to), { sequence: (start + 1 + from) >>> 0, flags }), { protocol: 6 }),
    );
  const syn = frame('ethernet', ip(IPV4, tcp(IPV4, Buffer.alloc(0), { sequence: start, flags: 2 }), { protocol: 6 }));
  const { questions, skipped } = await read(
    pcap([syn, part(0, 1), part(40, 60), part(1, 40), part(1, 40), part(30, 70), part(60, stream.length, 0x11)]),
  );
  assert.deepEqual(
    questions.map(({ name, way }) => [name, way.transport]),
    [
      ['a.example.', 'tcp'],
      ['b.example.', 'tcp'],
      ['c.example.', 'tcp'],
    ],
  );
  assert.deepEqual(skipped, {});
});

test('a TCP connection older than the capture is followed from its next message on', async () => {
  const message = framed(query('a.example.'));
  const middle = frame('ethernet', ip(IPV4, tcp(IPV4, Buffer.alloc(20, 7)), { protocol: 6 }));
  const whole = frame('ethernet', ip(IPV4, tcp(IPV4, message, { sequence: 21 }), { protocol: 6 }));
  const { names, skipped } = await read(pcap([middle, whole]));
  assert.deepEqual([names, skipped], [['a.example.'], { 'TCP connection older than the capture': 1 }]);
});

test('a query is asked again with its case, type, class, flags, EDNS size and DO; not with its options', async () => {
  const asked: Question = {
    name: 'Web.Example.',
    type: 'TYPE65280',
    class: 3,
    way: { transport: 'udp', edns: { udpBytes: 4096, dnssecOk: true }, flags: 0x0010 },
  };
  const file = pcap([frame('ethernet', ip(IPV4, udp(IPV4, composeQuery(asked)), { protocol: 17 }))]);
  assert.deepEqual((await read(file)).questions, [asked]);
});

test('a capture that is cut anywhere gives the questions before the cut, and the place', async () => {
  const frames = ['a.example.', 'b.example.', 'c.example.'].map((name) => frame('ethernet', udpPacket(name)));
  for (const file of [pcap(frames), pcapng(frames)]) {
    const whole = await read(file);
    for (let length = 5; length < file.length; length += 3) {
      const { names, notes } = await read(file.subarray(0, length));
      assert.deepEqual(names, whole.names.slice(0, names.length));
      if (notes.damage !== undefined) assert.match(notes.damage, /byte \d+/);
      else assert.ok(length % 4 === 0 || names.length < 3);
    }
    const { names, notes } = await read(file.subarray(0, file.length - 1));
    assert.ok(names.length >= 2 && notes.damage !== undefined);
  }
});

test('an implausible length ends the reading with packet number and byte, whatever follows', async () => {
  const file = pcap(['a.example.', 'b.example.'].map((name) => frame('ethernet', udpPacket(name))));
  const second = 24 + 16 + file.readUInt32LE(32);
  file.writeUInt32LE(0x7fff_ffff, second + 8);
  const { names, notes } = await read(file);
  assert.deepEqual(names, ['a.example.']);
  assert.equal(notes.damage, `packet 2 at byte ${second}: a length of 2147483647 bytes is not plausible`);
});

test('gzipped captures are unpacked on the way; a cut one gives what could be read', async () => {
  const frames = Array.from({ length: 500 }, (_, number) => frame('ethernet', udpPacket(`n${number}.example.`)));
  const file = gzipSync(pcap(frames));
  const whole = await read(file);
  assert.deepEqual([whole.names.length, whole.notes.format], [500, 'pcap, gzip']);
  const cut = await read(file.subarray(0, file.length - 100));
  assert.match(cut.notes.damage ?? '', /^packed bytes that gzip cannot unpack: unexpected end of file$/);
  assert.equal(cut.notes.format, 'pcap, gzip');
});

test('no bytes make the reader throw, hang or ask for more memory than a packet has', async () => {
  const frames = [frame('ethernet', udpPacket('a.example.', IPV6)), frame('sll', udpPacket('b.example.'))];
  const files = [pcap(frames), pcapng(frames), pcapng(frames, { isBigEndian: true })];
  const damaged = fc
    .tuple(
      fc.constantFrom(...files),
      fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 8 }),
      fc.nat(),
      fc.integer({ min: 1, max: 100 }),
    )
    .map(([file, changes, cut, piece]) => {
      const bytes = Buffer.from(file);
      for (const [at, value] of changes) bytes[4 + (at % (bytes.length - 4))] = value;
      return { bytes: bytes.subarray(0, bytes.length - (cut % 50)), piece };
    });
  await fc.assert(
    fc.asyncProperty(damaged, async ({ bytes, piece }) => void (await read(bytes, piece))),
    { numRuns: 300 },
  );
  fc.assert(
    fc.property(fc.constantFrom(0, 1, 12, 101, 108, 113, 276, 7), fc.uint8Array({ maxLength: 120 }), (link, bytes) => {
      readSegment(link, Buffer.from(bytes));
    }),
    { numRuns: 2_000 },
  );
  // Random bytes rarely look like IP at all.
  fc.assert(
    fc.property(fc.constantFrom(0x45, 0x4f, 0x60), fc.uint8Array({ minLength: 1, maxLength: 120 }), (first, bytes) => {
      readSegment(101, Buffer.from([first, ...bytes]));
    }),
    { numRuns: 2_000 },
  );
});

test('tshark finds the same queries in the same files', requirement('tshark'), async (t) => {
  const folder = await temporary();
  t.after(() => rm(folder, { recursive: true }));
  const packets = [udpPacket('a.example.'), udpPacket('b.example.', IPV6)];
  const segments = [
    ip(IPV4, tcp(IPV4, Buffer.alloc(0), { sequence: 0, flags: 2 }), { protocol: 6 }),
    ip(IPV4, tcp(IPV4, framed(query('c.example.'))), { protocol: 6 }),
  ];
  for (const link of ['ethernet', 'sll2'] as const) {
    const frames = [...packets, ...segments].map((packet) => frame(link, packet));
    if (link === 'ethernet')
      frames.push(
        frame(link, udpPacket('d.example.'), [
          [0x88a8, 7],
          [0x8100, 9],
        ]),
      );
    for (const file of [link === 'sll2' ? pcap(frames, { link }) : pcapng(frames, { link })]) {
      const path = join(folder, 'capture');
      await writeFile(path, file);
      const fields = ['-r', path, '-Y', 'dns.flags.response == 0', '-T', 'fields', '-e', 'dns.qry.name'];
      const { stdout, stderr } = spawnSync('tshark', fields, { encoding: 'utf8' });
      const names = stdout.trim().split('\n');
      assert.deepEqual(
        (await read(file)).names,
        names.map((name) => `${name}.`),
        stderr,
      );
      assert.ok(names.length >= 3);
    }
  }
});
