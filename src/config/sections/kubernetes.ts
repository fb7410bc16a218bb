// `kubernetes`: the clusters of a zone. Options are named after those of CoreDNS's `kubernetes` plugin.
import { resolve } from 'node:path';
import * as v from 'valibot';
import { type Path, type Reporter, show } from '../../reading/problem.ts';
import {
  choice,
  expecting,
  flag,
  integer,
  list,
  mapping,
  oneOrMany,
  text,
  ttlSeconds,
  whichever,
} from '../../reading/shape.ts';
import type { KubernetesConfig } from '../config.ts';
import type { ClusterNames } from './cluster-names.ts';
import { checkKubeconfig } from './kubeconfig.ts';
import { absoluteName, domainName, label } from './names.ts';

const path = (description: string) =>
  text('a path', description, (value) =>
    value === '' || value.includes('\0') ? `expected a path, got ${show(value)}` : undefined,
  );

/** A snapshot on disk: of a cluster, or of the Cloud Map store in one. */
export const snapshotEntry = v.optional(
  mapping(
    {
      file: path('Path of the snapshot, relative to this file; written as the cluster changes.'),
      maxAgeSeconds: v.optional(integer(1, 31_536_000, 'Maximum age of a snapshot that is served.'), 86_400),
    },
    'Last known good data on disk, served with EDE 3 after a restart while the API server is unreachable.',
  ),
);

const kubernetesSchema = mapping(
  {
    kubeconfig: v.optional(
      path(
        'Path of a kubeconfig, relative to this file. Default: the service account when running in a pod, else KUBECONFIG or ~/.kube/config.',
      ),
    ),
    context: v.optional(text('a context name', 'A context of the kubeconfig; default: its current-context.')),
    ttlSeconds: v.optional(ttlSeconds("TTL of the cluster's names; default: the zone's.")),
    pods: v.optional(
      choice(
        ['disabled', 'insecure', 'verified'],
        'Names of the form 10-0-0-7.NAMESPACE.pod: none, for any address, or only for addresses of existing pods.',
      ),
      'disabled',
    ),
    namespaces: v.optional(list(label('a namespace', 'A namespace.'), 'Only these namespaces; empty means all.'), []),
    namespaceLabels: v.optional(selector('Only namespaces with these labels.')),
    labels: v.optional(selector('Only services and endpoints with these labels.')),
    ignoreEmptyService: v.optional(
      flag('NXDOMAIN for services without ready endpoints, so that another zone or source may answer.'),
      false,
    ),
    fallthrough: v.optional(
      v.pipe(
        whichever(
          (input) => typeof input === 'boolean',
          v.boolean(expecting('true, false or a list of zones')),
          list(domainName('a zone', 'A zone.'), 'Only for names in these zones.'),
        ),
        v.description(
          'Forward names that do not exist instead of answering NXDOMAIN: true, or only in these zones. It also governs the reverse zones of the cluster.',
        ),
      ),
      false,
    ),
    endpointPodNames: v.optional(flag('Name endpoints after their pods instead of their dashed addresses.'), false),
    merge: v.optional(
      flag(
        'Headless services share their names with headless services of other clusters of the zone that also have `merge`. Otherwise the first cluster in the list that has a service keeps its name.',
      ),
      false,
    ),
    multicluster: v.optional(
      flag(
        'Serve ServiceImports (Multi-Cluster Services API) instead of Services, for a zone such as clusterset.local.',
      ),
      false,
    ),
    externalAddresses: v.optional(
      flag(
        'Serve the external addresses of Services (externalIPs, and addresses or host names of load balancers), for a zone of its own; `names` is ["{service}.{namespace}"] by default.',
      ),
      false,
    ),
    staleAfterSeconds: v.optional(
      integer(
        0,
        31_536_000,
        'Answers carry EDE 3 while the API server has not confirmed the data for longer than this; 0 disables.',
      ),
      60,
    ),
    snapshot: snapshotEntry,
    events: v.optional(
      flag(
        'Create Events on Pods that health leaves out and on Services that have nothing to answer, at most one a minute for each; needs deploy/rbac-events.yaml.',
      ),
      false,
    ),
  },
  'A cluster. {} in a pod: the cluster that the pod runs in.',
);

export const kubernetesEntry = v.optional(
  oneOrMany(kubernetesSchema, 'A cluster, or a list of clusters, whose services are served in this zone.'),
);

export type KubernetesInput = v.InferOutput<typeof kubernetesSchema>;

/** Limited because it is sent in a URL. */
const MAX_SELECTOR = 8192;

/** The API server validates the syntax; its error is reported at the key. */
function selector(description: string) {
  return text('a label selector such as "app=web,tier in (a, b)"', description, (value) => {
    if (value.trim() === '') return 'the label selector is empty';
    return value.length > MAX_SELECTOR ? `the label selector has more than ${MAX_SELECTOR} characters` : undefined;
  });
}

/** Two sources for the same cluster would publish everything twice. */
export async function checkKubernetes(
  sources: readonly { readonly source: KubernetesInput; readonly path: Path }[],
  folder: string,
  reporter: Reporter,
): Promise<void> {
  const seen = new Set<string>();
  for (const { source, path } of sources) {
    const identity = JSON.stringify([
      source.kubeconfig && resolve(folder, source.kubeconfig),
      source.context,
      source.namespaces,
      source.labels,
      source.namespaceLabels,
      source.multicluster,
      source.externalAddresses,
    ]);
    if (seen.has(identity))
      reporter.problem(path, 'duplicate kubernetes source: the same cluster is already in this zone');
    seen.add(identity);
    await checkKubeconfig(source, path, folder, reporter);
  }
}

/** A source without problems, in the zone of this name. */
export function buildKubernetes(
  source: KubernetesInput,
  folder: string,
  zone: { readonly name: string; readonly ttlSeconds: number; readonly rank: number },
  names: ClusterNames,
): KubernetesConfig {
  const kubeconfig = source.kubeconfig === undefined ? undefined : resolve(folder, source.kubeconfig);
  const { fallthrough, snapshot } = source;
  const label = names.label(kubeconfig, source.context);
  return {
    kubeconfig,
    context: source.context,
    label,
    name: names.source(`kubernetes/${label}`, zone.name),
    ttlSeconds: source.ttlSeconds ?? zone.ttlSeconds,
    pods: source.pods,
    namespaces: source.namespaces.map((name) => name.toLowerCase()),
    namespaceLabels: source.namespaceLabels,
    labels: source.labels,
    ignoreEmptyService: source.ignoreEmptyService,
    fallthrough:
      typeof fallthrough === 'boolean' ? (fallthrough ? ['.'] : []) : fallthrough.map((zone) => absoluteName(zone)),
    endpointPodNames: source.endpointPodNames,
    multicluster: source.multicluster,
    ...(source.externalAddresses && { externalAddresses: true }),
    rank: zone.rank,
    merge: source.merge,
    staleAfterSeconds: source.staleAfterSeconds,
    ...(source.events && { events: true }),
    snapshot: snapshot && { file: resolve(folder, snapshot.file), maxAgeSeconds: snapshot.maxAgeSeconds },
  };
}
