// Kubernetes objects as tests create them: only what the API server insists on.
import type { RestClient } from './rest-client.ts';
import { until } from './until.ts';

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
export const SERVICE_IMPORTS = '/apis/multicluster.x-k8s.io/v1alpha1/namespaces/default/serviceimports';

/** The kind that the Multi-Cluster Services API adds. */
export async function defineServiceImports(client: RestClient): Promise<void> {
  const anything = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
  await client.create('/apis/apiextensions.k8s.io/v1/customresourcedefinitions', {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: {
      name: 'serviceimports.multicluster.x-k8s.io',
      annotations: { 'api-approved.kubernetes.io': 'https://github.com/kubernetes/enhancements/pull/1646' },
    },
    spec: {
      group: 'multicluster.x-k8s.io',
      names: { kind: 'ServiceImport', plural: 'serviceimports', singular: 'serviceimport' },
      scope: 'Namespaced',
      versions: [{ name: 'v1alpha1', served: true, storage: true, schema: { openAPIV3Schema: anything } }],
    },
  });
  await until(async () => (await client.get(SERVICE_IMPORTS)).status, 200);
}
