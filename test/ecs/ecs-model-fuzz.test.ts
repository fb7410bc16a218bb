import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { startEcsOnProcesses } from '../support/ecs-on-processes.ts';
import { requirement } from '../support/requirement.ts';

const OPERATIONS = [
  ...['CreateCluster', 'DescribeClusters', 'ListClusters', 'DeleteCluster', 'RegisterTaskDefinition'],
  ...['DescribeTaskDefinition', 'ListTaskDefinitions', 'ListTaskDefinitionFamilies', 'DeregisterTaskDefinition'],
  ...['CreateService', 'UpdateService', 'DescribeServices', 'ListServices', 'DeleteService', 'RunTask', 'StopTask'],
  ...['ListTasks', 'DescribeTasks', 'TagResource', 'UntagResource', 'ListTagsForResource'],
];

/** `npm run fuzz` makes more. */
const TIMES = Number(process.env.HEALTHDNS_FUZZ_TIMES ?? 1);

test('any ECS input generated from the service model gets an output or an error that the model allows', {
  ...requirement('boto3', 'linux'),
  timeout: TIMES * 120_000,
}, async (t) => {
  const setup = await startEcsOnProcesses();
  try {
    const seed = process.env.HEALTHDNS_SEED ?? '1';
    const script = [
      'test/support/aws_model_fuzz.py',
      setup.cloudMap.url,
      'ecs',
      String(TIMES * 1500),
      seed,
      OPERATIONS.join(),
    ];
    const { stdout } = await promisify(execFile)('python3', script);
    const { succeeded } = JSON.parse(stdout) as { succeeded: Record<string, number> };
    t.diagnostic(stdout.trim());
    assert.ok(Object.keys(succeeded).length >= 15, 'most operations also succeed');
  } finally {
    await setup.stop();
  }
});
