import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { setDeadline, systemClock } from '../src/clock.ts';
import { until } from './support/until.ts';

test('a reply that arrived before a late deadline is read before the deadline is called', async (context) => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = connect((server.address() as { port: number }).port, '127.0.0.1');
  const [[peer]] = await Promise.all([once(server, 'connection'), once(client, 'connect')]);
  context.after(() => {
    client.destroy();
    server.close();
  });
  const order: string[] = [];
  client.on('data', () => order.push('reply'));
  await nextTurn();
  setDeadline(systemClock, () => order.push('deadline'), 20);
  peer.write('reply');
  const endMs = systemClock.monotonicMs() + 30;
  while (systemClock.monotonicMs() < endMs);
  await until(() => order, ['reply', 'deadline']);
});
