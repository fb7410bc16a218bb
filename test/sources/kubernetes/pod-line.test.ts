import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { withoutPodSpec } from '../../../src/sources/kubernetes/kinds/pod-line.ts';
import { createJsonLines } from '../../../src/sources/kubernetes/watch/json-lines.ts';

interface Line {
  type: string;
  object: { metadata: Record<string, unknown>; spec?: unknown; status?: unknown };
}

/** Texts and keys that look like the places where a line is cut. */
const tricky = fc.constantFrom(',"spec":{', ',"status":{', ',"managedFields":[', '"},"status":{"', '\\', 'é');
const json = fc.jsonValue({ maxDepth: 3 });
/** Nothing in a pod's status is called `spec`. */
const anything = fc.dictionary(fc.oneof(fc.constantFrom('status', 'managedFields', 'a'), tricky), json);

const line: fc.Arbitrary<Line> = fc
  .record({
    labels: fc.dictionary(fc.string(), fc.oneof(fc.string(), tricky)),
    managedFields: fc.option(fc.array(fc.record({ fieldsV1: fc.constant({ 'f:spec': {}, 'f:status': {} }) }))),
    spec: fc.option(fc.record({ nodeName: fc.string(), containers: fc.array(fc.dictionary(tricky, tricky)) })),
    status: fc.option(fc.record({ phase: fc.string(), conditions: fc.array(anything) })),
  })
  .map(({ labels, managedFields, spec, status }) => ({
    type: 'ADDED',
    object: {
      metadata: { name: 'a', labels, ...(managedFields && { managedFields }) },
      ...(spec && { spec }),
      ...(status && { status }),
    },
  }));

function read(text: string): unknown[] {
  const values: unknown[] = [];
  createJsonLines({
    value: (value) => values.push(value),
    tooLong: (reason) => values.push(reason),
    broken: (reason) => values.push(reason),
    trim: withoutPodSpec,
  }).push(Buffer.from(`${text}\n`));
  return values;
}

test('metadata and status of a pod are read as if its whole line were parsed', () => {
  fc.assert(
    fc.property(line, (made) => {
      const event = JSON.parse(JSON.stringify(made)) as Line;
      const [{ type, object }] = read(JSON.stringify(event)) as [Line];
      const { managedFields, ...metadata } = event.object.metadata;
      const { managedFields: left, ...read_ } = object.metadata;
      assert.deepEqual(
        { type, metadata: read_, status: object.status },
        { type: 'ADDED', metadata, status: event.object.status },
      );
      if (event.object.spec !== undefined && event.object.status !== undefined) {
        assert.deepEqual([object.spec, left], [undefined, undefined]);
      }
    }),
  );
});

test('a line in another order is read whole', () => {
  const lines: fc.Arbitrary<unknown> = fc.oneof(
    anything.map((each) => ({ object: { status: { a: each }, spec: { a: each }, metadata: each } })),
    anything.map((each) => ({ a: 1, spec: { b: 1, status: each }, c: { status: each } })),
    anything.map((each) => ({ a: 1, b: { a: 1, spec: each }, status: each })),
  );
  fc.assert(
    fc.property(lines, (each) => {
      const text = JSON.stringify(each);
      assert.deepEqual(read(text), [JSON.parse(text)]);
    }),
  );
});
