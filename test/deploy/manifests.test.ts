// deploy/ without a cluster: the manifests and the chart say the same, and what they configure is sound.
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { parse } from 'yaml';
import { loadNodeConfig } from '../../src/config/loading/load-node.ts';
import { healthdns, temporaryFolder } from '../support/command.ts';
import { chartObjects, lintChart, type Manifest, manifestsOf, notesOfChart, ofKind } from '../support/manifests.ts';
import { nodeJsonSchema } from '../support/reference.ts';
import { requirement } from '../support/requirement.ts';

async function checked(t: TestContext, objects: readonly Manifest[]): Promise<string> {
  const folder = await temporaryFolder(t);
  const file = join(folder, 'zones.yaml');
  // The folder of the snapshot exists in the pod alone.
  await writeFile(file, ofKind(objects, 'ConfigMap').data['zones.yaml'].replaceAll('/var/lib/healthdns', folder));
  const { code, stdout, stderr } = await healthdns('check', file);
  assert.deepEqual([code, stderr], [0, '']);
  return stdout;
}

test('the zones.yaml of deploy/healthdns.yaml passes `healthdns check`', async (t) => {
  assert.match(await checked(t, await manifestsOf('healthdns.yaml')), /zone {2}cluster\.local\.: Kubernetes cluster/);
});

test('the zones.yaml of the chart passes `healthdns check`, with any values', requirement('helm'), async (t) => {
  assert.match(await checked(t, await chartObjects()), /zone {2}cluster\.local\.: Kubernetes cluster/);
  const values = {
    clusterDomain: 'k8s.example',
    forward: ['192.0.2.53', '192.0.2.54:5353'],
    kubernetes: { pods: 'verified' },
    zones: [{ name: 'production.local', records: [{ name: 'www', type: 'A', value: '192.0.2.1' }] }],
    config: { limits: { tcpConnections: 50 } },
  };
  const objects = await chartObjects(values);
  const summary = await checked(t, objects);
  assert.match(summary, /zone {2}k8s\.example\.: Kubernetes cluster/);
  assert.match(summary, /zone {2}production\.local\.: 1 record/);
  const written = parse(ofKind(objects, 'ConfigMap').data['zones.yaml']);
  assert.deepEqual(written.forward, [{ to: ['192.0.2.53', '192.0.2.54:5353'] }]);
  assert.deepEqual(written.zones[0].kubernetes, {
    fallthrough: ['in-addr.arpa', 'ip6.arpa'],
    pods: 'verified',
    snapshot: { file: '/var/lib/healthdns/snapshot' },
  });
  assert.equal(written.limits.tcpConnections, 50);
  assert.equal(written.server.lameduckSeconds, 5);
});

test('the chart without `forward` forwards nothing', requirement('helm'), async (t) => {
  const objects = await chartObjects({ forward: [] });
  await checked(t, objects);
  assert.equal('forward' in parse(ofKind(objects, 'ConfigMap').data['zones.yaml']), false);
});

test('the chart grants exactly the permissions of deploy/rbac.yaml', requirement('helm'), async () => {
  const [manifest, chart] = [await manifestsOf('rbac.yaml'), await chartObjects()];
  assert.deepEqual(ofKind(chart, 'ClusterRole').rules, ofKind(manifest, 'ClusterRole').rules);
  const binding = ofKind(chart, 'ClusterRoleBinding');
  assert.deepEqual(binding.subjects, ofKind(manifest, 'ClusterRoleBinding').subjects);
  assert.deepEqual(
    chart.filter(({ kind }) => kind === 'Role'),
    [],
  );
});

test('the chart grants the permissions of deploy/rbac-cloud-map.yaml if enabled', requirement('helm'), async () => {
  const manifest = await manifestsOf('rbac-cloud-map.yaml');
  const chart = await chartObjects({ cloudMap: { writeAccess: true, namespace: 'healthdns' } });
  for (const kind of ['Role', 'RoleBinding']) {
    const { metadata, ...rights } = ofKind(chart, kind);
    const { metadata: expected, ...expectedRights } = ofKind(manifest, kind);
    assert.deepEqual(rights, expectedRights);
    assert.deepEqual([metadata.name, metadata.namespace], [expected.name, expected.namespace]);
  }
  await assert.rejects(chartObjects({ 'cloudMap.writeAccess': true }), /needs cloudMap\.namespace/);
});

test('the chart grants the permissions of deploy/rbac-ecs.yaml if enabled', requirement('helm'), async () => {
  const manifest = await manifestsOf('rbac-ecs.yaml');
  const chart = await chartObjects({ ecs: { writeAccess: true, namespace: 'healthdns' } });
  for (const kind of ['Role', 'RoleBinding']) {
    const { metadata, ...rights } = ofKind(chart, kind);
    const { metadata: expected, ...expectedRights } = ofKind(manifest, kind);
    assert.deepEqual(rights, expectedRights);
    assert.deepEqual([metadata.name, metadata.namespace], [expected.name, expected.namespace]);
  }
  await assert.rejects(chartObjects({ 'ecs.writeAccess': true }), /needs ecs\.namespace/);
});

for (const what of ['drain', 'events']) {
  test(`the chart grants the permissions of deploy/rbac-${what}.yaml if enabled`, requirement('helm'), async () => {
    const manifest = (await manifestsOf(`rbac-${what}.yaml`)).find(({ kind }) => kind === 'ClusterRole');
    const chart = await chartObjects({ [what]: { writeAccess: true } });
    const name = `healthdns-${what}`;
    const granted = chart.find(({ kind, metadata }) => kind === 'ClusterRole' && metadata.name === name);
    assert.ok(manifest !== undefined);
    assert.deepEqual(granted?.rules, manifest.rules);
  });
}

test('the chart runs the same pods behind the same Service as deploy/healthdns.yaml', requirement('helm'), async () => {
  const [manifest, chart] = [await manifestsOf('healthdns.yaml'), await chartObjects()];
  const podSpec = (objects: Manifest[]) => {
    const { containers, ...spec } = ofKind(objects, 'Deployment').spec.template.spec;
    const [{ imagePullPolicy, ...container }] = containers;
    return { ...spec, container };
  };
  assert.deepEqual(podSpec(chart), podSpec(manifest));
  assert.deepEqual(ofKind(chart, 'Service').spec, ofKind(manifest, 'Service').spec);
  assert.deepEqual(ofKind(chart, 'NetworkPolicy').spec, ofKind(manifest, 'NetworkPolicy').spec);
  assert.deepEqual(ofKind(chart, 'PodDisruptionBudget').spec, ofKind(manifest, 'PodDisruptionBudget').spec);
});

test('no port but DNS and the safe one is published or reachable, and the snapshot is on a volume', async () => {
  const objects = await manifestsOf('healthdns.yaml');
  const { spec } = ofKind(objects, 'Deployment').spec.template;
  const [{ ports, volumeMounts }] = spec.containers;
  const isOpen = (port: { containerPort?: number; port?: number }) => port.containerPort ?? port.port;
  const policy = ofKind(objects, 'NetworkPolicy').spec.ingress.flatMap((rule: { ports: object[] }) => rule.ports);
  for (const open of [ports, ofKind(objects, 'Service').spec.ports, policy])
    assert.deepEqual(open.map(isOpen), [53, 53, 8053]);
  const { admin, zones } = parse(ofKind(objects, 'ConfigMap').data['zones.yaml']);
  assert.match(admin, /^127\.0\.0\.1:/);
  const [volume] = spec.volumes.filter(({ name }: { name: string }) => name === 'state');
  assert.deepEqual(volume.emptyDir, {});
  const { mountPath } = volumeMounts.find(({ name }: { name: string }) => name === 'state');
  assert.ok(zones[0].kubernetes.snapshot.file.startsWith(`${mountPath}/`));
});

test('pods run without privileges', async () => {
  const { spec } = ofKind(await manifestsOf('healthdns.yaml'), 'Deployment').spec.template;
  assert.equal(spec.securityContext.runAsNonRoot, true);
  const [{ securityContext }] = spec.containers;
  assert.deepEqual(securityContext, {
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ['ALL'] },
  });
});

test(
  'a fixed address, a DaemonSet and a ServiceMonitor are available as chart values',
  requirement('helm'),
  async () => {
    const objects = await chartObjects({
      kind: 'DaemonSet',
      'service.clusterIP': '10.96.0.53',
      serviceMonitor: { enabled: true, interval: '10s', labels: { release: 'prometheus' } },
    });
    assert.equal(ofKind(objects, 'Service').spec.clusterIP, '10.96.0.53');
    assert.deepEqual(
      ['DaemonSet', 'Deployment', 'PodDisruptionBudget'].map((kind) => ofKind(objects, kind) !== undefined),
      [true, false, false],
    );
    const { metadata, spec } = ofKind(objects, 'ServiceMonitor');
    assert.deepEqual([metadata.labels.release, spec.endpoints[0].path], ['prometheus', '/metrics']);
    assert.deepEqual(Object.keys(spec.selector.matchLabels), ['k8s-app']);
    assert.equal(ofKind(objects, 'Service').metadata.labels['k8s-app'], 'healthdns');
  },
);

test('in place of CoreDNS, the Service is the one that clients and monitoring know', requirement('helm'), async (t) => {
  await assert.rejects(chartObjects({ shape: 'replace' }), /needs service\.clusterIP/);
  const objects = await chartObjects({ shape: 'replace', 'service.clusterIP': '10.96.0.10' });
  const { metadata, spec } = ofKind(objects, 'Service');
  assert.deepEqual([metadata.name, metadata.labels['k8s-app'], spec.clusterIP], ['kube-dns', 'kube-dns', '10.96.0.10']);
  assert.equal(metadata.annotations['helm.sh/resource-policy'], 'keep');
  const metrics = spec.ports.find(({ name }: { name: string }) => name === 'metrics');
  assert.deepEqual([metrics.port, metrics.targetPort], [9153, 'http']);
  assert.equal(parse(ofKind(objects, 'ConfigMap').data['zones.yaml']).metrics, 'coredns');
  assert.deepEqual(spec.selector, ofKind(objects, 'Deployment').spec.selector.matchLabels);
  await checked(t, objects);
});

test('on every node, the chart runs a cache at an address of the node', requirement('helm'), async (t) => {
  await assert.rejects(chartObjects({ shape: 'node-local' }), /needs nodeLocal\.upstream/);
  const nodeLocal = { upstream: '10.96.0.53', addresses: ['169.254.20.10', 'fd00::10'] };
  const objects = await chartObjects({ shape: 'node-local', nodeLocal });
  const file = join(await temporaryFolder(t), 'node.yaml');
  await writeFile(file, ofKind(objects, 'ConfigMap').data['node.yaml']);
  const loaded = await loadNodeConfig(file);
  assert.ok(loaded.ok, JSON.stringify(loaded));
  assert.deepEqual(
    loaded.config.listen.map(({ address }) => address),
    nodeLocal.addresses,
  );
  assert.deepEqual(loaded.config.replicas.push, [{ address: '10.96.0.53', port: 853 }]);
  const { spec } = ofKind(objects, 'DaemonSet').spec.template;
  assert.equal(spec.hostNetwork, true);
  assert.match(spec.initContainers[0].command[2], /ip addr add fd00::10\/128 dev healthdns0/);
  for (const kind of ['Service', 'Deployment', 'ClusterRole', 'PodDisruptionBudget'])
    assert.equal(ofKind(objects, kind), undefined, kind);
});

test('the chart takes every key of node.yaml that it does not write itself', requirement('helm'), async (t) => {
  const config = {
    ...{ logLevel: 'warn', hold: { unusedSeconds: 600, rrsets: 2_000 }, server: { lameduckSeconds: 1 } },
    ...{ limits: { tcpConnections: 100 }, cache: { maxEntries: 500 }, hosts: { ttlSeconds: 5 } },
    ...{ templates: [{ zone: 'a.test' }], dns64: true },
    ...{ rebindingFilter: true, loopDetection: true, loadbalance: false, acl: [{ action: 'block' }] },
    ...{ rewrite: [{ from: 'a.test', to: 'b.test' }], nsid: 'node', queryLog: {} },
  };
  const written = ['listen', 'http', 'zones', 'replicas', 'forward'];
  assert.deepEqual([...written, ...Object.keys(config)].sort(), Object.keys(nodeJsonSchema().properties ?? {}).sort());
  const values = { shape: 'node-local', 'nodeLocal.upstream': '10.96.0.53', config };
  const file = join(await temporaryFolder(t), 'node.yaml');
  await writeFile(file, ofKind(await chartObjects(values), 'ConfigMap').data['node.yaml']);
  const loaded = await loadNodeConfig(file);
  assert.ok(loaded.ok, JSON.stringify(loaded));
  assert.deepEqual([loaded.config.hold.unusedSeconds, loaded.config.hold.rrsets], [600, 2_000]);
  await assert.rejects(chartObjects({ 'config.hold': { unusedSeconds: 5 } }), /config\.hold: only the agent/);
});

test('volumes, spread, autoscaling and a PodMonitor are available as chart values', requirement('helm'), async () => {
  const extraVolumes = [{ name: 'zones', configMap: { name: 'zone-files' } }];
  const extraVolumeMounts = [{ name: 'zones', mountPath: '/zones' }];
  const spread = { maxSkew: 1, topologyKey: 'zone', whenUnsatisfiable: 'DoNotSchedule' };
  const objects = await chartObjects({
    ...{ extraVolumes, extraVolumeMounts, topologySpreadConstraints: [spread] },
    ...{ autoscaling: { enabled: true, maxReplicas: 5 }, podMonitor: { enabled: true } },
  });
  const { replicas, template } = ofKind(objects, 'Deployment').spec;
  assert.equal(replicas, undefined);
  assert.deepEqual(template.spec.topologySpreadConstraints, [spread]);
  assert.deepEqual(template.spec.volumes.at(-1), extraVolumes[0]);
  assert.deepEqual(template.spec.containers[0].volumeMounts.at(-1), extraVolumeMounts[0]);
  assert.equal(ofKind(objects, 'HorizontalPodAutoscaler').spec.maxReplicas, 5);
  assert.equal(ofKind(objects, 'PodMonitor').spec.podMetricsEndpoints[0].path, '/metrics');
});

const MIB = /^(\d+)Mi$/;

test(
  'the memory limit is the formula of docs/install.md for the cluster in `sizing`',
  requirement('helm'),
  async () => {
    const page = await readFile('docs/install.md', 'utf8');
    const formula = /^ {4}(\d+) MiB \+ (\d+) KiB × Pods \+ (\d+) KiB × \(Services \+ namespaces\)$/m.exec(page);
    const [base, perPod, perName] = formula!.slice(1).map(Number) as [number, number, number];
    const unread = Number(/(\d+) KiB for each\s+TCP connection whose client does not read/.exec(page)![1]);
    const limit = async (values: object) => {
      const { resources } = ofKind(await chartObjects(values), 'Deployment').spec.template.spec.containers[0];
      return Number(MIB.exec(resources.limits.memory)![1]);
    };
    for (const [pods, services, namespaces, unreadConnections] of [
      [100_000, 10_000, 1_000, 700],
      [500, 100, 20, 0],
      [1_000_000, 50_000, 5_000, 1_000],
    ] as const) {
      const needed = base + (perPod * pods + perName * (services + namespaces) + unread * unreadConnections) / 1024;
      const given = await limit({ sizing: { pods, services, namespaces, unreadConnections } });
      assert.ok(given >= needed && given < needed + 32, `${given} MiB for ${needed}`);
    }
    assert.equal(await limit({}), 512);
    assert.ok((await limit({ threads: 2 })) > 512);
    assert.equal(await limit({ 'resources.limits.memory': '1000Mi' }), 1000);
  },
);

test('a typo in what becomes zones.yaml is rejected with its key', requirement('helm'), async () => {
  await assert.rejects(chartObjects({ 'kubernetes.pod': 'verified' }), /pod\b/);
  await assert.rejects(chartObjects({ zones: [{ name: 'a.local', recods: [] }] }), /recods/);
  await assert.rejects(chartObjects({ 'config.cache': { maxEntires: 5 } }), /maxEntires/);
});

test('a typo in an object of Kubernetes is rejected with its key or place', requirement('helm'), async () => {
  const cases: readonly (readonly [object, RegExp])[] = [
    [{ 'resources.limit': { memory: '1Gi' } }, /resources.*'limit' not allowed/s],
    [{ 'resources.limits': { memory: '512 MB' } }, /resources\/limits\/memory/],
    [{ tolerations: [{ ky: 'a' }] }, /tolerations\/0.*'ky'/s],
    [{ 'affinity.nodeAfinity': {} }, /affinity.*'nodeAfinity'/s],
    [{ topologySpreadConstraints: [{ maxSkw: 1 }] }, /topologySpreadConstraints\/0.*'maxSkw'/s],
    [{ extraVolumes: [{ nam: 'zones', emptyDir: {} }] }, /extraVolumes\/0.*name/s],
    [{ extraVolumeMounts: [{ name: 'zones', mountpath: '/zones' }] }, /extraVolumeMounts\/0.*mountPath/s],
    [{ 'podDisruptionBudget.maxUnavailble': 1 }, /podDisruptionBudget.*'maxUnavailble'/s],
    [{ 'networkPolicy.metricsFrom': [{ podSelectr: {} }] }, /metricsFrom\/0.*'podSelectr'/s],
    [{ 'serviceMonitor.relabelings': [{ targetLable: 'job' }] }, /relabelings\/0.*'targetLable'/s],
    [{ 'prometheusRule.disabled': ['HealthdnsDwn'] }, /disabled\/0/],
    [{ podAnnotations: { restarted: true } }, /podAnnotations\/restarted/],
    [{ forward: ['dns.example'] }, /forward\/0/],
    [{ 'service.clusterIP': '10.96.0.300' }, /clusterIP/],
    [{ clusterDomain: 'cluster local' }, /clusterDomain/],
    [{ threads: 'two' }, /threads/],
  ];
  for (const [values, message] of cases) await assert.rejects(chartObjects(values), message, JSON.stringify(values));
});

test('what Kubernetes permits is accepted as a chart value', requirement('helm'), async () => {
  const objects = await chartObjects({
    'resources.limits': { memory: '1.5Gi', cpu: 2, 'hugepages-2Mi': '4Mi' },
    tolerations: [{ operator: 'Exists' }],
    affinity: { podAntiAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [] } },
    forward: ['192.0.2.53', '192.0.2.53:5353', '2001:db8::53', '[2001:db8::53]:53', 'tls://192.0.2.53%dns.example:853'],
    'podDisruptionBudget.minAvailable': '50%',
    'networkPolicy.metricsFrom': [{ ipBlock: { cidr: '192.0.2.0/24' } }],
    threads: 2,
  });
  const { minAvailable, maxUnavailable } = ofKind(objects, 'PodDisruptionBudget').spec;
  assert.deepEqual([minAvailable, maxUnavailable], ['50%', undefined]);
});

test('after the installation helm says what each shape has become', requirement('helm'), async (t) => {
  const notesOf = async (values?: object) => notesOfChart(join(await temporaryFolder(t), 'chart'), values);
  assert.match(
    await notesOf(),
    /serves cluster\.local\.\n\nAddress: .* get service healthdns\n.*No client uses it yet/s,
  );
  const replace = await notesOf({ shape: 'replace', 'service.clusterIP': '10.96.0.10' });
  assert.match(
    replace,
    /the Service kube-dns, 10\.96\.0\.10, selects its pods.*exec deployment\/healthdns -- healthdns explain/s,
  );
  const nodeLocal = await notesOf({ shape: 'node-local', 'nodeLocal.upstream': '10.96.0.53' });
  assert.match(
    nodeLocal,
    /on every node, at 169\.254\.20\.10, what 10\.96\.0\.53 answers, and subscribes.*exec daemonset\/healthdns/s,
  );
});

test('pods are not restarted for a change of the configuration, which is reloaded', requirement('helm'), async () => {
  const template = async (values: object) => ofKind(await chartObjects(values), 'Deployment').spec.template;
  assert.deepEqual(await template({ forward: ['192.0.2.53'], zones: [{ name: 'a.local' }] }), await template({}));
});

test('helm lint reports nothing, and unknown values are rejected', requirement('helm'), async () => {
  assert.match(await lintChart(), /0 chart\(s\) failed/);
  await assert.rejects(chartObjects({ 'config.listen': ['0.0.0.0:5353'] }), /config/);
  await assert.rejects(chartObjects({ replica: 3 }), /replica/);
  await assert.rejects(chartObjects({ kind: 'StatefulSet' }), /kind/);
  await assert.rejects(chartObjects({ 'sizing.pod': 5 }), /sizing[\s\S]*pod/);
  await assert.rejects(chartObjects({ threads: 'many' }), /threads/);
  await assert.rejects(chartObjects({ 'podMonitor.interval': '30 s' }), /podMonitor\/interval/);
});
