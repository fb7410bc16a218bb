// The chart's shapes and options, and combinations of them such that any three options meet with all their values.

/** Values as `--set-json` takes them: paths with dots. */
export type Values = Readonly<Record<string, unknown>>;

interface Shape {
  /** What it cannot do without. */
  readonly needs: Values;
  /** Beginnings of the values that it refuses. */
  readonly refuses: readonly string[];
}

export const SHAPES: Readonly<Record<string, Shape>> = {
  beside: { needs: {}, refuses: [] },
  replace: { needs: { shape: 'replace', 'service.clusterIP': '10.96.0.10' }, refuses: [] },
  'node-local': {
    needs: { shape: 'node-local', 'nodeLocal.upstream': '10.96.0.53' },
    refuses: [
      'autoscaling',
      'proportional',
      'serviceMonitor',
      'cloudMap',
      'ecs',
      'drain',
      'events',
      'zones',
      'config.push',
    ],
  },
};

/** Namespaces that objects of these values are made in, beside the release's. */
export const NAMESPACES_OF_OPTIONS = ['registrations', 'tasks', 'monitoring'];

const LONG_NAME = `${'a-rather-long-name-'.repeat(4)}of.a.secret`;

/** Each option's values, the default first. */
export const OPTIONS: Readonly<Record<string, readonly Values[]>> = {
  workload: [
    {},
    { kind: 'DaemonSet' },
    { replicas: 5 },
    { 'autoscaling.enabled': true },
    { 'proportional.enabled': true },
  ],
  names: [{}, { fullnameOverride: 'dns-of-chart' }, { nameOverride: 'resolver' }],
  image: [
    {},
    { 'image.repository': 'registry.test/healthdns', 'image.tag': 'sha-1', imagePullSecrets: [{ name: 'registry' }] },
  ],
  service: [
    {},
    { 'service.ipFamilyPolicy': 'SingleStack', 'service.annotations': { 'example.org/owner': 'dns' } },
    { 'service.name': 'cluster-dns', 'service.ipFamilyPolicy': 'RequireDualStack' },
  ],
  account: [
    {},
    { 'serviceAccount.name': 'resolver' },
    { 'serviceAccount.create': false, 'serviceAccount.name': 'existing' },
    { 'serviceAccount.create': false },
  ],
  rbac: [{}, { 'rbac.create': false }],
  cloudMap: [{}, { 'cloudMap.writeAccess': true, 'cloudMap.namespace': 'registrations' }],
  ecs: [{}, { 'ecs.writeAccess': true, 'ecs.namespace': 'tasks' }],
  drain: [{}, { 'drain.writeAccess': true }],
  events: [{}, { 'events.writeAccess': true }],
  volumes: [
    {},
    { secrets: ['keys', 'keys.of.cloud-map', LONG_NAME, `${LONG_NAME}s`] },
    {
      extraVolumes: [{ name: 'zones', configMap: { name: 'zone-files' } }],
      extraVolumeMounts: [{ name: 'zones', mountPath: '/zones', readOnly: true }],
    },
  ],
  scheduling: [
    {},
    { priorityClassName: '', nodeSelector: null, tolerations: [] },
    {
      affinity: { podAntiAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [] } },
      topologySpreadConstraints: [{ maxSkew: 1, topologyKey: 'zone', whenUnsatisfiable: 'DoNotSchedule' }],
    },
  ],
  pod: [
    {},
    { podAnnotations: { 'example.org/a': 'b' }, podLabels: { team: 'dns' }, threads: 2, resources: null },
    { 'sizing.pods': 5000 },
  ],
  disruption: [{}, { 'podDisruptionBudget.minAvailable': 1 }, { 'podDisruptionBudget.maxUnavailable': '25%' }],
  network: [
    {},
    { 'networkPolicy.enabled': false },
    { 'networkPolicy.metricsFrom': [{ namespaceSelector: { matchLabels: { name: 'monitoring' } } }] },
  ],
  monitors: [
    {},
    { 'serviceMonitor.enabled': true, 'serviceMonitor.labels': { release: 'prometheus' } },
    { 'podMonitor.enabled': true, 'podMonitor.relabelings': [{ targetLabel: 'job', replacement: 'coredns' }] },
  ],
  rules: [
    {},
    { 'prometheusRule.enabled': true },
    {
      'prometheusRule.enabled': true,
      'prometheusRule.disabled': ['HealthdnsServiceUnanswered'],
      'prometheusRule.alertLabels': { team: 'dns' },
    },
  ],
  dashboard: [{}, { 'dashboard.enabled': true }, { 'dashboard.enabled': true, 'dashboard.namespace': 'monitoring' }],
  zones: [
    {},
    { forward: [], clusterDomain: 'k8s.example' },
    {
      forward: ['192.0.2.53'],
      kubernetes: { pods: 'verified', snapshot: null },
      config: { limits: { tcpConnections: 50 } },
    },
  ],
  push: [{}, { 'config.push': { listen: '0.0.0.0:853', plaintext: true } }],
  ownZones: [
    {},
    {
      zones: [{ name: 'production.local', records: [{ name: 'www', type: 'A', value: '192.0.2.1' }] }],
      config: { limits: { tcpConnections: 60 }, metrics: 'coredns' },
    },
  ],
  authority: [{}, { 'nodeLocal.caSecret': 'push-authority', 'nodeLocal.serverName': 'push.example.org' }],
};

export interface Combination {
  /** The shape and what is set. */
  readonly name: string;
  readonly shape: string;
  readonly values: Values;
}

/** For each shape the rows of `coveringRows`, with the shape's values. */
export function combinations(strength: number): Combination[] {
  return Object.entries(SHAPES).flatMap(([shape, { needs, refuses }]) => {
    const taken = (values: Values) => !Object.keys(values).some((key) => refuses.some((word) => key.startsWith(word)));
    const options = Object.entries(OPTIONS)
      .map(([name, all]) => ({ name, all: all.filter(taken) }))
      .filter(({ all }) => all.length > 1);
    const rows = coveringRows(
      options.map(({ all }) => all.length),
      strength,
    );
    return rows.map((row) => {
      const chosenValues = row.map((value, i) => options[i]!.all[value]!);
      const words = chosenValues.flatMap((values) => Object.keys(values));
      return { shape, name: [shape, ...words].join(', '), values: Object.assign({}, ...chosenValues, needs) };
    });
  });
}

/**
 * Rows of one value for each option (0 … sizes[i] - 1) in which every tuple of `strength` options has each combination of its values.
 * Greedy: each row is begun with a tuple that is missing, and filled with the values that add most.
 */
export function coveringRows(sizes: readonly number[], strength: number): number[][] {
  const missing = new Map<string, Tuple>();
  for (const options of chosen(sizes.length, strength))
    for (const values of product(options.map((option) => sizes[option]!)))
      missing.set(`${options}=${values}`, { options, values });
  const rows: number[][] = [];
  for (const tuple of missing.values()) rows.push(filled(tuple, sizes, strength, missing));
  return rows;
}

interface Tuple {
  readonly options: readonly number[];
  readonly values: readonly number[];
}

/** A row with this tuple; what it covers is no longer missing. */
function filled(tuple: Tuple, sizes: readonly number[], strength: number, missing: Map<string, Tuple>): number[] {
  const row = sizes.map(() => -1);
  tuple.options.forEach((option, i) => {
    row[option] = tuple.values[i]!;
  });
  const known = () => row.flatMap((value, option) => (value < 0 ? [] : [option]));
  for (const [option, size] of sizes.entries()) {
    if (row[option] !== -1) continue;
    const others = known();
    const groups = [...chosen(others.length, strength - 1)].map((group) => group.map((i) => others[i]!));
    const gain = Array.from({ length: size }, (_, value) => {
      row[option] = value;
      return groups.filter((group) => missing.has(keyOf([...group, option], row))).length;
    });
    row[option] = gain.indexOf(Math.max(...gain));
  }
  for (const options of chosen(sizes.length, strength)) missing.delete(keyOf(options, row));
  return row;
}

function keyOf(options: readonly number[], row: readonly number[]): string {
  const sorted = [...options].sort((a, b) => a - b);
  return `${sorted}=${sorted.map((option) => row[option])}`;
}

/** Every choice of `count` of the numbers below `of`, ascending. */
function* chosen(of: number, count: number, from = 0): Generator<number[]> {
  if (count === 0) yield [];
  else for (let i = from; i <= of - count; i++) for (const rest of chosen(of, count - 1, i + 1)) yield [i, ...rest];
}

function* product(sizes: readonly number[]): Generator<number[]> {
  if (sizes.length === 0) yield [];
  else for (let i = 0; i < sizes[0]!; i++) for (const rest of product(sizes.slice(1))) yield [i, ...rest];
}
