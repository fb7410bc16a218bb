import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { select } from '../../src/health/rules/select.ts';
import { instance, POLICY } from '../support/model.ts';

/** "a:2 -b" is a, answered, of weight 2, and b, not answered. */
function states(text: string) {
  return text.split(' ').map((word) => {
    const [id, weight = '1'] = word.replace('-', '').split(':');
    const answered = !word.startsWith('-');
    const verdict = { status: 'HEALTHY' as const, answered, rule: '', reason: '', sinceMs: 0 };
    return { instance: instance(id, '10.0.0.1'), weight: Number(weight), verdict };
  });
}

const random = () => 0.5;
const ids = (selection: ReturnType<typeof select<ReturnType<typeof states>[0]>>) =>
  selection.instances
    .map((state) => state.instance.id)
    .sort()
    .join(' ');

test('unhealthy instances are left out', () => {
  assert.equal(ids(select(states('a -b c'), POLICY, random)), 'a c');
});

test('whenAllUnhealthy decides if no instance is left', () => {
  for (const whenAllUnhealthy of ['nodata', 'nxdomain', 'servfail'] as const) {
    const selection = select(states('-a -b'), { ...POLICY, whenAllUnhealthy }, random);
    assert.deepEqual(selection, { outcome: whenAllUnhealthy, instances: [], failedOpen: false });
  }
  const open = select(states('-a -b'), { ...POLICY, whenAllUnhealthy: 'all' }, random);
  assert.deepEqual([open.outcome, open.failedOpen, ids(open)], ['answered', true, 'a b']);
  assert.equal(select([], { ...POLICY, whenAllUnhealthy: 'all' }, random).outcome, 'none');
});

test('weighted routing selects one instance by weight, and weight 0 only if all have it', () => {
  const weighted = { ...POLICY, routing: 'weighted' as const };
  const counts = new Map<string, number>();
  for (let step = 0; step < 100; step++) {
    const one = ids(select(states('a:1 b:3 c:0 -d:90'), weighted, () => step / 100));
    counts.set(one, (counts.get(one) ?? 0) + 1);
  }
  assert.deepEqual(Object.fromEntries(counts), { a: 25, b: 75 });
  assert.equal(ids(select(states('a:0 b:0'), weighted, random)), 'b');
});

test('selection never mixes unhealthy and healthy instances, exceeds maxAnswers or repeats an instance', () => {
  const drawn = fc.array(fc.record({ answered: fc.boolean(), weight: fc.nat(3) }), { maxLength: 20 });
  const routing = fc.constantFrom('multivalue' as const, 'weighted' as const);
  fc.assert(
    fc.property(
      drawn,
      routing,
      fc.nat(10),
      fc.infiniteStream(fc.double({ min: 0, max: 0.999999, noNaN: true })),
      (all, how, maxAnswers, numbers) => {
        const text = all.map(({ answered, weight }, index) => `${answered ? '' : '-'}i${index}:${weight}`).join(' ');
        const from = all.length === 0 ? [] : states(text);
        const policy = { ...POLICY, routing: how, maxAnswers };
        const { instances, outcome } = select(from, policy, () => numbers.next().value as number);
        const alive = all.filter((one) => one.answered).length;
        assert.ok(instances.every((state) => state.verdict.answered));
        assert.equal(new Set(instances).size, instances.length);
        const wanted = how === 'weighted' ? 1 : maxAnswers === 0 ? alive : Math.min(maxAnswers, alive);
        assert.equal(instances.length, alive === 0 ? 0 : wanted);
        assert.equal(outcome, all.length === 0 ? 'none' : alive === 0 ? 'nodata' : 'answered');
      },
    ),
  );
});
