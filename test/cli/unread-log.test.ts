// A server whose stderr is a pipe that nobody reads.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { composeMessage, parseMessage } from '../../src/dns/message/message.ts';
import { parseName } from '../../src/dns/name.ts';
import { healthdns, launcher, temporaryFolder } from '../support/command.ts';
import { until } from '../support/until.ts';

/** Each query is answered before the next is sent. */
async function ask(port: number, count: number): Promise<void> {
  const query = composeMessage({
    id: 1,
    flags: 0,
    questions: [{ name: parseName('www.a.local.'), type: 1, class: 1 }],
  });
  const socket = createSocket('udp4');
  for (let n = 0; n < count; n++) {
    socket.send(query, port, '127.0.0.1');
    const [response] = await once(socket, 'message');
    assert.equal(parseMessage(response).answers.length, 1);
  }
  socket.close();
}

/** An HTTP server of which the health can be chosen. */
async function instance(t: TestContext) {
  let status = 200;
  const server = createServer((_, response) => response.writeHead(status).end());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const { port } = server.address() as { port: number };
  const fail = () => {
    status = 500;
  };
  return { port, fail };
}

test('a log that nobody reads blocks neither verdicts nor HTTP nor SIGTERM; dropped lines are counted', async (t) => {
  const checked = await instance(t);
  const file = join(await temporaryFolder(t), 'zones.yaml');
  const check = `{ type: http, port: ${checked.port}, path: /, interval: 1, timeout: 60, retries: 1 }`;
  await writeFile(
    file,
    `queryLog: {}
zones:
  - name: a.local
    records: [{ name: www, type: A, value: 192.0.2.1 }]
    services: [{ name: api, healthCheck: ${check}, instances: [{ id: one, ipv4: 127.0.0.1 }] }]
`,
  );
  const args = [launcher, 'serve', file, '--listen', '127.0.0.1:0', '--http', '127.0.0.1:0'];
  const server = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  t.after(() => server.kill('SIGKILL'));
  let shown = '';
  server.stdout.setEncoding('utf8').on('data', (text) => {
    shown += text;
  });
  const found = async (pattern: RegExp) => {
    await until(() => pattern.test(shown), true);
    return pattern.exec(shown)![1];
  };
  const port = Number(await found(/DNS {3}127\.0\.0\.1:(\d+)/));
  const http = await found(/HTTP {2}(http:\S+)/);
  const answers = async () => (await healthdns('query', 'api.a.local', `@127.0.0.1:${port}`, '--short')).stdout.trim();
  await until(answers, '127.0.0.1');

  await ask(port, 15_000);
  const metrics = async () => (await fetch(`${http}/metrics`, { signal: AbortSignal.timeout(5_000) })).text();
  await until(async () => /log_lines_dropped_total\{from="stderr"\} [1-9]/.test(await metrics()), true);
  checked.fail();
  await until(answers, '');

  server.kill('SIGTERM');
  const [code] = await once(server, 'exit', { signal: AbortSignal.timeout(10_000) });
  assert.equal(code, 0);
});
