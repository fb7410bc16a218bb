import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULT_REGISTRY_LIMITS, RegistryLimitError } from '../../src/registry/limits.ts';
import { INSTANCE } from '../../src/registry/reference.ts';
import { createRegistry } from '../../src/registry/registry.ts';
import { fakeSlots } from '../support/fake-slots.ts';
import { fact, instance, service } from '../support/model.ts';

function setUp(limits = DEFAULT_REGISTRY_LIMITS, capacity = 1000) {
  const slots = fakeSlots(capacity);
  const registry = createRegistry(slots, limits);
  const changes: string[] = [];
  registry.onChange((key, what, concerned = []) => {
    const ids = what === 'facts' ? concerned.map(({ instance }) => ` ${instance.id}`) : [];
    changes.push(`${key} ${what}${ids.join('')}`);
  });
  const news = () => changes.splice(0);
  const ids = (key: string) => [...(registry.service(key)?.instances.values() ?? [])].map((state) => state.instance.id);
  const slotOf = (key: string, id: string) =>
    [...registry.service(key)!.instances.values()].find((state) => state.instance.id === id)!.slot;
  return { slots, registry, news, ids, slotOf };
}

const pod = (name: string) => instance(name, '10.0.0.1', { subjects: [`pod/c/n/${name}`] });

test('a group may precede its service, and facts may precede their instance', () => {
  const { registry, news } = setUp();
  registry.replaceFacts('pod/c/n/a', 'pod', [fact('UNHEALTHY', 'pod')]);
  assert.deepEqual(news(), []);
  registry.replaceGroup('slice-1', 'k', [pod('a')]);
  assert.deepEqual(news(), ['k structure']);
  assert.equal(registry.service('k')?.service, undefined);
  const [state] = registry.service('k')!.instances.values();
  assert.deepEqual(state.facts(), [fact('UNHEALTHY', 'pod')]);
  registry.replaceService(service('api', { key: 'k' }));
  assert.equal(registry.service('k')?.service?.name, 'api');
});

test('repeating known data notifies nobody', () => {
  const { registry, news } = setUp();
  const say = () => {
    registry.replaceService(service('api', { key: 'k' }));
    registry.replaceGroup('slice-1', 'k', [instance('a', '10.0.0.1', { facts: [fact('HEALTHY', 'endpointslice')] })]);
    registry.replaceFacts('pod/c/n/a', 'pod', [fact('HEALTHY', 'pod')]);
  };
  say();
  assert.equal(news().length, 2);
  say();
  assert.deepEqual(news(), []);
});

test('repeating the facts of one of several sources of a subject notifies nobody', () => {
  const { registry, news } = setUp();
  registry.replaceGroup('slice-1', 'k', [pod('a')]);
  registry.replaceFacts('pod/c/n/a', 'pod', [fact('HEALTHY', 'pod')]);
  registry.replaceFacts('pod/c/n/a', 'task', [fact('UNKNOWN', 'task')]);
  assert.equal(news().length, 3);
  registry.replaceFacts('pod/c/n/a', 'pod', [fact('HEALTHY', 'pod')]);
  assert.deepEqual(news(), []);
});

test('a changed condition is a change of facts, a changed port one of structure', () => {
  const { registry, news, slotOf } = setUp();
  registry.replaceGroup('slice-1', 'k', [instance('a', '10.0.0.1')]);
  const slot = slotOf('k', 'a');
  news();
  registry.replaceGroup('slice-1', 'k', [instance('a', '10.0.0.1', { facts: [fact('UNHEALTHY')] })]);
  assert.deepEqual(news(), ['k facts a']);
  registry.replaceGroup('slice-1', 'k', [
    instance('a', '10.0.0.1', { ports: [{ name: '', protocol: 'tcp', port: 80 }], facts: [fact('UNHEALTHY')] }),
  ]);
  assert.deepEqual(news(), ['k structure']);
  assert.equal(slotOf('k', 'a'), slot);
});

test('an endpoint in two slices is one instance, as the most recent slice describes it', () => {
  const { registry, ids } = setUp();
  const said = () => [...registry.service('k')!.instances.values()][0].facts().map((one) => one.status);
  registry.replaceGroup('slice-1', 'k', [instance('a', '10.0.0.1', { facts: [fact('HEALTHY')] })]);
  registry.replaceGroup('slice-2', 'k', [instance('a', '10.0.0.1', { facts: [fact('UNHEALTHY')] })]);
  assert.deepEqual(ids('k'), ['a']);
  assert.deepEqual(said(), ['UNHEALTHY']);
  registry.removeGroup('slice-2');
  assert.deepEqual(ids('k'), ['a']);
  assert.deepEqual(said(), ['HEALTHY']);
  registry.removeGroup('slice-1');
  assert.equal(registry.service('k'), undefined);
});

test('an endpoint that moves between slices keeps its slot, whichever slice is written first', () => {
  const { registry, slots, slotOf } = setUp();
  registry.replaceGroup('slice-1', 'k', [instance('a', '10.0.0.1'), instance('b', '10.0.0.2')]);
  const slot = slotOf('k', 'a');
  registry.replaceGroup('slice-2', 'k', [instance('a', '10.0.0.1')]);
  registry.replaceGroup('slice-1', 'k', [instance('b', '10.0.0.2')]);
  assert.equal(slotOf('k', 'a'), slot);
  registry.replaceGroup('slice-2', 'k', []);
  registry.replaceGroup('slice-1', 'k', [instance('a', '10.0.0.1'), instance('b', '10.0.0.2')]);
  assert.equal(slotOf('k', 'a'), slot);
  assert.deepEqual(registry.takeRemovedSlots(), []);
  assert.equal(slots.taken(), 2);
});

test('slots of removed instances are unhealthy when collected, and collected once', () => {
  const { registry, slots, slotOf } = setUp();
  registry.replaceGroup('slice-1', 'k', [instance('a', '10.0.0.1')]);
  const slot = slotOf('k', 'a');
  slots.set(slot, true);
  registry.removeGroup('slice-1');
  assert.equal(slots.get(slot), true);
  assert.deepEqual(registry.takeRemovedSlots(), [slot]);
  assert.equal(slots.get(slot), false);
  assert.deepEqual(registry.takeRemovedSlots(), []);
});

test('one id at two addresses is two instances, and facts about the id apply to both', () => {
  const { registry, news } = setUp();
  registry.replaceGroup('g', 'k', [instance('a', '10.0.0.1'), instance('a', '10.0.0.2'), instance('b', '10.0.0.3')]);
  assert.equal(registry.service('k')!.instances.size, 3);
  news();
  registry.replaceFacts(INSTANCE.format('k', 'a'), 'check', [fact('UNHEALTHY')]);
  assert.deepEqual(news(), ['k facts a', 'k facts a']);
  registry.replaceGroup('g', 'k', [instance('a', '10.0.0.2')]);
  const [left, ...others] = registry.service('k')!.instances.values();
  assert.deepEqual(others, []);
  assert.deepEqual(left.facts(), [fact('UNHEALTHY')]);
  registry.replaceGroup('g', 'k', [instance('a', '10.0.0.2'), instance('a', '10.0.0.1')]);
  assert.equal(registry.service('k')!.instances.size, 2);
});

test('instances that share an address share a slot for it, and keep their own', () => {
  const { registry, slots } = setUp();
  registry.replaceGroup('g', 'k', [
    instance('a', '127.0.0.1', { addresses: ['127.0.0.1', '::1'] }),
    instance('b', '127.0.0.1'),
  ]);
  const state = registry.service('k')!;
  const [a, b] = state.instances.values();
  assert.equal(new Set([a.slot, b.slot, state.slotFor(a, '127.0.0.1')]).size, 3);
  assert.equal(state.slotFor(a, '127.0.0.1'), state.slotFor(b, '127.0.0.1'));
  assert.equal(state.slotFor(a, '::1'), a.slot);
  registry.replaceGroup('g', 'k', [instance('b', '127.0.0.1')]);
  assert.equal(state.slotFor(b, '127.0.0.1'), b.slot);
  for (const slot of registry.takeRemovedSlots()) slots.release(slot, Promise.resolve());
  assert.equal(slots.taken(), 1);
});

test('a fact about a pod applies to its instances in every service, a fact about a node to all its pods', () => {
  const { registry, news } = setUp();
  const onNode = (name: string, address: string) => instance(name, address, { subjects: [`pod/${name}`, 'node/1'] });
  registry.replaceGroup('g1', 'k1', [onNode('a', '10.0.0.1'), onNode('b', '10.0.0.2')]);
  registry.replaceGroup('g2', 'k2', [onNode('a', '10.0.0.1')]);
  news();
  registry.replaceFacts('pod/a', 'pod', [fact('HEALTHY', 'pod')]);
  assert.deepEqual(news(), ['k1 facts a', 'k2 facts a']);
  registry.replaceFacts('node/1', 'node', [fact('UNHEALTHY', 'node')]);
  assert.deepEqual(news(), ['k1 facts a', 'k1 facts b', 'k2 facts a']);
  registry.replaceGroup('g1', 'k1', []);
  news();
  registry.replaceFacts('pod/a', 'pod', []);
  assert.deepEqual(news(), ['k2 facts a']);
  registry.removeGroup('g2');
  registry.replaceFacts('node/1', 'node', []);
  assert.deepEqual(registry.size(), { services: 1, instances: 0, groups: 1, subjects: 0 });
});

test('a group whose object names another service moves there', () => {
  const { registry, ids } = setUp();
  registry.replaceGroup('g', 'k1', [instance('a', '10.0.0.1')]);
  registry.replaceGroup('g', 'k2', [instance('a', '10.0.0.1')]);
  assert.equal(registry.service('k1'), undefined);
  assert.deepEqual(ids('k2'), ['a']);
  registry.removeGroup('g');
  assert.deepEqual(registry.size(), { services: 0, instances: 0, groups: 0, subjects: 0 });
});

test('exceeding a limit changes nothing, and the error names the limit', () => {
  const { registry, ids, slots } = setUp({
    ...DEFAULT_REGISTRY_LIMITS,
    instances: 2,
    services: 1,
    factsPerStatement: 1,
  });
  registry.replaceGroup('g', 'k', [instance('a', '10.0.0.1')]);
  const many = ['a', 'b', 'c'].map((id, index) => instance(id, `10.0.0.${index + 1}`));
  assert.throws(() => registry.replaceGroup('g', 'k', many), {
    name: 'RegistryLimitError',
    message: 'g is dropped: the registry holds at most 2 instances',
  });
  assert.deepEqual(ids('k'), ['a']);
  assert.equal(registry.size().instances, 1);
  for (const slot of registry.takeRemovedSlots()) slots.release(slot, Promise.resolve());
  assert.equal(slots.taken(), 1);
  assert.throws(() => registry.replaceGroup('g2', 'k2', []), RegistryLimitError);
  assert.throws(() => registry.replaceFacts('pod/a', 'pod', [fact('HEALTHY'), fact('HEALTHY')]), RegistryLimitError);
});

test('when slots run out, nothing changes and none is lost', () => {
  const { registry, ids, slots } = setUp(DEFAULT_REGISTRY_LIMITS, 3);
  registry.replaceGroup('g', 'k', [instance('a', '10.0.0.1')]);
  const many = ['a', 'b', 'c'].map((id, index) => instance(id, `10.0.0.${index + 1}`));
  assert.throws(() => registry.replaceGroup('g', 'k', many), /g|k.*all 3 slots are taken/);
  assert.deepEqual(ids('k'), ['a']);
  for (const slot of registry.takeRemovedSlots()) slots.release(slot, Promise.resolve());
  assert.equal(slots.taken(), 1);
});

test('when the most recent slice goes, the previous one counts', () => {
  const { registry } = setUp();
  const say = (group: string, reason: string) =>
    registry.replaceGroup(group, 'k', [
      instance('a', '10.0.0.1', { facts: [fact('HEALTHY', 'endpointslice', { reason })] }),
    ]);
  say('slice-1', 'one');
  say('slice-2', 'two');
  say('slice-3', 'three');
  say('slice-1', 'one again');
  registry.removeGroup('slice-3');
  const said = () => [...registry.service('k')!.instances.values()][0].facts()[0].reason;
  assert.equal(said(), 'one again');
  registry.removeGroup('slice-1');
  assert.equal(said(), 'two');
});

test('facts reach an instance even if its service’s key and its id contain slashes', () => {
  const { registry, news } = setUp();
  const key = 'kubernetes/arn:aws:eks:eu-west-1:1:cluster/blue/cluster.local./default/api';
  registry.replaceGroup('g', key, [instance('task/a/1', '10.0.0.1')]);
  news();
  registry.replaceFacts(INSTANCE.format(key, 'task/a/1'), 'check', [fact('UNHEALTHY')]);
  assert.deepEqual(news(), [`${key} facts task/a/1`]);
});

test('a fact repeated with a later time is a change', () => {
  const { registry, news } = setUp();
  registry.replaceGroup('g', 'k', [instance('a', '10.0.0.1', { subjects: ['pod/a'] })]);
  news();
  for (const reportedMs of [1, 1, 2]) {
    registry.replaceFacts('pod/a', 'external', [fact('HEALTHY', 'external', { reportedMs })]);
  }
  assert.equal(news().length, 2);
});

test('facts of a silent source are marked while it is silent, and the affected instances are judged again', () => {
  const { registry, news } = setUp();
  registry.replaceGroup('slice-1', 'k', [pod('a')]);
  registry.replaceGroup('slice-2', 'other', [instance('b', '10.0.0.2')]);
  registry.replaceFacts('pod/c/n/a', 'pod', [fact('HEALTHY', 'pod')]);
  news();
  const [state] = registry.service('k')!.instances.values();
  registry.setStale('pod/c/', 5000);
  assert.deepEqual(news(), ['k facts']);
  assert.deepEqual(state.facts(), [{ ...fact('HEALTHY', 'pod'), staleSinceMs: 5000 }]);
  registry.setStale('pod/c/', 5000);
  registry.setStale('pod/d/', 5000);
  assert.deepEqual(news(), []);
  registry.setStale('pod/c/', undefined);
  assert.deepEqual(news(), ['k facts']);
  assert.deepEqual(state.facts(), [fact('HEALTHY', 'pod')]);
});

test('a limit of the registry is inclusive', () => {
  const { registry } = setUp({ ...DEFAULT_REGISTRY_LIMITS, instances: 2, instancesPerGroup: 2 });
  registry.replaceGroup('a', 'k', [instance('a', '10.0.0.1'), instance('b', '10.0.0.2')]);
  assert.throws(() => registry.replaceGroup('b', 'k', [instance('c', '10.0.0.3')]), RegistryLimitError);
  assert.equal(registry.size().instances, 2);
});

test('of equal facts about two pods, one dated and one not, each keeps its own date', () => {
  const { registry } = setUp();
  const said = fact('HEALTHY', 'endpointslice', { repeats: 'pod' });
  registry.replaceFacts('pod/c/n/a', 'endpointslice', [said]);
  registry.replaceFacts('pod/c/n/b', 'endpointslice', [{ ...said, isDated: true }]);
  assert.deepEqual(registry.factsOf('pod/c/n/a'), [said]);
  assert.deepEqual(registry.factsOf('pod/c/n/b'), [{ ...said, isDated: true }]);
  registry.replaceFacts('pod/c/n/a', 'endpointslice', [{ ...said, isDated: true }]);
  assert.equal(registry.factsOf('pod/c/n/a')[0].isDated, true);
});

test('a subject added to an instance brings its facts, until the instance changes', () => {
  const { registry, news } = setUp();
  registry.replaceGroup('slice-1', 'k', [pod('a')]);
  registry.replaceFacts('node/c/n', 'node', [fact('UNHEALTHY', 'node')]);
  const [state] = registry.service('k')!.instances.values();
  news();
  registry.addSubject(state, 'node/c/n');
  registry.addSubject(state, 'node/c/n');
  assert.deepEqual([state.subjectCount, state.facts().length], [2, 1]);
  assert.equal(news()[0], 'k facts a');
  registry.replaceGroup('slice-1', 'k', [pod('a')]);
  assert.deepEqual([state.subjectCount, state.facts().length], [1, 0]);
});

test('as many facts as the limit allows are kept, one more is rejected', () => {
  const { registry } = setUp({ ...DEFAULT_REGISTRY_LIMITS, factsPerStatement: 2 });
  const two = [fact('HEALTHY', 'external', { name: 'a' }), fact('HEALTHY', 'external', { name: 'b' })];
  registry.replaceFacts('pod/c/n/a', 'external', two);
  assert.throws(
    () => registry.replaceFacts('pod/c/n/a', 'external', [...two, fact('HEALTHY', 'external')]),
    RegistryLimitError,
  );
  assert.equal(registry.factsOf('pod/c/n/a').length, 2);
});

test('nothing remains of a service removed with its instances, in either order', () => {
  const { registry } = setUp();
  for (const isServiceFirst of [true, false]) {
    registry.replaceService(service('api', { key: 'k' }));
    registry.replaceGroup('g', 'k', [pod('a')]);
    if (isServiceFirst) registry.removeService('k');
    registry.removeGroup('g');
    if (!isServiceFirst) registry.removeService('k');
    assert.deepEqual(registry.size(), { services: 0, instances: 0, groups: 0, subjects: 0 });
  }
});

test('in a service of many instances an address stops being shared when only one has it', () => {
  const { registry } = setUp();
  const many = Array.from({ length: 20 }, (_, i) => instance(`i${i}`, `10.0.1.${i}`));
  registry.replaceGroup('many', 'k', many);
  registry.replaceGroup('two', 'k', [instance('a', '10.0.0.1'), instance('b', '10.0.0.1')]);
  const shared = () => [...registry.service('k')!.sharedAddresses.keys()];
  assert.deepEqual(shared(), ['10.0.0.1']);
  registry.replaceGroup('two', 'k', [instance('a', '10.0.0.1')]);
  assert.deepEqual(shared(), []);
  registry.replaceGroup('two', 'k', [instance('a', '10.0.0.1'), instance('c', '10.0.0.1')]);
  const [first, second] = registry.service('k')!.sharedAddresses.get('10.0.0.1')!.instances;
  assert.deepEqual([first.instance.id, second.instance.id], ['a', 'c']);
});
