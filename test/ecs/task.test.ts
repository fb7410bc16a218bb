import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { translateTask } from '../../src/ecs/task.ts';
import { type Place, taskInstance } from '../../src/ecs/task-instance.ts';
import { type Fields, metadata } from '../../src/sources/kubernetes/api/objects.ts';

const ARN = 'arn:aws:servicediscovery:us-east-1:000000000000:service/srv-a';

interface Pod {
  readonly labels?: object;
  readonly annotations?: object;
  readonly status?: object;
  readonly deleted?: boolean;
}

function translate({ labels, annotations, status, deleted }: Pod) {
  const object = {
    metadata: {
      name: 'web-1',
      namespace: 'shop',
      uid: '0123',
      labels,
      annotations,
      ...(deleted && { deletionTimestamp: '2026-01-01T00:00:00Z' }),
    },
    spec: {
      nodeName: 'n1',
      containers: [
        { name: 'proxy', ports: [{ containerPort: 15001 }] },
        { name: 'app', ports: [{ containerPort: 8080 }, { containerPort: 9090 }] },
      ],
    },
    status: { phase: 'Running', podIPs: [{ ip: '10.0.0.1' }, { ip: 'FD00::1' }], ...status },
  };
  return translateTask(metadata(object as Fields), object);
}

const kecs = { 'kecs.dev/service': 'web', 'kecs.dev/cluster': 'prod', 'kecs.dev/task-family': 'web-family' };
const registries = (value: unknown) => ({ 'kecs.dev/service-registries': JSON.stringify(value) });

function attributes(pod: Pod, place: Place = {}) {
  const { task } = translate(pod)!;
  const health = { source: 'task', status: 'UNKNOWN', reason: '', sinceMs: 0 } as const;
  return taskInstance({ task, health, place, subjects: [] }, 'web-1', task.registries[0], 1).attributes;
}

describe('a task becomes an instance with the attributes of ECS', () => {
  const address = { AWS_INSTANCE_IPV4: '10.0.0.1', AWS_INSTANCE_IPV6: 'fd00::1' };

  test('the attributes of a task come from KECS labels', () => {
    assert.deepEqual(attributes({ labels: kecs }, { zone: 'us-east-1a', region: 'us-east-1', ec2InstanceId: 'i-1' }), {
      ...address,
      AWS_INSTANCE_PORT: '15001',
      AVAILABILITY_ZONE: 'us-east-1a',
      REGION: 'us-east-1',
      EC2_INSTANCE_ID: 'i-1',
      ECS_SERVICE_NAME: 'web',
      ECS_CLUSTER_NAME: 'prod',
      ECS_CLUSTER: 'prod',
      ECS_TASK_DEFINITION_FAMILY: 'web-family',
    });
  });

  test('the attributes of a task come from AWS labels and the task ARN annotation', () => {
    const labels = { 'ecs.amazonaws.com/service-name': 'web' };
    const annotations = { 'ecs.amazonaws.com/task-arn': 'arn:aws:ecs:eu-west-1:000000000000:task/prod/0123' };
    assert.deepEqual(attributes({ labels, annotations }), {
      ...address,
      AWS_INSTANCE_PORT: '15001',
      REGION: 'eu-west-1',
      ECS_SERVICE_NAME: 'web',
      ECS_CLUSTER_NAME: 'prod',
      ECS_CLUSTER: 'prod',
    });
  });

  for (const [registry, port] of [
    [{ registryArn: ARN, containerName: 'App', containerPort: 7000 }, '7000'],
    [{ registryArn: ARN, containerName: 'App' }, '8080'],
    [{ registryArn: ARN, port: 6000 }, '6000'],
    [{ registryArn: ARN }, '15001'],
    [{ registryArn: ARN, containerName: 'other' }, undefined],
  ] as const)
    test(`the port of ${JSON.stringify(registry)} is ${port}`, () => {
      assert.equal(attributes({ labels: kecs, annotations: registries([registry]) }).AWS_INSTANCE_PORT, port);
    });

  for (const [definition, family] of [
    ['arn:aws:ecs:us-east-1:000000000000:task-definition/api:7', 'api'],
    ['api:7', 'api'],
    ['api', 'api'],
  ])
    test(`the family of ${definition} is ${family}`, () => {
      const annotations = { 'kecs.dev/task-definition': definition };
      const labels = { 'kecs.dev/service': 'web' };
      assert.equal(attributes({ labels, annotations }).ECS_TASK_DEFINITION_FAMILY, family);
    });
});

describe('a pod is not registered as a task', () => {
  test('a pod without an address is not registered', () =>
    assert.equal(translate({ labels: kecs, status: { podIPs: [] } }), undefined));
  test('a pod that is being deleted is not registered', () =>
    assert.equal(translate({ labels: kecs, deleted: true }), undefined));
  for (const phase of ['Failed', 'Succeeded'])
    test(`a pod in phase ${phase} is not registered`, () =>
      assert.equal(translate({ labels: kecs, status: { phase } }), undefined));
});

describe('a malformed task pod is skipped with a reason', () => {
  const refuses = (name: string, pod: Pod, message: RegExp) =>
    test(name, () => assert.throws(() => translate({ labels: kecs, ...pod }), { name: 'MalformedObject', message }));
  refuses('registries that are not JSON', { annotations: { 'kecs.dev/service-registries': '{' } }, /is not JSON/);
  refuses('registries that are not a list', { annotations: registries({}) }, /is not a list/);
  refuses('a registry without ARN', { annotations: registries([{}]) }, /\[0\] is left out: registryArn is missing/);
  refuses(
    'a port that is none',
    { annotations: registries([{ registryArn: ARN, containerPort: 0 }]) },
    /containerPort is not a port/,
  );
  refuses('eleven registries', { annotations: registries(Array(11).fill({ registryArn: ARN })) }, /at most 10/);
  refuses('an invalid address', { status: { podIPs: [{ ip: '10.0.0.256' }] } }, /"10.0.0.256" is not an address/);
  refuses('a label that is not text', { labels: { 'kecs.dev/service': 7 } }, /is not text/);

  test('an invalid registry is skipped and the valid one beside it is kept', () => {
    const translated = translate({ labels: kecs, annotations: registries([{ registryArn: ARN }, 7]) });
    assert.deepEqual(translated?.task.registries, [{ registryArn: ARN }]);
    assert.match(translated?.problem?.message ?? '', /\[1\] is left out/);
  });
});

test('a pod of a KECS task set has the registries of its numbered annotations', () => {
  const labels = { 'kecs.io/service': 'web', 'kecs.io/cluster': 'prod', 'kecs.io/taskset': 'ts-1' };
  const annotations = {
    'kecs.io/service-registry-0-arn': 'arn:aws:servicediscovery:us-east-1:000000000000:service/srv-1',
    'kecs.io/service-registry-0-container': 'app',
    'kecs.io/service-registry-0-port': '9090',
  };
  const { task } = translate({ labels, annotations })!;
  assert.deepEqual([task.service, task.cluster], ['web', 'prod']);
  assert.deepEqual(task.registries, [
    { registryArn: annotations['kecs.io/service-registry-0-arn'], containerName: 'app', containerPort: 9090 },
  ]);
});

test('a pod may have a weight from 0 to 255', () => {
  const weight = (text: string) =>
    translate({ labels: kecs, annotations: { 'healthdns.dev/weight': text } })!.task.weight;
  assert.deepEqual([weight('0'), weight('255')], [0, 255]);
  for (const wrong of ['256', '-1', '1.5', 'much']) assert.throws(() => weight(wrong), /is .*, not a whole number/);
});
