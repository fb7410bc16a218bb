import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkPolicyAttribute, policyOf } from '../../src/cloudmap/service-policy.ts';
import { testCloudMapConfig } from '../support/cloud-map-in-cluster.ts';

const { policy: defaults } = testCloudMapConfig();
const attribute = (value: string) => ({ 'healthdns.policy': value });

test('a service without the policy attribute has the configured policy', () => {
  assert.equal(policyOf({ other: 'x' }, defaults), defaults);
  checkPolicyAttribute({ other: 'x' });
});

test('the policy attribute uses the keys of zones.yaml and overrides only what it contains', () => {
  const text = '{"unknown": "exclude", "panic": {"belowPercent": 30}}';
  checkPolicyAttribute(attribute(text));
  assert.deepEqual(policyOf(attribute(text), { ...defaults, whenAllUnhealthy: 'all' }), {
    ...defaults,
    ...{ whenAllUnhealthy: 'all', unknown: 'exclude', panic: { belowPercent: 30, untilPercent: 40 } },
  });
});

for (const [text, message] of [
  ['{', /not JSON/],
  ['[]', /expected a mapping/],
  ['{"unknwn": "exclude"}', /unknown key `unknwn`, did you mean `unknown`/],
  ['{"unknown": "never"}', /expected one of answer, exclude, got "never"/],
  ['{"externalHealth": {"sources": []}}', /unknown key `externalHealth`/],
  ['{"gracePeriodSeconds": 3601}', /from 0 to 3600/],
] as const)
  test(`the policy attribute ${text} is rejected, and ignored if it is already stored`, () => {
    assert.throws(() => checkPolicyAttribute(attribute(text)), { code: 'InvalidInput', message });
    assert.equal(policyOf(attribute(text), defaults), defaults);
  });
