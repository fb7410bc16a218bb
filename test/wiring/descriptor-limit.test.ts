import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import type { Config } from '../../src/config/config.ts';
import { parseConfig } from '../../src/config/loading/load.ts';
import { descriptorLimit, descriptorWarning, fittingLimits } from '../../src/wiring/descriptor-limit.ts';
import { planeSettings } from '../../src/wiring/plane-settings.ts';

async function configOf(text: string): Promise<Config> {
  const result = await parseConfig(`zones: [{ name: a.local }]\n${text}`, 'zones.yaml');
  assert.ok(result.ok);
  return result.config;
}

const FORWARD = 'forward: [{ to: 192.0.2.53 }]';
const limits = (more = '') => `limits: { tcpConnections: 10, httpConnections: 20, concurrentChecks: 5${more} }`;

test('each limit counts the descriptors that it allows, forwarding per thread', async () => {
  const needed = async (text: string) => {
    const config = await configOf(text);
    return Number(/need up to (\d+) /.exec(descriptorWarning(config, 3, 1)!)![1]);
  };
  assert.equal(await needed(limits()), 128 + 10 + 20 + 20);
  assert.equal(await needed(`${limits(', forwardedQueries: 100')}\n${FORWARD}`), 128 + 10 + 20 + 20 + 300);
});

test('a descriptor limit that is sufficient or unknown causes no warning and lowers no other limit', async () => {
  const config = await configOf(`${limits(', forwardedQueries: 100')}\n${FORWARD}`);
  for (const limit of [478, undefined]) {
    assert.equal(descriptorWarning(config, 3, limit), undefined);
    assert.deepEqual(fittingLimits(config, 3, limit), { tcpConnections: 10, forwardedQueries: 100 });
  }
  assert.match(
    descriptorWarning(config, 3, 477)!,
    /need up to 478 file descriptors, but the process may open 477: only 10 TCP connections and 99 forwarded queries a thread/,
  );
});

test('clients get no more descriptors than are left beside HTTP, checks and watches', async () => {
  const settings = async (text: string, descriptors: number) => {
    const { tcp, forward } = planeSettings(await configOf(`threads: 2\n${text}`), [], descriptors);
    return { perThread: tcp.connections, forwarded: forward?.maxConcurrent };
  };
  const usual = `limits: {}\n${FORWARD}`;
  assert.deepEqual(await settings(usual, 100_000), { perThread: 500, forwarded: 4096 });
  assert.deepEqual(await settings(usual, 2048), { perThread: 316, forwarded: 316 });
  assert.deepEqual(await settings('limits: {}', 2048), { perThread: 500, forwarded: undefined });
  assert.deepEqual(await settings('limits: {}', 1024), { perThread: 256, forwarded: undefined });
  assert.deepEqual(await settings(usual, 8), { perThread: 1, forwarded: 1 });
});

test('the soft limit of the process is read', { skip: process.platform === 'linux' ? false : 'needs Linux' }, () => {
  assert.equal(descriptorLimit(), Number(execFileSync('sh', ['-c', 'ulimit -n'], { encoding: 'utf8' })));
  assert.equal(
    descriptorLimit(() => 'Max open files            unlimited            unlimited            files'),
    undefined,
  );
  const absent = () => {
    throw new Error('ENOENT');
  };
  assert.equal(descriptorLimit(absent), undefined);
});
