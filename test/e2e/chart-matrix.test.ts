// The chart in all its shapes and options: linted, rendered, its objects seen to fit together, its zones.yaml checked, and each
// object that a combination makes given to a real API server for a dry run.
import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { loadNodeConfig, nodeFileSchema } from '../../src/config/loading/load-node.ts';
import { collections } from '../support/chart/collections.ts';
import {
  type Combination,
  combinations,
  coveringRows,
  NAMESPACES_OF_OPTIONS,
  OPTIONS,
  SHAPES,
} from '../support/chart/combinations.ts';
import { inconsistencies } from '../support/chart/consistency.ts';
import { OPERATOR_KINDS } from '../support/chart/operator-kinds.ts';
import { NAMESPACES } from '../support/cluster-objects.ts';
import { healthdns } from '../support/command.ts';
import { type ControlPlane, startControlPlane } from '../support/control-plane.ts';
import { chartObjects, lintChart, type Manifest, ofKind } from '../support/manifests.ts';
import { requirement } from '../support/requirement.ts';
import { until } from '../support/until.ts';

const options = requirement('control-plane', 'helm');
/** Any three options meet with all their values: an object depends on its neighbours' options by their names alone. */
const STRENGTH = 3;
const ALL: readonly Combination[] = options.skip === false ? combinations(STRENGTH) : [];
let plane: ControlPlane;

before(async () => {
  if (options.skip !== false) return;
  plane = await startControlPlane();
  for (const name of NAMESPACES_OF_OPTIONS) await plane.client.create(NAMESPACES, { metadata: { name } });
  for (const definition of OPERATOR_KINDS)
    await plane.client.create('/apis/apiextensions.k8s.io/v1/customresourcedefinitions', definition);
  await until(
    async () => (await plane.client.get('/apis/monitoring.coreos.com/v1')).body.resources?.length,
    OPERATOR_KINDS.length,
  );
});
after(() => plane?.stop());

/** Objects by their text, each with the first combination that made it. */
const distinct = new Map<string, { readonly object: Manifest; readonly of: string }>();

test('every combination of two options is in a row, and of three', () => {
  const sizes = [2, 3, 4, 2, 3];
  for (const strength of [2, 3]) {
    const rows = coveringRows(sizes, strength);
    const seen = new Set(rows.flatMap((row) => tuplesOf(row, strength)));
    const all = new Set(product(sizes).flatMap((row) => tuplesOf(row, strength)));
    assert.deepEqual([...seen].sort(), [...all].sort());
    assert.ok(rows.length < product(sizes).length / 2);
  }
});

const tuplesOf = (row: readonly number[], strength: number): string[] =>
  row.flatMap((a, i) =>
    row.flatMap((b, j) => {
      if (j <= i) return [];
      const pair = `${i}=${a} ${j}=${b}`;
      return strength === 2 ? [pair] : row.slice(j + 1).map((c, k) => `${pair} ${j + 1 + k}=${c}`);
    }),
  );

const product = (sizes: readonly number[]): number[][] =>
  sizes.reduce<number[][]>(
    (rows, size) => rows.flatMap((row) => Array.from({ length: size }, (_, i) => [...row, i])),
    [[]],
  );

for (const shape of Object.keys(SHAPES)) {
  const rows = ALL.filter((one) => one.shape === shape);

  test(`shape ${shape}: helm lint reports nothing about any combination`, options, async () => {
    await each(rows, async ({ name, values }) => {
      const output = await lintChart(values).catch((error) => String(error));
      assert.match(output, /0 chart\(s\) failed/, name);
    });
  });

  test(`shape ${shape}: the objects of every combination fit together`, options, async () => {
    const problems: string[] = [];
    await each(rows, async ({ name, values }) => {
      const objects = await chartObjects(values);
      for (const problem of inconsistencies(objects)) problems.push(`${problem} (${name})`);
      for (const object of objects) {
        const text = JSON.stringify(object);
        if (!distinct.has(text)) distinct.set(text, { object, of: name });
      }
    });
    assert.deepEqual(problems, []);
  });
}

test(
  'values that would be ignored, or grant rights that nothing uses, are refused with their key',
  options,
  async () => {
    for (const values of [{ 'autoscaling.enabled': true }, { 'proportional.enabled': true }])
      await assert.rejects(
        chartObjects({ kind: 'DaemonSet', ...values }),
        /(autoscaling|proportional)\.enabled: a DaemonSet/,
      );
    await assert.rejects(
      chartObjects({ 'autoscaling.enabled': true, 'proportional.enabled': true }),
      /autoscaling\.enabled and proportional\.enabled: only one/,
    );
    const { needs, refuses } = SHAPES['node-local']!;
    for (const key of refuses) {
      const [refused] = Object.values(OPTIONS)
        .flat()
        .filter((values) => Object.keys(values)[0]?.startsWith(key));
      await assert.rejects(chartObjects({ ...refused, ...needs }), new RegExp(`${Object.keys(refused!)[0]}: `), key);
    }
  },
);

test('`healthdns check` accepts every zones.yaml', options, async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'healthdns-chart-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const files = [...distinct.values()].filter(({ object }) => object.data?.['zones.yaml'] !== undefined);
  const texts = new Map(files.map(({ object, of }) => [object.data['zones.yaml'] as string, of]));
  await each([...texts], async ([text, of], i) => {
    const file = join(folder, `zones-${i}.yaml`);
    // The folder of the snapshot exists in the pod alone.
    await writeFile(file, text.replaceAll('/var/lib/healthdns', folder));
    const { code, stderr } = await healthdns('check', file);
    assert.deepEqual([code, stderr], [0, ''], of);
  });
});

test(
  'the agent of shape node-local accepts every node.yaml, and keys that it does not have are refused',
  options,
  async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'healthdns-chart-'));
    t.after(() => rm(folder, { recursive: true, force: true }));
    const texts = new Set([...distinct.values()].flatMap(({ object }) => object.data?.['node.yaml'] ?? []));
    assert.ok(texts.size > 1);
    const file = join(folder, 'node.yaml');
    const certificates = join(plane.folder, 'certificates');
    const authority = join(certificates, (await readdir(certificates)).find((name) => name.endsWith('.crt'))!);
    for (const text of texts) {
      // The authority's certificate is in the pod alone.
      await writeFile(file, text.replaceAll('/etc/healthdns-authority/ca.crt', authority));
      assert.deepEqual(await loadNodeConfig(file).then((loaded) => (loaded.ok ? [] : loaded.problems)), []);
    }
    const template = await readFile('deploy/helm/healthdns/templates/_helpers.tpl', 'utf8');
    const listed = /not \(has \$key \(list ([^)]+)\)\)/.exec(template)![1]!.match(/\w+/g)!;
    const { properties } = JSON.parse(await readFile('deploy/helm/healthdns/values.schema.json', 'utf8'));
    const ofAgent = Object.keys(nodeFileSchema.pipe[0].getter(undefined).entries);
    assert.deepEqual(listed.sort(), ofAgent.filter((key) => key in properties.config.properties).sort());
  },
);

test('the API server accepts every object of every combination', options, async () => {
  assert.ok(distinct.size > 100);
  const paths = await collections(
    plane.client,
    [...distinct.values()].map(({ object }) => object),
  );
  const refused: string[] = [];
  await each([...distinct.values()], async ({ object, of }) => {
    const query = '?dryRun=All&fieldValidation=Strict';
    await plane.client.create(`${paths(object)}${query}`, object).catch((error: Error) => {
      refused.push(`${object.kind} ${object.metadata.name} (${of}): ${error.message}`);
    });
  });
  assert.deepEqual(refused, []);
});

test('what the dry run is given is looked at: an unknown field and a wrong type are refused', options, async () => {
  const objects = await chartObjects({ 'serviceMonitor.enabled': true });
  const paths = await collections(plane.client, objects);
  const refuses = async (object: Manifest, message: RegExp) =>
    assert.rejects(plane.client.create(`${paths(object)}?dryRun=All&fieldValidation=Strict`, object), message);
  const [deployment, monitor] = [ofKind(objects, 'Deployment'), ofKind(objects, 'ServiceMonitor')];
  await refuses({ ...deployment, spec: { ...deployment.spec, replica: 2 } }, /unknown field "spec\.replica"/);
  await refuses({ ...monitor, spec: { ...monitor.spec, endpoint: [] } }, /unknown field "spec\.endpoint"/);
  await refuses({ ...monitor, spec: { ...monitor.spec, selector: undefined } }, /spec\.selector: Required/);
});

/** Two at a time. */
async function each<T>(items: readonly T[], visit: (item: T, index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const work = async () => {
    while (next < items.length) {
      const index = next++;
      await visit(items[index]!, index);
    }
  };
  await Promise.all([work(), work()]);
}
