// A small cluster with one of each kind of name, and the questions about it.
import type { RestClient } from '../../support/rest-client.ts';
import { paths } from '../compare/objects.ts';

const managed = (service: string) => ({
  'kubernetes.io/service-name': service,
  'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io',
});

export async function fillSmallCluster(client: RestClient): Promise<void> {
  await client.create(paths.namespaces, { metadata: { name: 'prod' } });
  const ports = [{ name: 'http', port: 80, protocol: 'TCP' }];
  const services = [
    { metadata: { name: 'web' }, spec: { clusterIP: '10.96.1.80', ports, externalIPs: ['192.0.2.201'] } },
    { metadata: { name: 'pending' }, spec: { type: 'LoadBalancer', ports } },
    { metadata: { name: 'cloud' }, spec: { type: 'LoadBalancer', ports } },
    { metadata: { name: 'db' }, spec: { clusterIP: 'None', ports: [{ name: 'sql', port: 5432 }] } },
    { metadata: { name: 'empty' }, spec: { clusterIP: 'None', ports } },
    { metadata: { name: 'ext' }, spec: { type: 'ExternalName', externalName: 'www.example.org' } },
  ];
  for (const service of services) await client.create(paths.services('prod'), service);
  await client.patch(`${paths.services('prod')}/cloud/status`, {
    status: { loadBalancer: { ingress: [{ ip: '192.0.2.202' }, { ip: '2001:db8::202' }] } },
  });
  await client.create(paths.slices('prod'), {
    metadata: { name: 'db-1', labels: managed('db') },
    addressType: 'IPv4',
    ports: [{ name: 'sql', port: 5432, protocol: 'TCP' }],
    endpoints: [
      { addresses: ['10.1.0.7'], hostname: 'db-0', conditions: { ready: true } },
      { addresses: ['10.1.0.8'], conditions: { ready: true } },
      { addresses: ['10.1.0.9'], conditions: { ready: false } },
    ],
  });
}

export const CLUSTER_NAMES: readonly string[] = [
  ...['web.prod', 'db.prod', 'db-0.db.prod', '10-1-0-8.db.prod', 'empty.prod', 'ext.prod', 'absent.prod', 'web.absent'],
  ...['_http._tcp.web.prod', '_sql._tcp.db.prod', 'prod', 'www.example.org.prod', 'web.prod.svc.cluster.local'],
]
  .map((name) => `${name}.svc.cluster.local.`)
  .concat(
    [
      '10-1-0-7.prod.pod.cluster.local.',
      'cluster.local.',
      'dns-version.cluster.local.',
      'www.example.org.cluster.local.',
    ],
    ['80.1.96.10.in-addr.arpa.', '7.0.1.10.in-addr.arpa.', '99.0.1.10.in-addr.arpa.'],
  );

const TYPES = ['A', 'AAAA', 'SRV', 'TXT', 'PTR', 'MX', 'SOA', 'HINFO'];

export const clusterQuestions = CLUSTER_NAMES.flatMap((name) => TYPES.map((type) => ({ name, type })));
