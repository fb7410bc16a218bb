// The registry stores facts, verdicts and instances in packed form; what is read is what was stated.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Fact, FactSource, Instance, Verdict } from '../../src/registry/model.ts';
import { packFacts, packVerdict, unpackFacts, unpackVerdict } from '../../src/registry/packed-time.ts';
import { createRegistry } from '../../src/registry/registry.ts';
import { fakeSlots } from '../support/fake-slots.ts';
import { fact, instance } from '../support/model.ts';

const timeMs = fc.oneof(
  fc.nat(2_000_000_000).map((seconds) => seconds * 1000),
  fc.nat(2 ** 41),
  fc.constantFrom(-1000, (2 ** 32 - 1) * 1000, 2 ** 32 * 1000, 2 ** 33 * 1000),
);
const factOf: fc.Arbitrary<Fact> = fc.record(
  {
    source: fc.constantFrom<FactSource>('pod', 'check', 'external', 'endpointslice'),
    name: fc.constantFrom('a', 'b'),
    status: fc.constantFrom('HEALTHY', 'UNHEALTHY', 'UNKNOWN'),
    reason: fc.constantFrom('ready', 'connect ECONNREFUSED', ''),
    sinceMs: timeMs,
    repeats: fc.constant<FactSource>('pod'),
    isDated: fc.constant(true),
    gone: fc.constant(true),
    reportedMs: timeMs,
    addresses: fc.constant(['10.0.0.1']),
    staleSinceMs: timeMs,
  },
  { requiredKeys: ['source', 'status', 'reason', 'sinceMs'], noNullPrototype: true },
);

test('facts are read as they were written, with every optional part and any time', () => {
  fc.assert(
    fc.property(fc.array(fc.array(factOf, { maxLength: 3 }), { maxLength: 20 }), (lists) => {
      const packed = lists.map(packFacts);
      assert.deepEqual(packed.map(unpackFacts), lists);
    }),
    { numRuns: 500 },
  );
});

test('a verdict is read as it was written, whether or not it repeats its fact', () => {
  const verdictOf = fc
    .tuple(factOf, factOf, fc.constantFrom('healthy', 'unhealthy', 'grace'), fc.boolean(), fc.nat(15))
    .map(([deciding, other, rule, answered, parts]): Verdict => {
      const part = (bit: number) => ((parts >> bit) & 1 ? other : deciding);
      const verdict = { rule, answered, status: part(0).status, reason: part(1).reason, sinceMs: part(2).sinceMs };
      return (parts >> 3) & 1 ? verdict : { ...verdict, fact: deciding };
    });
  fc.assert(
    fc.property(fc.array(verdictOf, { maxLength: 20 }), (verdicts) => {
      const packed = verdicts.map(packVerdict);
      assert.deepEqual(packed.map(unpackVerdict), verdicts);
    }),
    { numRuns: 500 },
  );
});

test('facts are not shared without limit: after thousands of other reasons, one of before is stored anew', () => {
  const statedFor = (reason: string) => packFacts([fact('HEALTHY', 'pod', { reason })]).stated;
  const before = statedFor('ready');
  assert.equal(statedFor('ready'), before);
  for (let i = 0; i < 10_000; i++) statedFor(`reason ${i}`);
  assert.notEqual(statedFor('ready'), before);
});

test('equal facts and verdicts of different seconds share one object', () => {
  const [one, other] = [fact('HEALTHY', 'pod', { sinceMs: 1000 }), fact('HEALTHY', 'pod', { sinceMs: 7000 })];
  const between = fact('UNHEALTHY', 'pod', { sinceMs: 3000 });
  const [first, , second] = [one, between, other].map((stated) => packFacts([stated]).stated);
  assert.equal(first, second);
  const verdict = (judged: Fact): Verdict => ({
    ...{ status: judged.status, answered: true, rule: 'healthy', reason: judged.reason },
    ...{ sinceMs: judged.sinceMs, fact: judged },
  });
  assert.equal(packVerdict(verdict(one)).judged, packVerdict(verdict(other)).judged);
});

const instanceOf: fc.Arbitrary<Instance> = fc.record(
  {
    id: fc.constantFrom('a', 'b'),
    addresses: fc.constantFrom(['10.0.0.1'], ['fd00::1'], ['10.0.0.1', 'fd00::1']),
    ports: fc.array(
      fc.record(
        {
          name: fc.constantFrom('', 'http'),
          protocol: fc.constantFrom('tcp', 'udp'),
          port: fc.constantFrom(80, 81),
        },
        { noNullPrototype: true },
      ),
      { maxLength: 2 },
    ),
    weight: fc.constantFrom(1, 2),
    attributes: fc.constantFrom<Readonly<Record<string, string>>>({}, { a: '1' }, { a: '2' }, { b: '1' }),
    subjects: fc.constantFrom([], ['pod/c/n/a'], ['pod/c/n/a', 'node/c/n1'], ['pod/c/n/x', 'node/c/n1', 'node/c/n2']),
    facts: fc.array(factOf, { maxLength: 2 }),
    hostname: fc.constantFrom('a', 'db-0'),
    cluster: fc.constantFrom('west', 'east'),
    healthCheck: fc.constantFrom({ type: 'tcp' }, { type: 'exec' }) as fc.Arbitrary<Instance['healthCheck']>,
  },
  {
    requiredKeys: ['id', 'addresses', 'ports', 'weight', 'attributes', 'subjects', 'facts'],
    noNullPrototype: true,
  },
);

const PARTS = [
  'id',
  'ports',
  'weight',
  'attributes',
  'subjects',
  'facts',
  'hostname',
  'cluster',
  'healthCheck',
] as const;

test('an instance is read as it was written, and every difference from the previous version is a change', () => {
  fc.assert(
    fc.property(instanceOf, instanceOf, fc.constantFrom(...PARTS), (before, other, part) => {
      const after = { ...structuredClone(before), [part]: structuredClone(other[part]) };
      if (after[part] === undefined) delete after[part];
      const registry = createRegistry(fakeSlots());
      registry.replaceGroup('slice', 'k', [before]);
      const changes: string[] = [];
      registry.onChange((_, what) => changes.push(what));
      registry.replaceGroup('slice', 'k', [after]);
      const [state] = registry.service('k')!.instances.values();
      assert.deepEqual(state.instance, after);
      const { facts: _, subjects: __, ...structureBefore } = before;
      const { facts: ___, subjects: ____, ...structureAfter } = after;
      const isSame = JSON.stringify(structureBefore) === JSON.stringify(structureAfter);
      assert.equal(changes.includes('structure'), !isSame);
    }),
    { numRuns: 1000 },
  );
});

test('a fact that is limited to addresses concerns only the instances that have one of them', () => {
  const registry = createRegistry(fakeSlots());
  const subjects = ['pod/c/n/a'];
  registry.replaceGroup('v4', 'k', [instance('a', '10.0.0.1', { subjects })]);
  registry.replaceGroup('v6', 'k', [instance('a', 'fd00::1', { subjects })]);
  const [everywhere, only4] = [fact('HEALTHY', 'pod'), fact('UNHEALTHY', 'pod', { addresses: ['10.0.0.1'] })];
  registry.replaceFacts('pod/c/n/a', 'pod', [everywhere, only4]);
  const factsOf = (address: string) => {
    const states = [...registry.service('k')!.instances.values()];
    return states.find((state) => state.instance.addresses.includes(address))!.facts();
  };
  assert.deepEqual(factsOf('10.0.0.1'), [everywhere, only4]);
  assert.deepEqual(factsOf('fd00::1'), [everywhere]);
  registry.replaceFacts('pod/c/n/a', 'pod', [only4]);
  assert.deepEqual([factsOf('10.0.0.1'), factsOf('fd00::1')], [[only4], []]);
});
