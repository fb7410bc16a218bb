// test-health-service-discovery.sh as its users run it: with local processes, by the aws CLI and by curl.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertVerified, script } from '../support/discovery-script.ts';
import { requirement } from '../support/requirement.ts';

test('the service discovery demo works locally with the aws CLI', requirement('linux', 'aws-cli', 'dig'), async (t) => {
  assertVerified(await script(t, ['--api', 'aws', '--tasks', '2']), '127.77.0.', 2);
});

test('the service discovery demo works locally with curl', requirement('linux', 'curl'), async (t) => {
  const ran = await script(t, ['--api', 'curl']);
  assertVerified(ran, '127.77.0.', 3);
  assert.match(ran.output, /OUT [0-9a-f]{32} \(127\.77\.0\.\d\) UNHEALTHY/);
});

test('an invalid command line of the demo is an error', requirement('linux'), async (t) => {
  assert.equal((await script(t, ['--cluster'])).code, 2);
  assert.equal((await script(t, ['--tasks', '9'])).code, 2);
  const help = await script(t, ['--help']);
  assert.deepEqual([help.code, /--kubernetes/.test(help.output)], [0, true]);
});
