// Which services a snapshot leaves where labels of namespaces decide, in whatever order the first lists come.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '../../../src/log.ts';
import { createRegistry } from '../../../src/registry/registry.ts';
import { metadata } from '../../../src/sources/kubernetes/api/objects.ts';
import { namespacesKind } from '../../../src/sources/kubernetes/kinds/namespaces.ts';
import { createPublishedServices } from '../../../src/sources/kubernetes/kinds/published-services.ts';
import { servicesKind, translateService } from '../../../src/sources/kubernetes/kinds/services.ts';
import { service } from '../../support/cluster-objects.ts';
import { fakeClock } from '../../support/fake-clock.ts';
import { testKubernetesConfig, testZone } from '../../support/followed-cluster.ts';

/** A source that has just answered from a snapshot: namespace `shop` has the label, and service `web` in it. */
function restoredShop() {
  const registry = createRegistry({ allocate: () => 1, set() {} });
  const config = testKubernetesConfig('/none', { namespaceLabels: 'team=a' });
  const cluster = { config, zone: testZone, registry, clock: fakeClock(), log: silentLogger };
  const published = createPublishedServices(cluster);
  const namespaces = namespacesKind(cluster, published);
  const services = servicesKind(cluster, published);
  const object = { ...service('web'), metadata: { name: 'web', namespace: 'shop' } };
  const shop = namespaces.keyOf('', 'shop');
  const web = services.keyOf('shop', 'web');
  registry.replaceService(translateService(cluster, metadata(object), object));
  namespaces.restored?.([shop]);
  return {
    listServices: () => services.replace(web, metadata(object), object),
    loseLabel: () => namespaces.remove(shop),
    isPublished: () => registry.service(web)?.service !== undefined,
  };
}

test('services are answered from the snapshot until the namespaces are known', () => {
  const shop = restoredShop();
  shop.listServices();
  assert.ok(shop.isPublished());
});

test('services of a namespace that has lost its label go, whichever list arrives first', () => {
  const late = restoredShop();
  late.listServices();
  late.loseLabel();
  assert.equal(late.isPublished(), false);
  const early = restoredShop();
  early.loseLabel();
  early.listServices();
  assert.equal(early.isPublished(), false);
});
