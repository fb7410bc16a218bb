import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startControlPlane } from '../support/control-plane.ts';
import { followCluster, testKubernetesConfig } from '../support/followed-cluster.ts';
import { requirement } from '../support/requirement.ts';
import { until } from '../support/until.ts';

test('the API server’s error about a label selector is shown with its key', requirement('control-plane'), async () => {
  const plane = await startControlPlane();
  const config = testKubernetesConfig(plane.kubeconfig, { labels: 'app=-web', namespaceLabels: 'team in a' });
  const cluster = followCluster(config);
  try {
    await until(
      () => ['services', 'namespaces'].map((kind) => cluster.kind(kind).state),
      ['disconnected', 'disconnected'],
    );
    assert.match(cluster.kind('services').detail, /^`labels: app=-web`: HTTP 400: .*-web/);
    assert.match(cluster.kind('namespaces').detail, /^`namespaceLabels: team in a`: HTTP 400: .*found 'a'/);
    const [{ detail }] = cluster.status.missing();
    assert.match(detail, /`labels: app=-web`: HTTP 400/);
  } finally {
    await cluster.stop();
    await plane.stop();
  }
});
