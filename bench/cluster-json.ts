// A large cluster as its API server states it: watch events, one line of JSON each.

/** Pods became ready at various seconds of a day. */
const DAY_SECONDS = 86_400;
const CREATED = Date.UTC(2026, 0, 1);

export interface ClusterSize {
  readonly services: number;
  readonly podsPerService: number;
  readonly nodes: number;
}

const NAMESPACES = 100;
const namespaceOf = (service: number) => `team-${String(service % NAMESPACES).padStart(2, '0')}`;
const serviceName = (service: number) => `backend-${String(service).padStart(5, '0')}`;
/** "backend-00042-6d5f8c7b94-" and five letters, as a Deployment's pods are called. */
const podName = (service: number, pod: number) =>
  `${serviceName(service)}-${(service * 2_654_435_761).toString(16).slice(0, 9)}-${(46_656 + ((service * 131 + pod * 7919) % 1_632_960)).toString(36).padStart(5, 'x')}`;
const podIp = (number: number) => `10.${64 + (number >> 16)}.${(number >> 8) & 255}.${number & 255}`;
const time = (second: number) => new Date(CREATED + second * 1000).toISOString().replace('.000', '');
const nodeOf = (number: number, { nodes }: ClusterSize) =>
  `ip-10-0-${(number % nodes) >> 8}-${(number % nodes) & 255}.eu-west-1.compute.internal`;

const event = (kind: string, apiVersion: string, object: object) =>
  Buffer.from(`${JSON.stringify({ type: 'ADDED', object: { kind, apiVersion, ...object } })}\n`);

const metadata = (namespace: string, name: string, version: number, more: object = {}) => ({
  name,
  namespace,
  uid: `00000000-0000-4000-8000-${String(version).padStart(12, '0')}`,
  resourceVersion: String(5_000_000_000 + version),
  creationTimestamp: time(0),
  managedFields: [{ manager: 'kube-controller-manager', operation: 'Update', apiVersion: 'v1', time: time(0) }],
  ...more,
});

export function* namespaceEvents(): Generator<Buffer> {
  for (let n = 0; n < NAMESPACES; n++) yield event('Namespace', 'v1', { metadata: metadata('', namespaceOf(n), n) });
}

export function* serviceEvents(size: ClusterSize): Generator<Buffer> {
  for (let s = 0; s < size.services; s++) {
    yield event('Service', 'v1', {
      metadata: metadata(namespaceOf(s), serviceName(s), s, { labels: { app: serviceName(s) } }),
      spec: {
        ports: [{ name: 'http', protocol: 'TCP', port: 80, targetPort: 8080 }],
        selector: { app: serviceName(s) },
        clusterIP: 'None',
        clusterIPs: ['None'],
        type: 'ClusterIP',
        ipFamilies: ['IPv4'],
      },
      status: { loadBalancer: {} },
    });
  }
}

export function* podEvents(size: ClusterSize): Generator<Buffer> {
  const pods = size.services * size.podsPerService;
  for (let i = 0; i < pods; i++) yield podEvent(size, i, true);
}

/** Pod number `i` of the cluster. */
export function podEvent(size: ClusterSize, i: number, ready: boolean, version = i): Buffer {
  const s = Math.floor(i / size.podsPerService);
  const ip = podIp(i);
  const lastTransitionTime = time((i * 7919) % DAY_SECONDS);
  return event('Pod', 'v1', {
    metadata: metadata(namespaceOf(s), podName(s, i % size.podsPerService), version, {
      labels: { app: serviceName(s) },
    }),
    spec: { nodeName: nodeOf(i, size), containers: [{ name: 'app', image: 'registry.example/app:1.2.3' }] },
    status: {
      phase: 'Running',
      podIP: ip,
      podIPs: [{ ip }],
      conditions: [{ type: 'Ready', status: ready ? 'True' : 'False', lastProbeTime: null, lastTransitionTime }],
      containerStatuses: [{ name: 'app', ready, started: true, state: { running: { startedAt: lastTransitionTime } } }],
    },
  });
}

export function* sliceEvents(size: ClusterSize): Generator<Buffer> {
  for (let s = 0; s < size.services; s++) yield sliceEvent(size, s, 0, size.podsPerService);
}

/** A slice with the pods `from` to `to` of a service. */
export function sliceEvent(size: ClusterSize, s: number, from: number, to: number, version = s): Buffer {
  const endpoints = [];
  for (let pod = from; pod < to; pod++) {
    const i = s * size.podsPerService + pod;
    endpoints.push({
      addresses: [podIp(i)],
      conditions: { ready: true, serving: true, terminating: false },
      targetRef: {
        kind: 'Pod',
        namespace: namespaceOf(s),
        name: podName(s, pod),
        uid: '00000000-0000-4000-8000-000000000000',
      },
      nodeName: nodeOf(i, size),
    });
  }
  return event('EndpointSlice', 'discovery.k8s.io/v1', {
    metadata: metadata(namespaceOf(s), `${serviceName(s)}-${from}`, version, {
      labels: {
        'kubernetes.io/service-name': serviceName(s),
        'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io',
        'service.kubernetes.io/headless': '',
      },
      annotations: { 'endpoints.kubernetes.io/last-change-trigger-time': time((s * 7919) % DAY_SECONDS) },
    }),
    addressType: 'IPv4',
    endpoints,
    ports: [{ name: 'http', protocol: 'TCP', port: 8080 }],
  });
}
