// biome-ignore-all lint/suspicious/noExplicitAny: outputs differ by operation; tests look at what they need
// Two replicas over one API server, whose watches have not brought anything yet.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '../../src/clock.ts';
import { KubernetesEngine } from '../../src/ecs/kubernetes/kubernetes-engine.ts';
import { KubernetesState } from '../../src/ecs/kubernetes/kubernetes-state.ts';
import { callEcsOperation } from '../../src/ecs/operations/call-ecs.ts';
import type { EcsApi } from '../../src/ecs/operations/ecs-api.ts';
import { ApiError, type ApiServer } from '../../src/sources/kubernetes/api/api-server.ts';
import { fakeClock } from '../support/fake-clock.ts';

function apiServerInMemory(): ApiServer & { failing: boolean } {
  const objects = new Map<string, any>();
  let version = 0;
  return {
    failing: false,
    get: () => assert.fail('nothing is watched'),
    async exchange(method, path, object: any) {
      if (this.failing) throw new ApiError(500, 'etcd is down');
      const before = objects.get(path);
      if (method !== 'POST' && before === undefined) throw new ApiError(404, 'not found');
      if (method === 'GET') return before;
      const sent = object.metadata.resourceVersion;
      if (sent !== undefined && sent !== before?.metadata.resourceVersion) throw new ApiError(409, 'conflict');
      const key = method === 'POST' ? `${path}/${object.metadata.name}` : path;
      if (method === 'POST' && objects.has(key)) throw new ApiError(409, 'already exists');
      const created = { uid: `uid-${key}`, creationTimestamp: '2026-01-01T00:00:00Z', namespace: 'tasks' };
      objects.set(key, { ...object, metadata: { ...created, ...object.metadata, resourceVersion: String(++version) } });
      return objects.get(key);
    },
    forgetCredentials() {},
    close() {},
  };
}

function replicaOf(server: ApiServer): (operation: string, input: object) => Promise<any> {
  // Waits between attempts pass by themselves.
  const { setTimeoutKeepingAlive } = systemClock;
  const clock = { ...fakeClock(), setTimeoutKeepingAlive };
  const settings = { server, namespace: 'tasks', clock, random: () => 0, signal: new AbortController().signal };
  const state = new KubernetesState(settings);
  state.listed();
  const engine = new KubernetesEngine({ ...settings, state });
  const api: EcsApi = { state, engine, clock, region: 'eu-west-1', account: '1', hasRegistry: () => true };
  return (operation, input) => callEcsOperation(api, operation, input);
}

const definition = { family: 'web', containerDefinitions: [{ name: 'web', image: 'web' }] };

test('a family refers to its newest revision, even if another replica registered it', async () => {
  const server = apiServerInMemory();
  const [one, other] = [replicaOf(server), replicaOf(server)];
  await one('RegisterTaskDefinition', definition);
  const created = await other('CreateService', { serviceName: 'web', taskDefinition: 'web', desiredCount: 0 });
  assert.match(created.service.taskDefinition, /web:1$/);
  for (const _ of [2, 3]) await one('RegisterTaskDefinition', definition);
  const updated = await other('UpdateService', { service: 'web', taskDefinition: 'web' });
  assert.match(updated.service.taskDefinition, /web:3$/);
  assert.equal(updated.service.deployments.length, 2);
  const exact = await replicaOf(server)('DescribeTaskDefinition', { taskDefinition: 'web:2' });
  assert.match(exact.taskDefinition.taskDefinitionArn, /web:2$/);
});

test('services, clusters and tasks that another replica made are neither missing nor refused', async () => {
  const server = apiServerInMemory();
  const [one, other] = [replicaOf(server), replicaOf(server)];
  await one('CreateCluster', { clusterName: 'blue' });
  await one('RegisterTaskDefinition', definition);
  await one('CreateService', { cluster: 'blue', serviceName: 'web', taskDefinition: 'web', desiredCount: 0 });
  const described = await other('DescribeServices', { cluster: 'blue', services: ['web'] });
  assert.deepEqual([described.services.length, described.failures], [1, []]);
  const { tasks } = await one('RunTask', { cluster: 'blue', taskDefinition: 'web' });
  const seen = await other('DescribeTasks', { cluster: 'blue', tasks: [tasks[0].taskArn] });
  assert.deepEqual([seen.tasks[0]?.lastStatus, seen.failures], [tasks[0].lastStatus, []]);
  const late = replicaOf(server);
  const arns = [described.services[0].serviceArn, tasks[0].taskArn, described.services[0].taskDefinition];
  for (const resourceArn of [...arns, described.services[0].clusterArn])
    assert.deepEqual((await late('ListTagsForResource', { resourceArn })).tags, [], resourceArn);
  const gone = await other('DescribeTasks', { cluster: 'blue', tasks: ['nothing'] });
  assert.equal(gone.failures[0].reason, 'MISSING');
});

test('a resource that cannot be read from the cluster is not reported as missing', async () => {
  const server = apiServerInMemory();
  const one = replicaOf(server);
  await one('CreateCluster', { clusterName: 'blue' });
  server.failing = true;
  for (const input of [{ services: ['web'] }, { cluster: 'green', services: ['web'] }])
    await assert.rejects(one('DescribeServices', input), { code: 'ServiceUnavailable', message: /etcd is down/ });
  await assert.rejects(one('DescribeTasks', { cluster: 'blue', tasks: ['x'] }), { code: 'ServiceUnavailable' });
});

test('registrations of one family, however many at the same time, get a revision each', async () => {
  const server = apiServerInMemory();
  const replicas = [replicaOf(server), replicaOf(server), replicaOf(server)];
  const count = 60;
  const all = await Promise.all(
    Array.from({ length: count }, (_, i) => replicas[i % 3]!('RegisterTaskDefinition', definition)),
  );
  const revisions = all.map(({ taskDefinition }) => taskDefinition.revision).sort((a, b) => a - b);
  assert.deepEqual(
    revisions,
    Array.from({ length: count }, (_, i) => i + 1),
  );
});
