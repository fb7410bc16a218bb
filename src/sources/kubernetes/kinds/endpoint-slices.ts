// EndpointSlices: the instances of a service, and their readiness according to the slice's controller. As in CoreDNS, an
// endpoint that is not `ready` is not answered, whether terminating or not, and an absent `ready` counts as ready.
// https://kubernetes.io/docs/reference/kubernetes-api/service-resources/endpoint-slice-v1/
import type { Fact, Instance, ServicePort } from '../../../registry/model.ts';
import {
  type Fields,
  fields,
  list,
  MalformedObject,
  type Metadata,
  optionalBoolean,
  optionalFields,
  optionalText,
  text,
  timeMs,
} from '../api/objects.ts';
import { ENDPOINT_SLICE } from '../protobuf/schemas.ts';
import type { WatchedKind } from '../watch/watched-kind.ts';
import { type Cluster, groupKey, serviceKey } from './cluster.ts';
import { address, endpointInstance, type TargetReference, targetReference } from './endpoint-instance.ts';
import type { PodsKind } from './pods.ts';
import { servicePorts } from './ports.ts';

const SERVICE_NAME = 'kubernetes.io/service-name';
const IMPORT_NAME = 'multicluster.kubernetes.io/service-name';
const SOURCE_CLUSTER = 'multicluster.kubernetes.io/source-cluster';
const MANAGED_BY = 'endpointslice.kubernetes.io/managed-by';
/** Its slices repeat the Ready conditions of pods, a little later. Slices of other controllers may have information of their own. */
const POD_CONTROLLER = 'endpointslice-controller.k8s.io';
export const LAST_CHANGE = 'endpoints.kubernetes.io/last-change-trigger-time';

/** `pods`: notified of the pods in slices. */
export function endpointSlicesKind(
  cluster: Cluster,
  pods: Pick<PodsKind, 'noteNamed' | 'placed'>,
  namespace?: string,
): WatchedKind {
  const { registry, config } = cluster;
  const serviceLabel = config.multicluster ? IMPORT_NAME : SERVICE_NAME;
  return {
    resource: 'endpointslices',
    apiGroup: 'discovery.k8s.io',
    groupVersionPath: '/apis/discovery.k8s.io/v1',
    protobuf: ENDPOINT_SLICE,
    namespace,
    labelSelector: config.labels, // slices carry the labels of their Service
    selectorKey: 'labels',
    essential: true,
    keyOf: (objectNamespace, name) => groupKey(cluster, 'endpointslices', objectNamespace, name),
    replace(key, metadata, object) {
      const service = optionalText(metadata.labels[serviceLabel], `label ${serviceLabel}`);
      if (service === undefined) {
        registry.removeGroup(key); // does not belong to a Service, or no longer
        return undefined;
      }
      const { instances, problem } = translateSlice(cluster, metadata, object);
      const placed = instances.map((instance) => pods.placed(instance));
      const owner = serviceKey(cluster, metadata.namespace, service);
      registry.replaceGroup(key, owner, placed);
      const changedMs = timeMs(metadata.annotations[LAST_CHANGE]);
      if (changedMs !== undefined) cluster.changed?.(owner, changedMs);
      for (const { facts, subjects, addresses } of instances)
        if (facts[0]?.repeats === 'pod') pods.noteNamed(subjects[0], addresses[0], facts[0], metadata.resourceVersion);
      return problem;
    },
    remove: (key) => registry.removeGroup(key),
  };
}

/** The instances of a slice, and the problem of a skipped endpoint. Throws MalformedObject. */
export function translateSlice(
  cluster: Cluster,
  metadata: Metadata,
  object: Fields,
): { readonly instances: readonly Instance[]; readonly problem: MalformedObject | undefined } {
  const family = text(object.addressType, 'addressType');
  if (family !== 'IPv4' && family !== 'IPv6') throw new MalformedObject(`addressType ${family} is not supported`);
  const ports = servicePorts(list(object.ports, 'ports'), 'ports');
  const changedMs = timeMs(metadata.annotations[LAST_CHANGE]);
  const sinceMs = changedMs ?? metadata.createdMs ?? cluster.clock.now();
  const clusterId = cluster.config.multicluster
    ? optionalText(metadata.labels[SOURCE_CLUSTER], `label ${SOURCE_CLUSTER}`)
    : undefined;
  const factOf = createConditionFacts(metadata.labels[MANAGED_BY] === POD_CONTROLLER, sinceMs, changedMs !== undefined);

  const instances: Instance[] = [];
  let problem: MalformedObject | undefined;
  list(object.endpoints, 'endpoints').forEach((raw, index) => {
    try {
      const endpoint = fields(raw, `endpoints[${index}]`);
      instances.push(...translateEndpoint(cluster, metadata, endpoint, { family, ports, clusterId, factOf }));
    } catch (error) {
      if (!(error instanceof MalformedObject)) throw error;
      problem ??= new MalformedObject(`endpoints[${index}] is skipped: ${error.message}`);
    }
  });
  return { instances, problem };
}

interface SliceContext {
  readonly family: 'IPv4' | 'IPv6';
  readonly ports: readonly ServicePort[];
  readonly clusterId: string | undefined;
  readonly factOf: (endpoint: Fields, target: TargetReference | undefined) => readonly Fact[];
}

/** One instance per address: addresses of an endpoint are interchangeable, and CoreDNS answers each. */
function translateEndpoint(cluster: Cluster, metadata: Metadata, endpoint: Fields, slice: SliceContext): Instance[] {
  const target = targetReference(endpoint.targetRef, metadata.namespace);
  const facts = slice.factOf(endpoint, target);
  const hostname = optionalText(endpoint.hostname, 'hostname')?.toLowerCase();
  const nodeName = optionalText(endpoint.nodeName, 'nodeName');
  return list(endpoint.addresses, 'addresses').map((value) =>
    endpointInstance(cluster, {
      address: address(value, slice.family),
      ports: slice.ports,
      hostname,
      cluster: slice.clusterId,
      target,
      nodeName,
      facts,
    }),
  );
}

/** The facts of a slice's endpoints; equal ones share an object, because most endpoints are simply ready. */
function createConditionFacts(managed: boolean, sinceMs: number, isDated: boolean): SliceContext['factOf'] {
  const facts = new Map<string, readonly Fact[]>();
  return (endpoint, target) => {
    const conditions = optionalFields(endpoint.conditions, 'conditions');
    const ready = optionalBoolean(conditions.ready, 'conditions.ready');
    const reason = describe(ready, conditions);
    const repeats = managed && target?.kind === 'Pod';
    const key = `${reason} ${repeats}`;
    const known = facts.get(key);
    if (known !== undefined) return known;
    const status = ready === undefined ? 'UNKNOWN' : ready ? 'HEALTHY' : 'UNHEALTHY';
    const fact: Fact = {
      source: 'endpointslice',
      status,
      reason,
      sinceMs,
      ...(repeats && { repeats: 'pod' }),
      ...(repeats && isDated && { isDated }),
    };
    facts.set(key, [fact]);
    return facts.get(key)!;
  };
}

function describe(ready: boolean | undefined, conditions: Fields): string {
  if (ready === undefined) return 'its slice has no ready condition';
  if (ready) return 'ready in its slice';
  if (conditions.terminating !== true) return 'not ready in its slice';
  return conditions.serving === true ? 'terminating in its slice, still serving' : 'terminating in its slice';
}
