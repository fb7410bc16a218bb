// Kubernetes objects as tests create them: only what the API server insists on.

export const service = (name: string, spec: object = {}) => ({
  metadata: { name },
  spec: { clusterIP: 'None', selector: { app: name }, ports: [{ name: 'http', port: 80, targetPort: 8080 }], ...spec },
});

export const pod = (name: string, app: string, more: object = {}) => ({
  metadata: { name, labels: { app } },
  spec: { nodeName: 'node-1', containers: [{ name: 'app', image: 'app', ports: [{ containerPort: 8080 }] }], ...more },
});

/** What the kubelet of a node would say of a pod. */
export const podStatus = (ip: string, ready: boolean, more: object = {}) => ({
  status: {
    phase: 'Running',
    podIP: ip,
    podIPs: [{ ip }],
    conditions: [{ type: 'Ready', status: ready ? 'True' : 'False', lastTransitionTime: '2026-01-01T00:00:00Z' }],
    ...more,
  },
});

/** A slice that a controller other than Kubernetes' own keeps. */
export const slice = (name: string, serviceName: string, endpoints: readonly object[], more: object = {}) => ({
  metadata: { name, labels: { 'kubernetes.io/service-name': serviceName } },
  addressType: 'IPv4',
  ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
  endpoints,
  ...more,
});

export const endpoint = (ip: string, podName?: string, conditions: object = { ready: true }) => ({
  addresses: [ip],
  conditions,
  ...(podName === undefined ? {} : { targetRef: { kind: 'Pod', namespace: 'default', name: podName } }),
});

export const PODS = '/api/v1/namespaces/default/pods';
export const SERVICES = '/api/v1/namespaces/default/services';
export const SLICES = '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices';
export const NODES = '/api/v1/nodes';
export const NAMESPACES = '/api/v1/namespaces';
