import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parse } from 'yaml';
import { convertTaskDefinition } from '../../src/taskdef/convert.ts';
import { probesOf } from '../../src/taskdef/probes.ts';
import { parseTaskDefinition, TaskDefinitionError } from '../../src/taskdef/task-definition.ts';

const options = { service: 'api', cluster: 'default', count: 3, registries: [], format: 'yaml' } as const;

const task = (container: object, ...others: object[]) =>
  JSON.stringify({
    family: 'web',
    containerDefinitions: [{ name: 'app', image: 'nginx:1', ...container }, ...others],
  });

function problemsOf(json: string): readonly string[] {
  try {
    parseTaskDefinition(json);
  } catch (error) {
    assert.ok(error instanceof TaskDefinitionError, String(error));
    return error.problems;
  }
  return [];
}

test('a health check with only a command gets the ECS defaults: interval 30, timeout 5, retries 3, startPeriod 0', () => {
  const { healthCheck } = parseTaskDefinition(task({ healthCheck: { command: ['CMD-SHELL', 'true'] } }))
    .containerDefinitions[0]!;
  assert.deepEqual(healthCheck, {
    command: ['CMD-SHELL', 'true'],
    interval: 30,
    timeout: 5,
    retries: 3,
    startPeriod: 0,
  });
});

test('values outside the ECS ranges are rejected with their JSON paths, all at once', () => {
  const healthCheck = { command: ['CMD', 'true'], interval: 4, timeout: 61, retries: 0, startPeriod: 301 };
  assert.deepEqual(problemsOf(task({ healthCheck })), [
    '$.containerDefinitions[0].healthCheck.interval: must be a whole number of seconds from 5 to 300, got 4',
    '$.containerDefinitions[0].healthCheck.timeout: must be a whole number of seconds from 2 to 60, got 61',
    '$.containerDefinitions[0].healthCheck.retries: retries must be a whole number from 1 to 10, got 0',
    '$.containerDefinitions[0].healthCheck.startPeriod: must be a whole number of seconds from 0 to 300, got 301',
  ]);
});

test('the limits of the ECS ranges are accepted', () => {
  for (const [interval, timeout, retries, startPeriod] of [
    [5, 2, 1, 0],
    [300, 60, 10, 300],
  ])
    assert.deepEqual(
      problemsOf(task({ healthCheck: { command: ['CMD', 'x'], interval, timeout, retries, startPeriod } })),
      [],
    );
});

const wrong: [what: string, json: string, problem: RegExp][] = [
  ['text that is not JSON', '{', /^\$: not JSON/],
  ['a list', '[]', /^\$: a task definition is a JSON object|^\$\.family/],
  ['no containers', '{"family":"a","containerDefinitions":[]}', /^\$\.containerDefinitions: a task needs at least one/],
  ['no essential container', task({ essential: false }), /at least one container must be essential/],
  [
    'a command that says neither CMD nor CMD-SHELL',
    task({ healthCheck: { command: ['curl', 'x'] } }),
    /command: must begin with "CMD"/,
  ],
  ['a CMD without words', task({ healthCheck: { command: ['CMD'] } }), /command: contains no command to run/],
  ['a CMD-SHELL of two strings', task({ healthCheck: { command: ['CMD-SHELL', 'a', 'b'] } }), /takes one string/],
  [
    'an interval in a string',
    task({ healthCheck: { command: ['CMD', 'x'], interval: '30' } }),
    /interval: must be a whole number of seconds from 5 to 300, got "30"/,
  ],
  ['two containers of one name', task({}, { name: 'app', image: 'b' }), /two containers have the same name/],
  [
    'a port above 65535',
    task({ portMappings: [{ containerPort: 70000 }] }),
    /portMappings\[0\]\.containerPort: containerPort must be/,
  ],
  ['dependsOn of nobody', task({ dependsOn: [{ containerName: 'db', condition: 'HEALTHY' }] }), /not in this task/],
  [
    'dependsOn HEALTHY of a container without a check',
    task({ dependsOn: [{ containerName: 'db', condition: 'HEALTHY' }] }, { name: 'db', image: 'b' }),
    /HEALTHY refers to a container without a health check/,
  ],
  [
    'dependsOn SUCCESS of an essential container',
    task({ dependsOn: [{ containerName: 'db', condition: 'SUCCESS' }] }, { name: 'db', image: 'b' }),
    /SUCCESS refers to an essential container/,
  ],
  ['dependsOn itself', task({ dependsOn: [{ containerName: 'app', condition: 'START' }] }), /in a circle/],
  [
    'a circle of dependsOn',
    task(
      { dependsOn: [{ containerName: 'db', condition: 'START' }] },
      { name: 'db', image: 'b', dependsOn: [{ containerName: 'app', condition: 'START' }] },
    ),
    /in a circle/,
  ],
];
for (const [what, json, problem] of wrong)
  test(`${what} is rejected`, () => assert.match(problemsOf(json).join('\n'), problem));

test('CMD-SHELL runs in sh, CMD runs directly, NONE not at all', () => {
  const ecs = { interval: 30, timeout: 5, retries: 3, startPeriod: 0 };
  const commandOf = (command: string[]) => probesOf({ ...ecs, command }).readinessProbe?.exec.command;
  assert.deepEqual(commandOf(['CMD-SHELL', 'curl -f localhost || exit 1']), [
    'sh',
    '-c',
    'curl -f localhost || exit 1',
  ]);
  assert.deepEqual(commandOf(['CMD', 'curl', '-f', 'localhost']), ['curl', '-f', 'localhost']);
  assert.deepEqual(probesOf({ ...ecs, command: ['NONE'] }), {});
});

test('interval, timeout and retries become periodSeconds, timeoutSeconds and failureThreshold of both probes', () => {
  const { livenessProbe, readinessProbe, startupProbe } = probesOf({
    command: ['CMD', 'true'],
    interval: 10,
    timeout: 2,
    retries: 4,
    startPeriod: 0,
  });
  const expected = { periodSeconds: 10, timeoutSeconds: 2, failureThreshold: 4, successThreshold: 1 };
  assert.deepEqual(readinessProbe, { exec: { command: ['true'] }, ...expected });
  assert.deepEqual(livenessProbe, readinessProbe);
  assert.equal(startupProbe, undefined);
});

test('a startupProbe covers startPeriod and the retries after it, and does not delay the first check', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 5, max: 300 }),
      fc.integer({ min: 1, max: 10 }),
      fc.integer({ min: 1, max: 300 }),
      (interval, retries, startPeriod) => {
        const { startupProbe } = probesOf({ command: ['CMD', 'x'], interval, timeout: 2, retries, startPeriod });
        assert.ok(startupProbe);
        const givesUpAfter = startupProbe.periodSeconds * startupProbe.failureThreshold;
        assert.ok(givesUpAfter >= startPeriod + retries * interval);
        assert.ok(givesUpAfter < startPeriod + (retries + 1) * interval);
        assert.ok(!('initialDelaySeconds' in startupProbe));
      },
    ),
  );
});

test('the Deployment has the labels and annotations by which KECS and healthdns recognize tasks', () => {
  const registries = [
    { registryArn: 'arn:aws:servicediscovery:us-east-1:1:service/srv-1', containerName: 'app', containerPort: 80 },
  ];
  const json = JSON.stringify({ family: 'web', revision: 7, containerDefinitions: [{ name: 'app', image: 'nginx' }] });
  const { stdout, exitCode } = convertTaskDefinition(json, 'task.json', { ...options, registries });
  assert.equal(exitCode, 0);
  const { metadata, spec } = parse(stdout);
  assert.equal(metadata.name, 'api');
  assert.equal(spec.replicas, 3);
  assert.equal(metadata.annotations['kecs.dev/task-definition'], 'web:7');
  const { labels, annotations } = spec.template.metadata;
  assert.equal(labels['kecs.dev/service'], 'api');
  assert.equal(labels['kecs.dev/cluster'], 'default');
  assert.equal(labels['kecs.dev/task-family'], 'web');
  assert.deepEqual(JSON.parse(annotations['kecs.dev/service-registries']), registries);
  assert.equal(annotations['healthdns.dev/essential-containers'], 'app');
  for (const [key, value] of Object.entries(spec.selector.matchLabels)) assert.equal(labels[key], value);
});

test('entryPoint, command, ports, cpu, memory and environment keep their meaning', () => {
  const container = {
    entryPoint: ['/bin/entry'],
    command: ['serve'],
    portMappings: [
      { name: 'http', containerPort: 8080 },
      { containerPort: 53, protocol: 'udp' },
    ],
    cpu: 512,
    memory: 256,
    memoryReservation: 128,
    environment: [{ name: 'MODE', value: 'on' }],
  };
  const { stdout } = convertTaskDefinition(task(container), 'task.json', options);
  const [app] = parse(stdout).spec.template.spec.containers;
  assert.deepEqual(app, {
    name: 'app',
    image: 'nginx:1',
    command: ['/bin/entry'],
    args: ['serve'],
    env: [{ name: 'MODE', value: 'on' }],
    ports: [
      { name: 'http', containerPort: 8080, protocol: 'TCP' },
      { containerPort: 53, protocol: 'UDP' },
    ],
    resources: { requests: { cpu: '500m', memory: '128Mi' }, limits: { memory: '256Mi' } },
  });
});

test('dropped settings are reported: dependsOn HEALTHY, checks of non-essential containers, unknown fields', () => {
  const json = task(
    { dependsOn: [{ containerName: 'db', condition: 'HEALTHY' }], secrets: [{ name: 'A', valueFrom: 'arn' }] },
    { name: 'db', image: 'db', essential: false, healthCheck: { command: ['CMD', 'x'] } },
  );
  const { stdout, stderr, exitCode } = convertTaskDefinition(json, 'task.json', options);
  assert.equal(exitCode, 0);
  assert.equal(
    stderr,
    'warning: container app: dependsOn db HEALTHY is not kept: Kubernetes starts the containers of a pod side by side\n' +
      'warning: container app: secrets is left out\n' +
      "warning: container db: its health check is not converted to a probe: it is not essential, so in ECS it does not decide the task's health\n",
  );
  assert.equal(parse(stdout).spec.template.spec.containers[1].readinessProbe, undefined);
});

/** How the kubelet expands $(NAME), $$ and $ in commands, arguments, variables and exec probes, for no known variable. */
function expanded(text: string): string {
  return text.replaceAll(/\$(\$|\(([^)]*)\))?/g, (whole, next) => (next === '$' ? '$' : whole));
}

test('dollar signs are preserved in containers: ECS expands no references, Kubernetes does', () => {
  const texts = ['$HOME', '$(MODE)', '$$', '$$(MODE)', '$$$(MODE)', 'a$', 'p$$w$(x', '$'];
  const check = { command: ['CMD', ...texts] };
  const container = {
    ...{ entryPoint: texts, command: texts, healthCheck: check },
    environment: texts.map((value, i) => ({ name: `V${i}`, value })),
  };
  const { stdout } = convertTaskDefinition(task(container), 'task.json', options);
  const [app] = parse(stdout).spec.template.spec.containers;
  for (const words of [
    app.command,
    app.args,
    app.livenessProbe.exec.command,
    app.env.map(({ value }: { value: string }) => value),
  ])
    assert.deepEqual(words.map(expanded), texts);
  assert.equal(app.command[0], '$HOME', 'a text that Kubernetes would not change stays readable');
});

test('dropped hostPort and appProtocol settings are reported', () => {
  const ports = [
    { containerPort: 80, hostPort: 8080 },
    { containerPort: 81, hostPort: 0 },
    { containerPort: 82, hostPort: 82, appProtocol: 'grpc' },
  ];
  const warnings = (networkMode: string) => {
    const json = JSON.stringify({ ...JSON.parse(task({ portMappings: ports })), networkMode });
    return convertTaskDefinition(json, 'task.json', options)
      .stderr.split('\n')
      .filter((line) => / port /.test(line));
  };
  const grpc = 'warning: container app: port 82: appProtocol grpc is left out: it belongs to a Service of Kubernetes';
  const lost = (port: number, host: number) =>
    `warning: container app: port ${port}: hostPort ${host} is left out: a pod has its own address`;
  assert.deepEqual(warnings('awsvpc'), [lost(80, 8080), grpc]);
  assert.deepEqual(warnings('bridge'), [lost(80, 8080), lost(82, 82), grpc]);
});

test('the output of describe-task-definition is accepted too', () => {
  const described = `{"taskDefinition": ${task({})}, "tags": []}`;
  assert.equal(convertTaskDefinition(described, 'task.json', options).exitCode, 0);
});

test('any JSON yields a manifest or problems, never another error', () => {
  const containers = fc.array(fc.record({ name: fc.jsonValue(), image: fc.jsonValue(), healthCheck: fc.jsonValue() }));
  const value = fc.oneof(fc.jsonValue(), fc.record({ family: fc.jsonValue(), containerDefinitions: containers }));
  fc.assert(
    fc.property(value, (json) => {
      const { stdout, stderr, exitCode } = convertTaskDefinition(JSON.stringify(json), 'task.json', options);
      assert.ok(exitCode === 0 ? stdout.startsWith('apiVersion') : stderr.startsWith('task.json: $'));
    }),
    { numRuns: 2000 },
  );
});
