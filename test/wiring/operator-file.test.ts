import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { State } from '../../src/cloudmap/cloud-map-state.ts';
import type { OperatorOrder } from '../../src/health/operator-order.ts';
import { INSTANCE } from '../../src/registry/reference.ts';
import { createRegistry } from '../../src/registry/registry.ts';
import { createOperators } from '../../src/wiring/operators.ts';
import { temporaryFolder } from '../support/command.ts';
import { fakeClock } from '../support/fake-clock.ts';
import { fakeSlots } from '../support/fake-slots.ts';
import { instance, service } from '../support/model.ts';

async function server(file: string | undefined) {
  const clock = fakeClock();
  const registry = createRegistry(fakeSlots());
  registry.replaceService(service('api', { key: 'k' }));
  registry.replaceGroup('g', 'k', [instance('a', '10.0.0.1'), instance('b/1', '10.0.0.2')]);
  const annotate = async () => assert.fail('no pod');
  const operators = createOperators({
    registry,
    sources: { annotate },
    cloudMap: (): State | undefined => undefined,
    clock,
  });
  await (await operators.prepare(file)).commit();
  const state = (id: string) => [...registry.service('k')!.instances.values()].find((one) => one.instance.id === id)!;
  const facts = (id: string) =>
    registry.factsOf(INSTANCE.format('k', id)).map(({ status, reason }) => `${status} ${reason}`);
  return { clock, operators, state, facts };
}

const DRAIN: OperatorOrder = { status: 'UNHEALTHY', reason: 'disk' };

test('orders for instances other than pods survive a restart in the operators’ file', async (t) => {
  const file = join(await temporaryFolder(t), 'operator.json');
  const first = await server(file);
  assert.equal(await first.operators.order(first.state('b/1'), DRAIN), 'file');
  await first.operators.order(first.state('a'), { ...DRAIN, untilMs: first.clock.now() + 1_000 });
  assert.deepEqual(first.facts('b/1'), ['UNHEALTHY drained by an operator: disk']);

  const second = await server(file);
  assert.deepEqual(second.facts('b/1'), ['UNHEALTHY drained by an operator: disk']);
  await second.operators.order(second.state('b/1'), undefined);
  assert.deepEqual(second.facts('b/1'), []);
  assert.deepEqual(Object.keys(JSON.parse(await readFile(file, 'utf8'))), [INSTANCE.format('k', 'a')]);
});

test('an expired order is dropped from the file with the next write', async (t) => {
  const file = join(await temporaryFolder(t), 'operator.json');
  const { clock, operators, state } = await server(file);
  await operators.order(state('a'), { ...DRAIN, untilMs: clock.now() + 1_000 });
  await clock.advance(1_001);
  await operators.order(state('b/1'), DRAIN);
  assert.deepEqual(Object.keys(JSON.parse(await readFile(file, 'utf8'))), [INSTANCE.format('k', 'b/1')]);
});

test('without a file an order is kept in memory', async () => {
  const { operators, state, facts } = await server(undefined);
  assert.equal(await operators.order(state('a'), DRAIN), 'memory');
  assert.equal(facts('a').length, 1);
});

test('orders in memory are written to a file that a reload adds; orders of a file that a reload removes stay in force', async (t) => {
  const file = join(await temporaryFolder(t), 'operator.json');
  const { operators, state, facts } = await server(undefined);
  await operators.order(state('a'), DRAIN);
  await (await operators.prepare(file)).release();
  assert.equal(await readFile(file, 'utf8'), '{}\n', 'a reload that was refused has left nothing');
  await (await operators.prepare(file)).commit();
  assert.equal(facts('a').length, 1);
  assert.deepEqual(Object.keys(JSON.parse(await readFile(file, 'utf8'))), [INSTANCE.format('k', 'a')]);
  await (await operators.prepare(undefined)).commit();
  assert.equal(facts('a').length, 1);
});

test('a damaged file is an error that names it, and changes nothing', async (t) => {
  const folder = await temporaryFolder(t);
  const { operators, state, facts } = await server(join(folder, 'operator.json'));
  await operators.order(state('a'), DRAIN);
  const file = join(folder, 'other.json');
  for (const text of ['{', '[]', '{"instance/k/a": "UNHEALTHY"}', '"x"']) {
    await writeFile(file, text);
    await assert.rejects(operators.prepare(file), new RegExp(`^Error: operatorFile ${file} cannot be read: `));
  }
  assert.equal(facts('a').length, 1);
});

test('an order that cannot be written is refused and not in force', async (t) => {
  const folder = await temporaryFolder(t);
  const { operators, state, facts } = await server(join(folder, 'missing', 'operator.json'));
  await assert.rejects(
    operators.order(state('a'), DRAIN),
    /^Error: operatorFile .*missing.operator\.json cannot be written: ENOENT/,
  );
  assert.deepEqual(facts('a'), []);
});
