// biome-ignore-all lint/suspicious/noExplicitAny: outputs differ by operation; tests look at what they need
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { startEcsOnProcesses } from '../support/ecs-on-processes.ts';
import { requirement } from '../support/requirement.ts';

const run = promisify(execFile);

test('boto3 and its waiters work with every ECS operation', {
  ...requirement('boto3', 'linux'),
  timeout: 120_000,
}, async () => {
  const setup = await startEcsOnProcesses();
  try {
    const { stdout } = await run('python3', ['test/ecs/every_ecs_operation.py', setup.cloudMap.url]);
    assert.equal(stdout, '21 operations\n');
  } finally {
    await setup.stop();
  }
});

test('the aws CLI registers, creates, waits until stable and describes', {
  ...requirement('aws-cli', 'linux'),
  timeout: 120_000,
}, async () => {
  const setup = await startEcsOnProcesses();
  const env = {
    ...process.env,
    ...{ AWS_ACCESS_KEY_ID: 'x', AWS_SECRET_ACCESS_KEY: 'x', AWS_DEFAULT_REGION: 'us-east-1' },
  };
  const aws = async (...words: string[]) => {
    const { stdout } = await run('aws', ['ecs', '--endpoint-url', setup.cloudMap.url, '--output', 'json', ...words], {
      env,
    });
    return stdout === '' ? {} : JSON.parse(stdout);
  };
  try {
    const containers = JSON.stringify([{ name: 'web', image: 'none', command: ['sleep', '600'] }]);
    await aws('register-task-definition', '--family', 'cli', '--container-definitions', containers);
    await aws('create-service', '--service-name', 'cli', '--task-definition', 'cli', '--desired-count', '2');
    await aws('wait', 'services-stable', '--services', 'cli');
    const { taskArns } = await aws('list-tasks', '--service-name', 'cli');
    const { tasks } = await aws('describe-tasks', '--tasks', ...taskArns);
    assert.deepEqual(
      tasks.map((task: any) => [task.lastStatus, task.healthStatus]),
      Array(2).fill(['RUNNING', 'UNKNOWN']),
    );
  } finally {
    await setup.stop();
  }
});

test('of 500 services, pages of 100 are listed and of 10 described', {
  ...requirement('linux'),
  timeout: 120_000,
}, async (t) => {
  const setup = await startEcsOnProcesses();
  try {
    await setup.define('many', { command: ['/no/such/program'] });
    for (let i = 0; i < 500; i++)
      await setup.ecs('CreateService', { serviceName: `s${i}`, taskDefinition: 'many', desiredCount: 0 });
    const beganMs = performance.now();
    const { serviceArns } = await setup.ecs('ListServices', { maxResults: 100 });
    const listedMs = performance.now();
    const { services } = await setup.ecs('DescribeServices', { services: serviceArns.slice(0, 10) });
    const describedMs = performance.now();
    t.diagnostic(`list ${Math.round(listedMs - beganMs)} ms, describe ${Math.round(describedMs - listedMs)} ms`);
    assert.deepEqual([serviceArns.length, services.length], [100, 10]);
  } finally {
    await setup.stop();
  }
});
