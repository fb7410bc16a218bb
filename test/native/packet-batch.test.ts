// One recvmmsg and one sendmmsg for several packets.
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { test } from 'node:test';
import { type Libc, loadLibc } from '../../src/native/libc.ts';
import { openUdpSocket } from '../../src/native/listening-socket.ts';
import { PacketBatch } from '../../src/native/packet-batch.ts';
import { createPacketMemory } from '../../src/native/packet-memory.ts';
import { boundAddress, composeSocketAddress } from '../../src/native/socket-address.ts';
import { requirement } from '../support/requirement.ts';
import { until } from '../support/until.ts';

for (const [bound, asked] of [
  ['127.0.0.1', '127.0.0.1'],
  ['0.0.0.0', '127.0.0.7'],
  ['::', '::1'],
] as const) {
  test(
    `packets at ${bound} are read and answered in one batch, each by its own response`,
    requirement('linux'),
    async () => {
      const libc = loadLibc() as Libc;
      const memory = createPacketMemory(8, 512, libc.allocate);
      const address = { address: bound, port: 0 };
      const fd = openUdpSocket(libc, address, { shared: false, receiveBufferBytes: 1 << 16 });
      const wildcard = bound !== asked;
      const batch = new PacketBatch(libc, memory, composeSocketAddress(address).length, wildcard);
      assert.equal(batch.receive(fd), -1);
      const client = createSocket(asked.includes(':') ? 'udp6' : 'udp4');
      client.connect(boundAddress(libc, fd).port, asked);
      await once(client, 'connect');
      const replies: string[] = [];
      client.on('message', (message) => replies.push(message.toString()));
      for (const round of [1, 2]) {
        const sent = Array.from({ length: 5 }, (_, i) => `${round}-${'x'.repeat(i)}`);
        for (const text of sent) await new Promise((resolve) => client.send(text, resolve));
        assert.equal(batch.receive(fd), 5);
        const senders = sent.map((text, i) => {
          assert.equal(batch.queryLength(i), text.length);
          assert.equal(Buffer.from(memory.queries[i]!.subarray(0, text.length)).toString(), text);
          assert.equal(batch.port(i), client.address().port);
          assert.equal(batch.client(i).length, asked.includes(':') ? 16 : 4);
          return batch.copySender(i);
        });
        // The second gets no response, so those behind it move up.
        const answered = [0, 2, 3, 4];
        answered.forEach((from, to) => {
          const text = Buffer.from(`re ${sent[from]}`);
          memory.responses[to]!.set(text);
          batch.address(to, from, text.length);
        });
        assert.equal(batch.send(fd, answered.length), answered.length);
        await until(() => replies.length, answered.length);
        assert.deepEqual(
          replies.splice(0),
          answered.map((from) => `re ${sent[from]}`),
        );
        // Later, out of another place of the batch.
        batch.restoreSender(7, senders[1]!);
        memory.responses[0]!.set(Buffer.from('late'));
        batch.address(0, 7, 4);
        assert.equal(batch.send(fd, 1), 1);
        await until(() => replies.length, 1);
        assert.deepEqual(replies.splice(0), ['late']);
      }
      client.close();
      libc.close(fd);
    },
  );
}
