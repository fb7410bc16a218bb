import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseConfig } from '../../src/config/loading/load.ts';

async function load(zoneLine: string, serviceLine: string) {
  const lines = [
    'zones:',
    '  - name: b.local',
    `    ${zoneLine}`,
    '    services:',
    '      - name: api',
    `        ${serviceLine}`,
  ];
  const result = await parseConfig(
    [...lines, '        instances: [{ id: a, ipv4: 192.0.2.1 }]'].join('\n'),
    'zones.yaml',
  );
  if (!result.ok) return result.problems.map(({ line, message }) => `${line} ${message}`);
  const { whenAllUnhealthy, unknown, publishNotReady, maxAnswers, routing, ...rest } =
    result.config.zones[0].services[0].policy;
  return rest;
}

test('health policies are off by default', async () => {
  assert.deepEqual(await load('ttlSeconds: 5', 'ttlSeconds: 5'), {});
});

test('a service inherits the policies of its zone, overrides them and can disable them', async () => {
  const zone = '{ gracePeriodSeconds: 60, slowStartSeconds: 30, maxEjectionPercent: 50 }';
  assert.deepEqual(await load(`<<: ${zone}`, 'gracePeriodSeconds: 5'), {
    gracePeriodSeconds: 5,
    slowStartSeconds: 30,
    maxEjectionPercent: 50,
  });
  assert.deepEqual(
    await load(`<<: ${zone}`, '<<: { gracePeriodSeconds: 0, slowStartSeconds: 0, maxEjectionPercent: 100 }'),
    {},
  );
  assert.deepEqual(await load('panic: { belowPercent: 50 }', 'panic: { belowPercent: 0 }'), {});
});

test('panic ends 10 % above its threshold by default', async () => {
  assert.deepEqual(await load('panic: { belowPercent: 50 }', 'ttlSeconds: 5'), {
    panic: { belowPercent: 50, untilPercent: 60 },
  });
  assert.deepEqual(await load('ttlSeconds: 5', 'panic: { belowPercent: 95 }'), {
    panic: { belowPercent: 95, untilPercent: 100 },
  });
  assert.deepEqual(await load('ttlSeconds: 5', 'panic: { belowPercent: 50, untilPercent: 40 }'), [
    '6 `panic`: expected `untilPercent` to be at least `belowPercent`',
  ]);
});

test('names, URLs, times and quorum of external sources are validated', async () => {
  const external = (text: string) => load('ttlSeconds: 5', `externalHealth: ${text}`);
  assert.deepEqual(await external('{ sources: [{ name: m, url: "http://192.0.2.9/{instance}" }] }'), {
    externalHealth: {
      sources: [{ name: 'm', url: 'http://192.0.2.9/{instance}', interval: 30, timeout: 5 }],
      combine: 'all',
      maxAgeSeconds: 120,
    },
  });
  const problems = [
    '{ sources: [{ name: m }, { name: m }] }',
    '{ sources: [{ name: m, url: "ftp://192.0.2.9/" }] }',
    '{ sources: [{ name: m, url: "http://192.0.2.9/{pod}" }] }',
    '{ sources: [{ name: m, url: "http://192.0.2.9/", interval: 60 }], maxAgeSeconds: 10 }',
    '{ sources: [{ name: m }], combine: quorum, quorum: 2 }',
  ];
  for (const problem of problems) {
    const found = await external(problem);
    assert.ok(
      Array.isArray(found) && found.length === 1 && found[0].startsWith('6 '),
      `${problem}: ${JSON.stringify(found)}`,
    );
  }
});
