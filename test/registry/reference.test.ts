import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { INSTANCE, KUBERNETES_OBJECT, KUBERNETES_SERVICE, lastPart, NODE, POD } from '../../src/registry/reference.ts';

const part = fc.oneof(fc.string(), fc.constantFrom('', '/', '%', '%2F', 'arn:aws:eks:eu-west-1:1:cluster/a'));

test('a reference is parsed as it was formatted, whatever its parts contain', () => {
  fc.assert(
    fc.property(part, part, part, (cluster, namespace, name) => {
      const text = POD.format(cluster, namespace, name);
      assert.deepEqual(POD.parse(text), { cluster, namespace, name });
      assert.equal(lastPart(text), name);
      assert.ok(text.startsWith(POD.prefix(cluster)) && text.startsWith(POD.prefix(cluster, namespace)));
    }),
  );
});

test('plain parts of a reference are not escaped', () => {
  assert.equal(
    KUBERNETES_SERVICE.format('ctx', 'cluster.local.', 'default', 'api'),
    'kubernetes/ctx/cluster.local./default/api',
  );
  assert.equal(POD.prefix('ctx'), 'pod/ctx/');
  assert.equal(NODE.format('a/b', 'n'), 'node/a%2Fb/n');
});

test('a text of another type is not parsed as this reference', () => {
  const object = KUBERNETES_OBJECT.format('ctx', 'cluster.local.', 'endpointslices', 'default', 'api-1');
  assert.equal(KUBERNETES_SERVICE.parse(object), undefined);
  assert.equal(POD.parse(NODE.format('ctx', 'n')), undefined);
  assert.equal(POD.parse('pod/ctx'), undefined);
  assert.deepEqual(INSTANCE.parse(INSTANCE.format('static/a./b/c', 'x/y')), { service: 'static/a./b/c', id: 'x/y' });
});
