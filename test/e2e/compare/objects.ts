// The API server's paths, and what a kubelet writes.

export const paths = {
  namespaces: '/api/v1/namespaces',
  nodes: '/api/v1/nodes',
  services: (namespace: string) => `/api/v1/namespaces/${namespace}/services`,
  endpoints: (namespace: string) => `/api/v1/namespaces/${namespace}/endpoints`,
  pods: (namespace: string) => `/api/v1/namespaces/${namespace}/pods`,
  slices: (namespace: string) => `/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices`,
};

/** What the kubelet of a node would say of a pod. */
export function podStatus(ips: readonly string[], ready: boolean, phase = 'Running'): object {
  const conditions = [{ type: 'Ready', status: ready ? 'True' : 'False', lastTransitionTime: '2026-01-01T00:00:00Z' }];
  const addresses = ips.length === 0 ? {} : { podIP: ips[0], podIPs: ips.map((ip) => ({ ip })) };
  return { status: { phase, ...addresses, conditions } };
}
