// What Node's own sockets cannot do by themselves: replies from the address that was asked.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { composeMessage, parseMessage } from '../../src/dns/message/message.ts';
import { parseName } from '../../src/dns/name.ts';
import { openPlainUdp } from '../../src/server/udp/udp-plain.ts';
import { createInProcessPlane } from '../support/in-process.ts';
import { requirement } from '../support/requirement.ts';
import { serveExample } from '../support/served-example.ts';
import { udpClient } from '../support/transports.ts';

const OPTIONS = { receiveBufferBytes: 1 << 16, responseBytes: 1232 };
const QUERY = composeMessage({ id: 1, questions: [{ name: parseName('api.example.test.'), type: 1, class: 1 }] });

async function start(context: TestContext, address: string, localAddresses?: readonly string[]) {
  const plane = createInProcessPlane();
  await serveExample(plane);
  const socket = await openPlainUdp(plane.engine, { address, port: 0 }, { ...OPTIONS, localAddresses });
  context.after(() => socket.close());
  const ask = async (asked: string) => {
    // A connected socket hears only the address it is connected to.
    const client = await udpClient(asked, socket.bound.port);
    const response = await client.ask(QUERY);
    client.close();
    return response && parseMessage(response).answers.length;
  };
  return { engine: plane.engine, socket, ask };
}

test(
  'plain sockets on a wildcard address reply from the address that was queried',
  requirement('linux'),
  async (context) => {
    const { socket, ask } = await start(context, '0.0.0.0', ['127.0.0.2', '127.0.0.3', 'fd00::1']);
    assert.equal(socket.bound.address, '0.0.0.0');
    // The last is none of those: the socket for all others has it, and the kernel's choice is right there.
    for (const asked of ['127.0.0.2', '127.0.0.3', '127.0.0.1']) assert.equal(await ask(asked), 2, asked);
  },
);

test('the addresses of the machine are listed', async (context) => {
  const { ask } = await start(context, '0.0.0.0');
  assert.equal(await ask('127.0.0.1'), 2);
});

test(
  'plain IPv6 sockets on a wildcard address reply from the address that was queried',
  requirement('ipv6-loopback'),
  async (context) => {
    const { ask } = await start(context, '::');
    assert.equal(await ask('::1'), 2);
  },
);

test('an address that cannot be bound is left to the wildcard socket', requirement('linux'), async (context) => {
  const { ask } = await start(context, '0.0.0.0', ['192.0.2.1', '127.0.0.2']);
  for (const asked of ['127.0.0.1', '127.0.0.2']) assert.equal(await ask(asked), 2, asked);
});

test('a wildcard port in use is an error, even if both sockets could share it', async (context) => {
  const { engine, socket } = await start(context, '0.0.0.0');
  const { port } = socket.bound;
  await assert.rejects(openPlainUdp(engine, { address: '0.0.0.0', port }, OPTIONS), {
    name: 'ListenError',
    code: 'EADDRINUSE',
    message: `0.0.0.0:${port}/udp: already in use`,
  });
});

test('closed sockets release the port', async (context) => {
  const { engine } = await start(context, '127.0.0.1');
  const first = await openPlainUdp(engine, { address: '0.0.0.0', port: 0 }, OPTIONS);
  await first.close();
  await (await openPlainUdp(engine, { address: '0.0.0.0', port: first.bound.port }, OPTIONS)).close();
});
