// biome-ignore-all lint/suspicious/noExplicitAny: manifests are plain objects
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  deploymentName,
  deploymentOfService,
  podOfTask,
  scaleOf,
} from '../../src/ecs/kubernetes/service-deployment.ts';
import type { EcsServiceRecord, TaskDefinitionRecord } from '../../src/ecs/model/ecs-records.ts';
import { checkTaskDefinition } from '../../src/taskdef/task-definition.ts';

const service = (more: Partial<EcsServiceRecord> = {}): EcsServiceRecord => ({
  ...{ cluster: 'default', name: 'web', status: 'ACTIVE', desiredCount: 4, registries: [], gracePeriodSeconds: 0 },
  rules: { minimumHealthyPercent: 100, maximumPercent: 200, circuitBreaker: { enable: false, rollback: false } },
  ...{ createdMs: 0, launchType: 'EC2', events: [], tags: {} },
  deployments: [
    {
      ...{ id: 'ecs-svc/1', taskDefinition: 'web:3', createdMs: 0, updatedMs: 0 },
      ...{ rolloutState: 'IN_PROGRESS', rolloutReason: '', failedTasks: 0 },
    },
  ],
  ...more,
});

const record = (more: object = {}): TaskDefinitionRecord => ({
  ...{ family: 'web', revision: 3, status: 'ACTIVE', registeredMs: 0, tags: {} },
  definition: checkTaskDefinition({ family: 'web', containerDefinitions: [{ name: 'App', image: 'app', ...more }] }),
});

const manifestOf = (...[one, definition, drainSeconds = 0]: [EcsServiceRecord, TaskDefinitionRecord, number?]): any =>
  deploymentOfService(one, definition, 'tasks', drainSeconds).manifest;

test('a Deployment is named after its service, with a hash where another service could have that name', () => {
  assert.equal(deploymentName({ cluster: 'default', name: 'web' }), 'web');
  const others = [
    { cluster: 'default', name: 'Web' },
    { cluster: 'default', name: 'w_b' },
    { cluster: 'a', name: 'b-c' },
    { cluster: 'a-b', name: 'c' },
    { cluster: 'default', name: 'x'.repeat(255) },
  ].map(deploymentName);
  for (const name of others) assert.match(name, /^[a-z0-9-]{1,60}-[0-9a-f]{10}$/);
  assert.equal(new Set(others).size, others.length);
});

test('percentages become surge and unavailability; a service that could not move at all may surge by one', () => {
  const rolling = (desiredCount: number, minimumHealthyPercent: number, maximumPercent: number) => {
    const rules = { ...service().rules, minimumHealthyPercent, maximumPercent };
    return (scaleOf(service({ desiredCount, rules })) as any).strategy.rollingUpdate;
  };
  assert.deepEqual(rolling(4, 100, 200), { maxUnavailable: 0, maxSurge: 4 });
  assert.deepEqual(rolling(4, 50, 100), { maxUnavailable: 2, maxSurge: 0 });
  assert.deepEqual(rolling(3, 50, 150), { maxUnavailable: 1, maxSurge: 1 });
  assert.deepEqual(rolling(1, 50, 100), { maxUnavailable: 0, maxSurge: 1 });
  assert.deepEqual(rolling(0, 0, 200), { maxUnavailable: 0, maxSurge: 1 });
});

test('a pod tells its service, revision and deployment, and waits for its drain delay before it ends', () => {
  const { metadata, spec } = manifestOf(service(), record({ stopTimeout: 10 }), 5);
  assert.deepEqual([metadata.name, metadata.namespace], ['web', 'tasks']);
  const { annotations, labels } = spec.template.metadata;
  assert.equal(annotations['kecs.dev/task-definition'], 'web:3');
  assert.equal(annotations['healthdns.dev/ecs-service'], 'default/web');
  assert.equal(annotations['healthdns.dev/ecs-deployment'], 'ecs-svc/1');
  assert.equal(labels['kecs.dev/service'], 'web');
  assert.equal(spec.template.spec.terminationGracePeriodSeconds, 15);
  assert.deepEqual(spec.template.spec.containers[0].lifecycle, { preStop: { sleep: { seconds: 5 } } });
  assert.equal(manifestOf(service(), record()).spec.template.spec.containers[0].lifecycle, undefined);
});

test('a failed deployment pauses its Deployment', () => {
  const [deployment] = service().deployments;
  const failed = service({ deployments: [{ ...deployment!, rolloutState: 'FAILED' }] });
  assert.deepEqual(
    [manifestOf(service(), record()).spec.paused, manifestOf(failed, record()).spec.paused],
    [false, true],
  );
});

test('a task outside of services is a pod that is not restarted and is in no service, with its overrides', () => {
  const pod: any = podOfTask('job-1', {
    ...{ cluster: 'default', group: 'family:web', definitionKey: 'web:3', registries: [], launchType: 'EC2', tags: {} },
    definition: record({ command: ['a'], environment: [{ name: 'A', value: '1' }] }).definition,
    overrides: [{ name: 'App', command: ['b'], environment: [{ name: 'A', value: '2' }] }],
  });
  assert.equal(pod.spec.restartPolicy, 'Never');
  assert.equal(pod.metadata.labels['kecs.dev/service'], undefined);
  const [container] = pod.spec.containers;
  assert.deepEqual([container.args, container.env], [['b'], [{ name: 'A', value: '2' }]]);
});
