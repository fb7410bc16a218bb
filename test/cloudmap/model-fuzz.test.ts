import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { startCloudMapServer } from '../support/cloud-map-server.ts';
import { requirement } from '../support/requirement.ts';

/** `npm run fuzz` makes more. */
const TIMES = Number(process.env.HEALTHDNS_FUZZ_TIMES ?? 1);

test('any input generated from the service model gets an output or an error that the model allows', {
  ...requirement('boto3'),
  timeout: TIMES * 120_000,
}, async (t) => {
  const server = await startCloudMapServer();
  try {
    const seed = process.env.HEALTHDNS_SEED ?? '1';
    const script = ['test/support/aws_model_fuzz.py', server.url, 'servicediscovery', String(TIMES * 3000), seed];
    const { stdout } = await promisify(execFile)('python3', script);
    const { succeeded } = JSON.parse(stdout) as { succeeded: Record<string, number> };
    t.diagnostic(stdout.trim());
    assert.ok(Object.keys(succeeded).length >= 20, 'most operations also succeed');
  } finally {
    await server.close();
  }
});
