// The two ways to a connected UDP socket do the same.
import assert from 'node:assert/strict';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import { NativeDatagrams } from '../../src/native/connected-datagram.ts';
import { type Libc, loadLibc } from '../../src/native/libc.ts';
import { DATAGRAM_WAYS, type DatagramWay } from '../support/datagram-ways.ts';
import { requirement } from '../support/requirement.ts';
import { until } from '../support/until.ts';

/** `values` after another reading. */
function readBy<T>(way: DatagramWay, values: readonly T[]): T[] {
  way.read();
  return [...values];
}

async function server(address: string): Promise<Socket> {
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
  socket.bind(0, address);
  await once(socket, 'listening');
  return socket;
}

for (const [name, { make, skip }] of Object.entries(DATAGRAM_WAYS)) {
  for (const address of ['127.0.0.1', '::1']) {
    test(`${name}: replies of the server at ${address} arrive whole, others are discarded`, {
      skip,
    }, async () => {
      const [way, one, other] = [make(), await server(address), await server(address)];
      const received: string[] = [];
      const failures: string[] = [];
      const socket = way.open(address, one.address().port, {
        received: (message) => received.push(Buffer.from(message).toString()),
        stranger: () => received.push('stranger'),
        failed: (code) => failures.push(code),
      });
      one.on('message', (message, from) => {
        other.send('from elsewhere', from.port, from.address);
        for (let i = 0; i < 100; i++) one.send(`${message} ${i}`, from.port, from.address);
      });
      socket.send(Buffer.from('hello'));
      const expected = Array.from({ length: 100 }, (_, i) => `hello ${i}`);
      await until(() => readBy(way, received), expected);
      assert.deepEqual(failures, []);
      socket.close();
      one.close();
      other.close();
      way.close();
    });
  }

  test(`${name}: a closed port is reported, and the socket remains usable`, { skip }, async () => {
    const [way, closed] = [make(), await server('127.0.0.1')];
    const { port } = closed.address();
    closed.close();
    const received: string[] = [];
    const failures: string[] = [];
    const socket = way.open('127.0.0.1', port, {
      received: (message) => received.push(Buffer.from(message).toString()),
      stranger() {},
      failed: (code) => failures.push(code),
    });
    socket.send(Buffer.from('one'));
    await until(() => readBy(way, failures), ['ECONNREFUSED']);
    const back = createSocket('udp4');
    back.bind(port, '127.0.0.1');
    await once(back, 'listening');
    back.on('message', (message, from) => back.send(message, from.port, from.address));
    socket.send(Buffer.from('two'));
    await until(() => readBy(way, received), ['two']);
    socket.close();
    back.close();
    way.close();
  });
}

test('system calls: a reply longer than the buffer counts as truncated', {
  skip: DATAGRAM_WAYS['system calls'].skip,
}, async () => {
  const [way, one] = [DATAGRAM_WAYS['system calls'].make(), await server('127.0.0.1')];
  const lengths: (readonly [number, number])[] = [];
  const socket = way.open('127.0.0.1', one.address().port, {
    received: (message) => lengths.push([message.length, message[2]]),
    stranger() {},
    failed: assert.fail,
  });
  one.on('message', (_, from) => one.send(Buffer.alloc(5000), from.port, from.address));
  socket.send(Buffer.from('hello'));
  await until(() => readBy(way, lengths), [[4096, 2]]);
  socket.close();
  one.close();
  way.close();
});

test('closed datagrams leave no descriptor behind', requirement('linux'), () => {
  const descriptors = () => readdirSync('/proc/self/fd').length;
  const before = descriptors();
  const datagrams = new NativeDatagrams(loadLibc() as Libc);
  const events = { received() {}, stranger() {}, failed() {} };
  const sockets = ['127.0.0.1', '::1'].map((address) => datagrams.open(address, 9, events));
  assert.equal(descriptors(), before + 2 + sockets.length);
  for (const socket of sockets) socket.close();
  sockets[0]!.close();
  datagrams.close();
  assert.equal(descriptors(), before);
});
