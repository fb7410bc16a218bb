// `cloudMap`: the AWS Cloud Map API on the HTTP address, its store, and the clusters whose pods are ECS tasks.
import { access } from 'node:fs/promises';
import { resolve } from 'node:path';
import * as v from 'valibot';
import { type Path, type Reporter, show, shown } from '../../reading/problem.ts';
import { choice, expecting, flag, integer, list, mapping, oneOrMany, text, whichever } from '../../reading/shape.ts';
import type { Soundness } from '../../reading/validate.ts';
import type { CloudMapConfig, CloudMapStore, ListenAddress, TaskCluster } from '../config.ts';
import { buildCloudMapChecks, checkCloudMapChecks, cloudMapChecksEntry } from './cloud-map-checks.ts';
import type { ClusterNames } from './cluster-names.ts';
import { checkKubeconfig } from './kubeconfig.ts';
import { snapshotEntry } from './kubernetes.ts';
import { isLoopback } from './listen.ts';
import { domainName, label } from './names.ts';
import { policyEntries, zonePolicy } from './policy.ts';

const path = (description: string) =>
  text('a path', description, (value) =>
    value === '' || value.includes('\0') ? `expected a path, got ${show(value)}` : undefined,
  );

const cluster = {
  kubeconfig: v.optional(
    path(
      'Path of a kubeconfig, relative to this file. Default: the service account when running in a pod, else KUBECONFIG or ~/.kube/config.',
    ),
  ),
  context: v.optional(text('a context name', 'A context of the kubeconfig; default: its current-context.')),
};

const keySchema = mapping(
  {
    accessKeyId: matching(
      /^[A-Za-z0-9_-]{1,128}$/,
      'an access key id of letters, digits, _ and -',
      'The access key id that clients send.',
    ),
    secretAccessKey: v.optional(text('a secret', 'The secret. Prefer secretAccessKeyFile.')),
    secretAccessKeyFile: v.optional(path('File that contains the secret; relative to this file.')),
  },
  'A key for signing writes.',
);

const storeSchema = mapping(
  {
    path: v.optional(path('Directory of an embedded database; relative to this file, created if missing.')),
    kubernetes: v.optional(
      mapping(
        {
          ...cluster,
          namespace: label('a namespace', 'Kubernetes namespace for the Services, EndpointSlices and ConfigMaps.'),
          legacyEndpoints: v.optional(flag('Also write Endpoints objects.'), false),
          snapshot: snapshotEntry,
        },
        'Stores registrations in the API server: headless Services, their EndpointSlices, and one ConfigMap per namespace.',
      ),
    ),
  },
  'A directory or a cluster.',
);

const tasksSchema = mapping(
  {
    ...cluster,
    namespaces: v.optional(list(label('a namespace', 'A namespace.'), 'Only these namespaces; empty means all.'), []),
  },
  "A cluster. {} in a pod: the pod's own cluster. Default: the cluster of the store.",
);

const { maxAnswers: _maxAnswers, routing: _routing, ...servicePolicies } = policyEntries;

const cloudMapSchema = mapping(
  {
    writes: v.optional(
      choice(
        ['off', 'loopback', 'signed'],
        'Who may write: nobody, anyone who can reach the loopback address of `http`, or requests signed with a key.',
      ),
      'off',
    ),
    keys: v.optional(list(keySchema, 'Keys for `writes: signed`.'), []),
    region: v.optional(matching(/^[a-z0-9-]{1,64}$/, 'a region such as us-east-1', 'Region in ARNs.'), 'us-east-1'),
    account: v.optional(matching(/^[0-9]{12}$/, 'twelve digits in quotes', 'Account in ARNs.'), '000000000000'),
    store: v.optional(
      v.pipe(
        whichever(
          (input) => typeof input === 'string',
          v.literal('memory', expecting('memory, or a mapping with path or kubernetes')),
          storeSchema,
        ),
        v.description('Where registrations are stored; memory: lost when the process ends.'),
      ),
    ),
    namespaces: v.optional(
      list(
        domainName('a suffix such as shop.local', 'A suffix.'),
        'Suffixes that names of DNS namespaces must have. Default: any name that is not a public suffix (such as com), a single label (other than internal) or a reserved name (such as 10.in-addr.arpa), and does not overlap a configured zone.',
      ),
    ),
    tasks: v.optional(oneOrMany(tasksSchema, 'Clusters in which pods with KECS or ECS labels are tasks.')),
    policy: v.optional(
      mapping(
        servicePolicies,
        'Policy of Cloud Map services; routing and the number of answers follow the DnsConfig of each service.',
      ),
      {},
    ),
    healthCheckIntervalSeconds: v.optional(
      integer(5, 300, 'Seconds between checks of services with HealthCheckConfig.'),
      30,
    ),
    healthChecks: cloudMapChecksEntry,
    limits: v.optional(
      mapping(
        {
          namespaces: v.optional(integer(1, 10_000, 'Maximum number of namespaces.'), 1000),
          servicesPerNamespace: v.optional(integer(1, 100_000, 'Maximum number of services per namespace.'), 10_000),
          instancesPerService: v.optional(
            integer(1, 100_000, 'Maximum number of registered instances per service.'),
            1000,
          ),
        },
        'Limits; beyond them the API returns ResourceLimitExceeded.',
      ),
      {},
    ),
  },
  'The AWS Cloud Map API, and ECS tasks. Both are disabled without this key; {} uses the defaults.',
);

export const cloudMapEntry = v.optional(cloudMapSchema);

export type CloudMapInput = v.InferOutput<typeof cloudMapSchema>;

function matching(pattern: RegExp, expected: string, description: string) {
  return text(expected, description, (value) =>
    pattern.test(value) ? undefined : `expected ${expected}, got ${show(value)}`,
  );
}

/** `http` is undefined if it is disabled or invalid. */
export async function checkCloudMap(
  input: CloudMapInput,
  http: ListenAddress | undefined,
  folder: string,
  soundness: Soundness,
  reporter: Reporter,
): Promise<void> {
  const at = (...below: Path): Path => ['cloudMap', ...below];
  if (!soundness.isContainer(at())) return;
  if (soundness.isSound(at('keys'))) await checkKeys(input, folder, reporter);
  if (soundness.isSound(at('store'))) checkStore(input, reporter);
  await checkClusters(input, folder, soundness, reporter);
  if (soundness.isContainer(at('healthChecks'))) checkCloudMapChecks(input.healthChecks, soundness, reporter);
  if (!soundness.isSound(at('writes'))) return;
  if (input.writes === 'signed' && soundness.isSound(at('keys')) && input.keys.length === 0)
    reporter.problem(at('writes'), '`writes: signed` needs a key in `keys`');
  if (input.writes === 'loopback' && http !== undefined && !isLoopback(http.address))
    reporter.problem(
      at('writes'),
      `\`writes: loopback\` would allow everyone who can reach ${http.address} to write: use a loopback address for \`http\`, or \`writes: signed\``,
    );
}

/** Those of the store and of the tasks. */
async function checkClusters(
  { store, tasks }: CloudMapInput,
  folder: string,
  soundness: Soundness,
  reporter: Reporter,
): Promise<void> {
  const inStore: Path = ['cloudMap', 'store', 'kubernetes'];
  if (soundness.isSound(inStore) && typeof store === 'object' && store.kubernetes !== undefined)
    await checkKubeconfig(store.kubernetes, inStore, folder, reporter);
  const path: Path = ['cloudMap', 'tasks'];
  if (tasks === undefined || !soundness.isSound(path)) return;
  for (const [i, one] of [tasks].flat().entries())
    await checkKubeconfig(one, Array.isArray(tasks) ? [...path, i] : path, folder, reporter);
}

async function checkKeys({ keys }: CloudMapInput, folder: string, reporter: Reporter): Promise<void> {
  const seen = new Set<string>();
  for (const [i, key] of keys.entries()) {
    const path = ['cloudMap', 'keys', i];
    if (seen.has(key.accessKeyId)) reporter.problem(path, `duplicate key ${shown(key.accessKeyId)}`);
    seen.add(key.accessKeyId);
    const secrets = [key.secretAccessKey, key.secretAccessKeyFile].filter((secret) => secret !== undefined);
    if (secrets.length !== 1)
      reporter.problem(path, `key ${shown(key.accessKeyId)} needs either secretAccessKey or secretAccessKeyFile`);
    if (key.secretAccessKeyFile === undefined) continue;
    const file = resolve(folder, key.secretAccessKeyFile);
    const readable = await access(file).then(
      () => true,
      () => false,
    );
    if (!readable) reporter.warning([...path, 'secretAccessKeyFile'], `${shown(file)} cannot be read`);
  }
}

function checkStore({ store, writes }: CloudMapInput, reporter: Reporter): void {
  if (store === undefined) {
    if (writes !== 'off')
      reporter.problem(
        ['cloudMap'],
        '`store` is missing: configure where registrations are stored, such as `store: { path: ./cloudmap }`',
      );
    return;
  }
  if (store === 'memory') return;
  const kinds = [store.path, store.kubernetes].filter((kind) => kind !== undefined);
  if (kinds.length !== 1) reporter.problem(['cloudMap', 'store'], '`store`: expected path or kubernetes, one of them');
}

/** `clusters` assigns labels to clusters, as for those of zones. */
export function buildCloudMap(input: CloudMapInput, folder: string, clusters: ClusterNames): CloudMapConfig {
  const store = buildStore(input.store ?? 'memory', folder, clusters);
  const tasks = input.tasks === undefined ? defaultTasks(store) : [input.tasks].flat();
  return {
    writes: input.writes,
    keys: input.keys.map(({ accessKeyId, secretAccessKey, secretAccessKeyFile }) => ({
      accessKeyId,
      secretAccessKey,
      secretAccessKeyFile: secretAccessKeyFile && resolve(folder, secretAccessKeyFile),
    })),
    region: input.region,
    account: input.account,
    store,
    ...(input.namespaces && { namespaces: input.namespaces }),
    tasks: tasks.map((one) => buildTasks(one, folder, clusters)),
    policy: zonePolicy(input.policy),
    healthCheckIntervalSeconds: input.healthCheckIntervalSeconds,
    healthChecks: buildCloudMapChecks(input.healthChecks),
    limits: input.limits,
  };
}

type ClusterInput = { readonly kubeconfig?: string; readonly context?: string };

function buildStore(store: NonNullable<CloudMapInput['store']>, folder: string, clusters: ClusterNames): CloudMapStore {
  if (store === 'memory') return { kind: 'memory' };
  const { kubernetes } = store;
  if (kubernetes === undefined) return { kind: 'folder', path: resolve(folder, store.path ?? '') };
  return {
    kind: 'kubernetes',
    ...clusterOf(kubernetes, folder, clusters),
    namespace: kubernetes.namespace.toLowerCase(),
    legacyEndpoints: kubernetes.legacyEndpoints,
    ...(kubernetes.snapshot && {
      snapshot: { ...kubernetes.snapshot, file: resolve(folder, kubernetes.snapshot.file) },
    }),
  };
}

function defaultTasks(store: CloudMapStore): readonly (ClusterInput & { readonly namespaces: readonly string[] })[] {
  return store.kind === 'kubernetes' ? [{ ...store, namespaces: [] }] : [];
}

function buildTasks(
  input: ClusterInput & { readonly namespaces: readonly string[] },
  folder: string,
  clusters: ClusterNames,
): TaskCluster {
  const cluster = clusterOf(input, folder, clusters);
  return {
    ...cluster,
    name: clusters.source(`ecs/${cluster.label}`),
    namespaces: input.namespaces.map((name) => name.toLowerCase()),
  };
}

function clusterOf({ kubeconfig, context }: ClusterInput, folder: string, clusters: ClusterNames) {
  const file = kubeconfig === undefined ? undefined : resolve(folder, kubeconfig);
  return { kubeconfig: file, context, label: clusters.label(file, context) };
}
