import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { effectiveStatus, whyUncounted } from '../../src/health/rules/effective-status.ts';
import type { Fact } from '../../src/registry/model.ts';
import { fact } from '../support/model.ts';

const STRICT = { unknown: 'exclude', publishNotReady: false } as const;
const LENIENT = { unknown: 'answer', publishNotReady: false } as const;

const table: [string, Fact[], typeof STRICT | typeof LENIENT, string][] = [
  ['nothing known', [], LENIENT, 'UNKNOWN answered unknown'],
  ['nothing known, unknown: exclude', [], STRICT, 'UNKNOWN left-out unknown-excluded'],
  ['unknown only', [fact('UNKNOWN')], LENIENT, 'UNKNOWN answered unknown'],
  ['healthy', [fact('HEALTHY')], STRICT, 'HEALTHY answered healthy'],
  ['healthy beside unknown', [fact('UNKNOWN', 'pod'), fact('HEALTHY')], STRICT, 'HEALTHY answered healthy'],
  ['one of many unhealthy', [fact('HEALTHY', 'pod'), fact('UNHEALTHY')], LENIENT, 'UNHEALTHY left-out unhealthy'],
  ['operator up', [fact('UNHEALTHY', 'pod'), fact('HEALTHY', 'operator')], LENIENT, 'HEALTHY answered operator'],
  ['operator down', [fact('HEALTHY', 'pod'), fact('UNHEALTHY', 'operator')], LENIENT, 'UNHEALTHY left-out operator'],
  [
    'slice not ready, pod unknown to us',
    [fact('UNHEALTHY', 'endpointslice', { repeats: 'pod' })],
    LENIENT,
    'UNHEALTHY left-out unhealthy',
  ],
  [
    'slice lags behind a pod that came up',
    [fact('UNHEALTHY', 'endpointslice', { repeats: 'pod' }), fact('HEALTHY', 'pod')],
    LENIENT,
    'HEALTHY answered healthy',
  ],
  [
    'slice lags behind a pod that went down',
    [fact('HEALTHY', 'endpointslice', { repeats: 'pod' }), fact('UNHEALTHY', 'pod')],
    LENIENT,
    'UNHEALTHY left-out unhealthy',
  ],
  [
    'slice newer than the last report of the pod',
    [
      fact('UNHEALTHY', 'endpointslice', { repeats: 'pod', isDated: true, sinceMs: 20 }),
      fact('HEALTHY', 'pod', { sinceMs: 10 }),
    ],
    LENIENT,
    'UNHEALTHY left-out unhealthy',
  ],
  [
    'slice written later than the last report of the pod, and no time of its change',
    [fact('UNHEALTHY', 'endpointslice', { repeats: 'pod', sinceMs: 20 }), fact('HEALTHY', 'pod', { sinceMs: 10 })],
    LENIENT,
    'HEALTHY answered healthy',
  ],
  [
    'slice newer and ready, pod not ready',
    [
      fact('HEALTHY', 'endpointslice', { repeats: 'pod', isDated: true, sinceMs: 20 }),
      fact('UNHEALTHY', 'pod', { sinceMs: 10 }),
    ],
    LENIENT,
    'UNHEALTHY left-out unhealthy',
  ],
  [
    'pod silent and last healthy, slice not ready without a newer time',
    [
      fact('UNHEALTHY', 'endpointslice', { repeats: 'pod', sinceMs: 5 }),
      fact('HEALTHY', 'pod', { sinceMs: 10, staleSinceMs: 30 }),
    ],
    LENIENT,
    'UNHEALTHY left-out unhealthy',
  ],
  [
    'pod silent and last not ready, slice ready',
    [
      fact('HEALTHY', 'endpointslice', { repeats: 'pod', sinceMs: 5 }),
      fact('UNHEALTHY', 'pod', { sinceMs: 10, staleSinceMs: 30 }),
    ],
    LENIENT,
    'HEALTHY answered healthy',
  ],
  [
    'pod silent after it was deleted, slice still ready',
    [
      fact('HEALTHY', 'endpointslice', { repeats: 'pod', sinceMs: 5 }),
      fact('UNHEALTHY', 'pod', { sinceMs: 10, staleSinceMs: 30, gone: true }),
    ],
    LENIENT,
    'UNHEALTHY left-out gone',
  ],
  [
    'pod silent after it was deleted, a newer slice has it ready again',
    [
      fact('HEALTHY', 'endpointslice', { repeats: 'pod', isDated: true, sinceMs: 11 }),
      fact('UNHEALTHY', 'pod', { sinceMs: 10, staleSinceMs: 30, gone: true }),
    ],
    LENIENT,
    'HEALTHY answered healthy',
  ],
  [
    'node silent and last not ready, pod ready since',
    [fact('UNHEALTHY', 'node', { sinceMs: 10, staleSinceMs: 30 }), fact('HEALTHY', 'pod', { sinceMs: 20 })],
    LENIENT,
    'HEALTHY answered healthy',
  ],
  [
    'node silent and last not ready, nothing newer',
    [fact('UNHEALTHY', 'node', { sinceMs: 10, staleSinceMs: 30 }), fact('HEALTHY', 'pod', { sinceMs: 5 })],
    LENIENT,
    'UNHEALTHY left-out unhealthy',
  ],
  [
    'pod silent and failed a check of ours since',
    [fact('UNHEALTHY', 'pod', { sinceMs: 10, staleSinceMs: 30 }), fact('HEALTHY', 'check', { sinceMs: 20 })],
    LENIENT,
    'UNHEALTHY left-out unhealthy',
  ],
  [
    'pod and slice silent: the pod was last heard first-hand',
    [
      fact('UNHEALTHY', 'endpointslice', { repeats: 'pod', sinceMs: 5, staleSinceMs: 30 }),
      fact('HEALTHY', 'pod', { sinceMs: 10, staleSinceMs: 30 }),
    ],
    LENIENT,
    'HEALTHY answered healthy',
  ],
];

for (const [name, facts, policy, expected] of table) {
  test(`the verdict for ${name} is ${expected}`, () => {
    const { status, answered, rule } = effectiveStatus(facts, policy);
    assert.equal(`${status} ${answered ? 'answered' : 'left-out'} ${rule}`, expected);
  });
}

test('a service that publishes not-ready addresses answers everything except instances an operator forced down', () => {
  const policy = { unknown: 'exclude', publishNotReady: true } as const;
  const down = effectiveStatus([fact('UNHEALTHY', 'pod')], policy);
  assert.deepEqual([down.status, down.answered, down.rule], ['UNHEALTHY', true, 'publish-not-ready']);
  assert.equal(effectiveStatus([fact('UNHEALTHY', 'operator')], policy).answered, false);
});

test('the verdict has the reason and time of the first fact that went bad', () => {
  const facts = [
    fact('UNHEALTHY', 'pod', { sinceMs: 20, reason: 'container app: CrashLoopBackOff' }),
    fact('UNHEALTHY', 'check', { sinceMs: 10, reason: 'connect ECONNREFUSED 127.0.0.1:9 (3 of 3)' }),
  ];
  const { reason, sinceMs, fact: deciding } = effectiveStatus(facts, LENIENT);
  assert.deepEqual(
    { reason, sinceMs, source: deciding?.source },
    { reason: 'connect ECONNREFUSED 127.0.0.1:9 (3 of 3)', sinceMs: 10, source: 'check' },
  );
});

const factArb = fc.record({
  source: fc.constantFrom(
    'endpointslice' as const,
    'pod' as const,
    'node' as const,
    'check' as const,
    'custom' as const,
  ),
  status: fc.constantFrom('HEALTHY' as const, 'UNHEALTHY' as const, 'UNKNOWN' as const),
  reason: fc.constant('because'),
  sinceMs: fc.nat(100),
});

test('an instance with a bad first-hand fact is never answered, whatever the order of facts', () => {
  fc.assert(
    fc.property(fc.array(factArb, { maxLength: 8 }), (facts) => {
      const verdict = effectiveStatus(facts, LENIENT);
      assert.equal(verdict.answered, !facts.some((one) => one.status === 'UNHEALTHY'));
      const turned = effectiveStatus([...facts].reverse(), LENIENT);
      assert.deepEqual(
        [turned.answered, turned.rule, turned.sinceMs],
        [verdict.answered, verdict.rule, verdict.sinceMs],
      );
    }),
  );
});

test('a fact that does not count has a reason', () => {
  const slice = fact('HEALTHY', 'endpointslice', { repeats: 'pod', sinceMs: 0 });
  const pod = fact('UNHEALTHY', 'pod', { sinceMs: 0 });
  assert.equal(whyUncounted(slice, [slice, pod]), 'repeats pod, which reports itself');
  assert.equal(whyUncounted(pod, [slice, pod]), undefined);
  const silent = { ...pod, staleSinceMs: 1000 };
  assert.equal(
    whyUncounted(silent, [slice, silent]),
    'this source has been silent since 1970-01-01T00:00:01.000Z; endpointslice counts instead',
  );
  assert.equal(whyUncounted(slice, [slice, silent]), undefined);
});
