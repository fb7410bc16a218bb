// Definitions that would make a manifest which the API server refuses, and what would be dropped in silence.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parse } from 'yaml';
import { convertTaskDefinition } from '../../src/taskdef/convert.ts';

const options = { service: 'api', cluster: 'default', count: 1, registries: [], format: 'yaml' } as const;
const container = { name: 'app', image: 'nginx' };

const convert = (definition: object, more: object = {}) =>
  convertTaskDefinition(JSON.stringify({ family: 'web', ...definition }), 'task.json', { ...options, ...more });

const refused: [what: string, containers: object[], problem: RegExp][] = [
  [
    'containers whose names are one in Kubernetes',
    [
      { ...container, name: 'a_b' },
      { ...container, name: 'a-B' },
    ],
    /\[1\]\.name: in Kubernetes a-B and a_b are both a-b/,
  ],
  ['a name without a letter or digit', [{ ...container, name: '___' }], /\[0\]\.name: name must consist of letters/],
  ['more memory reserved than there is', [{ ...container, memory: 128, memoryReservation: 256 }], /memoryReservation/],
  ['a variable with = in its name', [{ ...container, environment: [{ name: 'A=B' }] }], /environment\[0\]\.name/],
  ['negative cpu', [{ ...container, cpu: -1 }], /\[0\]\.cpu: cpu must not be negative/],
  [
    'a member of healthCheck that is none',
    [{ ...container, healthCheck: { command: ['CMD', 'x'], retires: 5 } }],
    /healthCheck\.retires: is not a member/,
  ],
];
for (const [what, containerDefinitions, problem] of refused)
  test(`${what} is rejected with its path`, () => {
    const { stdout, stderr, exitCode } = convert({ containerDefinitions });
    assert.deepEqual([stdout, exitCode], ['', 1]);
    assert.match(stderr, problem);
  });

test('a registry must name a container of the task', () => {
  const registries = [{ registryArn: 'arn:aws:servicediscovery:x:1:service/srv-1', containerName: 'db' }];
  const { stderr, exitCode } = convert({ containerDefinitions: [container] }, { registries });
  assert.equal(exitCode, 1);
  assert.match(stderr, /container db, which is not in this task/);
});

test('members of the task that are dropped are reported, except those without meaning here', () => {
  const said = { cpu: '256', volumes: [{ name: 'data' }], networkMode: 'awsvpc', status: 'ACTIVE', taskRoleArn: null };
  const { stderr } = convert({ ...said, containerDefinitions: [container] });
  assert.equal(stderr, 'warning: task: cpu is left out\nwarning: task: volumes is left out\n');
});

test('null is equivalent to an absent member', () => {
  const nothing = { healthCheck: null, portMappings: null, dependsOn: null, memory: null };
  assert.equal(convert({ containerDefinitions: [{ ...container, ...nothing }] }).exitCode, 0);
});

test('a duplicate port name is kept once', () => {
  const portMappings = [
    { name: 'p', containerPort: 80 },
    { name: 'p', containerPort: 81 },
  ];
  const { stdout } = convert({ containerDefinitions: [{ ...container, portMappings }] });
  const names = parse(stdout).spec.template.spec.containers[0].ports.map(({ name }: { name?: string }) => name);
  assert.deepEqual(names, ['p', undefined]);
});
