import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { parseConfig } from '../../src/config/loading/load.ts';
import { descriptorLimit, descriptorsNeeded, descriptorWarning } from '../../src/wiring/descriptor-limit.ts';

async function needed(text: string, threads: number): Promise<number> {
  const result = await parseConfig(`zones: [{ name: a.local }]\n${text}`, 'zones.yaml');
  assert.ok(result.ok);
  return descriptorsNeeded(result.config, threads);
}

test('each limit counts the descriptors that it allows, forwarding per thread', async () => {
  const limits = (more: string) => `limits: { tcpConnections: 10, httpConnections: 20, concurrentChecks: 5${more} }`;
  assert.equal(await needed(limits(''), 3), 128 + 10 + 20 + 20);
  const forward = 'forward: [{ to: 192.0.2.53 }]';
  assert.equal(await needed(`${limits(', forwardedQueries: 100')}\n${forward}`, 3), 128 + 10 + 20 + 20 + 300);
});

test('a limit that is sufficient, unlimited or unknown causes no warning', () => {
  assert.equal(descriptorWarning(1024, 1024), undefined);
  assert.equal(descriptorWarning(1024, undefined), undefined);
  assert.match(descriptorWarning(1025, 1024)!, /need up to 1025 file descriptors, but the process may open 1024/);
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
