// Each rule of ECS's task health, as a pod shows it.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { judgeTask, NOTHING_SEEN, type Seen } from '../../src/ecs/task-health.ts';
import { metadata } from '../../src/sources/kubernetes/api/objects.ts';

const T0 = Date.UTC(2026, 0, 1);
const at = (seconds: number) => new Date(T0 + seconds * 1000).toISOString();
const probe = { exec: { command: ['true'] }, periodSeconds: 5, timeoutSeconds: 2, failureThreshold: 3 };
const checked = { readinessProbe: probe, livenessProbe: probe };

interface Container {
  readonly spec?: object;
  /** undefined: the kubelet has not said anything of it. */
  readonly status?: object;
}

const running = (more: object = {}) => ({
  containerID: 'containerd://1',
  ready: true,
  started: true,
  restartCount: 0,
  state: { running: { startedAt: at(0) } },
  ...more,
});
const waiting = (reason: string, restartCount = 0) => ({ restartCount, ready: false, state: { waiting: { reason } } });

function pod(containers: Readonly<Record<string, Container>>, more: { essential?: string; changed?: number } = {}) {
  const entries = Object.entries(containers);
  const isReady = entries.every(([, { status }]) => (status as { ready?: boolean } | undefined)?.ready);
  const condition = (type: string) => ({
    type,
    status: isReady ? 'True' : 'False',
    lastTransitionTime: at(more.changed ?? -5),
  });
  return {
    metadata: {
      name: 'web-1',
      ...(more.essential && { annotations: { 'healthdns.dev/essential-containers': more.essential } }),
    },
    spec: { containers: entries.map(([name, { spec }]) => ({ name, ...spec })) },
    status: {
      conditions: [condition('Ready'), condition('ContainersReady')],
      containerStatuses: entries.flatMap(([name, { status }]) => (status ? [{ name, ...status }] : [])),
    },
  };
}

const judge = (object: ReturnType<typeof pod>, seconds = 0, seen: Seen = NOTHING_SEEN) =>
  judgeTask(metadata(object), object, seen, T0 + seconds * 1000);

/** What a pod's task is, `seconds` after its container started. */
function says(rule: string, object: ReturnType<typeof pod>, expected: string, seconds = 0) {
  test(rule, () => {
    const { fact } = judge(object, seconds);
    assert.equal(`${fact.status}: ${fact.reason}`, expected);
    assert.equal(fact.source, 'task');
  });
}

describe('the health of an ECS task', () => {
  says(
    'is HEALTHY when the check of its container passes',
    pod({ app: { spec: checked, status: running() } }),
    'HEALTHY: essential containers are healthy: app',
  );
  says(
    'is UNKNOWN when no container has a check',
    pod({ app: { status: running() } }),
    'UNKNOWN: no essential container reports its health',
  );
  says(
    'does not ask a container without a check while another has one',
    pod({ app: { spec: checked, status: running() }, proxy: { status: running() } }),
    'HEALTHY: essential containers are healthy: app',
  );
  says(
    'is UNKNOWN while a container is being created',
    pod({ app: { spec: checked, status: waiting('ContainerCreating') } }),
    'UNKNOWN: container app: starting',
  );
  says(
    'is UNKNOWN before the kubelet has said anything',
    pod({ app: { spec: checked } }),
    'UNKNOWN: container app: starting',
  );
  says(
    'is UNKNOWN in the start period, whatever the check says',
    pod({ app: { spec: { ...checked, startupProbe: probe }, status: running({ ready: false, started: false }) } }),
    'UNKNOWN: container app: its check has not passed yet (start period)',
    1000,
  );
  says(
    'is UNKNOWN until a check that never passed has been tried `retries` times',
    pod({ app: { spec: checked, status: running({ ready: false }) } }),
    'UNKNOWN: container app: its check has not passed yet',
    16,
  );
  says(
    'is UNHEALTHY when a check that never passed has been tried `retries` times',
    pod({ app: { spec: checked, status: running({ ready: false }) } }),
    'UNHEALTHY: container app: its check fails',
    17,
  );
  says(
    'is UNHEALTHY when a check that passed fails, however soon after the start',
    pod({ app: { spec: checked, status: running({ ready: false }) } }, { changed: 3 }),
    'UNHEALTHY: container app: its check fails',
    4,
  );
  says(
    'is UNHEALTHY when one essential container is, although another is UNKNOWN',
    pod({
      a: { spec: checked, status: waiting('ContainerCreating') },
      b: { spec: checked, status: waiting('CrashLoopBackOff', 3) },
    }),
    'UNHEALTHY: container b: waiting: CrashLoopBackOff',
  );
  says(
    'is UNKNOWN when one essential container is, although another is HEALTHY',
    pod({ a: { spec: checked, status: running() }, b: { spec: checked, status: waiting('ContainerCreating') } }),
    'UNKNOWN: container b: starting',
  );
  says(
    'does not count containers that are not essential',
    pod(
      { app: { spec: checked, status: running() }, log: { spec: checked, status: running({ ready: false }) } },
      { essential: 'app', changed: 3 },
    ),
    'HEALTHY: essential containers are healthy: app',
    60,
  );
  says(
    'counts all containers where the annotation names none of the pod',
    pod({ app: { spec: checked, status: running({ ready: false }) } }, { essential: 'other', changed: 3 }),
    'UNHEALTHY: container app: its check fails',
    60,
  );
  says(
    'is UNHEALTHY when an essential container ended, check or not',
    pod({
      app: { status: { ready: false, restartCount: 0, state: { terminated: { exitCode: 137, reason: 'OOMKilled' } } } },
    }),
    'UNHEALTHY: container app: ended with code 137 (OOMKilled)',
  );
  says(
    'is UNHEALTHY when the image cannot be pulled',
    pod({ app: { status: waiting('ImagePullBackOff') } }),
    'UNHEALTHY: container app: waiting: ImagePullBackOff',
  );
  says(
    'stays UNHEALTHY after a restart until the check passes',
    pod({
      app: {
        spec: { ...checked, startupProbe: probe },
        status: running({ ready: false, started: false, restartCount: 2 }),
      },
    }),
    'UNHEALTHY: container app: restarted 2 times, its check has not passed since',
  );
  says(
    'is HEALTHY again when the check passes after a restart',
    pod({ app: { spec: checked, status: running({ restartCount: 2 }) } }),
    'HEALTHY: essential containers are healthy: app',
  );

  test('task health remembers that a container was ready if another one hides it when the pod changes', () => {
    const two = (ready: boolean) => ({
      a: { spec: checked, status: running({ ready }) },
      b: { spec: checked, status: waiting('ContainerCreating') },
    });
    const first = judge(pod(two(true)), 2);
    assert.equal(first.fact.status, 'UNKNOWN');
    assert.equal(judge(pod(two(false)), 3, first.seen).fact.status, 'UNHEALTHY');
    assert.equal(judge(pod(two(false)), 3).fact.status, 'UNKNOWN');
  });

  test('task health forgets a container that was replaced', () => {
    const seen = judge(pod({ app: { spec: checked, status: running() } }), 2).seen;
    const other = running({ ready: false, containerID: 'containerd://2' });
    assert.equal(judge(pod({ app: { spec: checked, status: other } }), 3, seen).fact.status, 'UNKNOWN');
  });

  test('task health reports when it must be judged again without an event', () => {
    const object = pod({ app: { spec: checked, status: running({ ready: false }) } });
    assert.equal(judge(object, 1).reviewMs, T0 + 17_000);
    assert.equal(judge(object, 17).reviewMs, undefined);
    assert.equal(judge(pod({ app: { spec: checked, status: running() } }), 1).reviewMs, undefined);
  });
});
