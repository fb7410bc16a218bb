// What both servers are asked: every name that exists, a few thousand that nearly do, each with every type.
import { reverseName } from '../../../src/dns/name.ts';
import type { World, WorldService } from '../../../src/shadow/cluster/world.ts';
import type { Chance } from './random.ts';

export const ZONE = 'cluster.local.';

export const TYPES = ['A', 'AAAA', 'SRV', 'PTR', 'TXT', 'CNAME', 'NS', 'SOA', 'MX', 'HTTPS', 'ANY'] as const;

/** Absolute names in presentation form, each once. */
export function namesToAsk(world: World, chance: Chance, nearly: number): string[] {
  const existing = [...new Set(existingNames(world))];
  const names = new Set(existing);
  for (const name of fixedOddities(world)) names.add(name);
  const wanted = names.size + nearly;
  for (let tries = 0; names.size < wanted && tries < wanted * 4; tries++) {
    names.add(chance.pick(MUTATIONS)(chance.pick(existing), chance));
  }
  return [...names];
}

function* existingNames(world: World): Iterable<string> {
  yield* [ZONE, `svc.${ZONE}`, `pod.${ZONE}`, `dns-version.${ZONE}`, `ns.dns.${ZONE}`, `dns.${ZONE}`];
  yield* ['in-addr.arpa.', 'ip6.arpa.'];
  for (const namespace of world.namespaces) yield* [`${namespace}.svc.${ZONE}`, `${namespace}.pod.${ZONE}`];
  for (const service of world.services) yield* namesOfService(service);
  for (const { metadata, status } of world.pods) {
    for (const { ip } of status?.podIPs ?? []) yield `${ip.replace(/[.:]/g, '-')}.${metadata.namespace}.pod.${ZONE}`;
  }
}

function* namesOfService({ name, object, clusterIps, endpoints }: WorldService): Iterable<string> {
  yield name;
  const ports = [...(object.spec.ports ?? []), ...endpoints.flatMap((endpoint) => endpoint.ports)];
  for (const port of ports) {
    const protocol = (port.protocol ?? 'TCP').toLowerCase();
    yield `_${protocol}.${name}`;
    if (port.name) yield `_${port.name}._${protocol}.${name}`;
  }
  for (const { label } of endpoints) yield `${label}.${name}`;
  for (const ip of [...clusterIps, ...endpoints.map(({ address }) => address)]) {
    const reverse = reverseName(ip);
    yield reverse;
    yield parent(reverse);
  }
}

const parent = (name: string) => name.slice(name.indexOf('.') + 1);
const labels = (name: string) => name.slice(0, -1).split('.');
const joined = (parts: readonly string[]) => `${parts.join('.')}.`;

/** What no mutation would hit upon. */
function* fixedOddities({ services, pods }: World): Iterable<string> {
  yield* ['.', 'local.', 'arpa.', 'example.com.', 'xcluster.local.', `${ZONE}${ZONE}`, `www.example.com.${ZONE}`];
  yield* [`a.b.c.d.e.f.${ZONE}`, `endpoints.${ZONE}`, `any.${ZONE}`, `*.${ZONE}`, `*.prod.svc.${ZONE}`];
  yield* ['1.2.3.in-addr.arpa.', '1.2.3.4.5.in-addr.arpa.', '256.0.96.10.in-addr.arpa.', '01.0.96.10.in-addr.arpa.'];
  yield* ['x.ip6.arpa.', '0.d.f.ip6.arpa.', 'ns.dns.in-addr.arpa.', 'ns.dns.ip6.arpa.', 'dns.in-addr.arpa.'];
  for (const pod of [
    '1-2-3-4',
    '01-2-3-4',
    '1-2-3',
    '1-2-3-4-5',
    '256-1-1-1',
    '--1',
    '1--',
    'fd00--1',
    'fd00-0-0-0-0-0-0-1',
  ])
    yield* [`${pod}.prod.pod.${ZONE}`, `${pod}.absent.pod.${ZONE}`, `x.${pod}.prod.pod.${ZONE}`];
  yield* ['fd00---1', '--', '-', '--ffff-102-304', '1-2-3-4-5-6-7-8', 'FD00--A'].map(
    (pod) => `${pod}.prod.pod.${ZONE}`,
  );
  const [{ name }] = services.filter(({ isHeadless, endpoints }) => isHeadless && endpoints.length > 2);
  yield* [`*.${name}`, `\\000.${name}`, `\\200\\255.${name}`, `a\\.b.${name}`, `_._tcp.${name}`, `_http._.${name}`];
  yield* [`_._.${name}`, `_http._tcp.x.${name}`, `a.b.c.${name}`, `${'x'.repeat(63)}.${name}`];
  yield name.replace('.', '\\.');
  const ip = pods.find(({ status }) => status?.podIPs?.[0])?.status?.podIPs?.[0]?.ip;
  if (ip !== undefined) yield `${ip.replace(/[.:]/g, '-')}.absent.pod.${ZONE}`;
}

type Mutation = (name: string, chance: Chance) => string;

const MUTATIONS: readonly Mutation[] = [
  // A letter less, a letter more.
  (name) => (/^[^.]{2}/.test(name) ? name.slice(1) : `a${name}`),
  (name) => (labels(name)[0]!.length < 63 ? name.replace('.', 'x.') : name),
  // A label less, a label more, the same one twice.
  (name, chance) => {
    const parts = labels(name);
    parts.splice(chance.below(parts.length), 1);
    return parts.length === 0 ? '.' : joined(parts);
  },
  (name, chance) => `${chance.pick(['x', '_tcp', '_http._tcp', '*', '10-1-1-1', 'db-0', 'svc', 'h'])}.${name}`,
  (name) => `${labels(name)[0]}.${name}`,
  // In another place: pod for svc, another namespace, another zone.
  (name) => name.replace('.svc.', '.pod.'),
  (name) => name.replace('.pod.', '.svc.'),
  (name, chance) => {
    const parts = labels(name);
    if (parts.length > 4)
      parts[parts.length - 4] = chance.pick(['prod', 'absent', 'svc', 'n', 'default', 'kube-system']);
    return joined(parts);
  },
  (name) => name.replace(/cluster\.local\.$/, 'cluster.locale.'),
  // Ports: without underscores, of another protocol, of no name.
  (name) => name.replace(/^_([^.]+)\._/, '$1.'),
  (name) => name.replace('._tcp.', '._udp.'),
  (name) => name.replace(/^_[^.]+\._/, '_._'),
  // Addresses nearby.
  (name) => (name.endsWith('.arpa.') ? name.replace(/^[0-9a-f]+/, (digits) => (digits === '1' ? '2' : '1')) : name),
  (name) => name.replace(/-(\d+)\./, (_, last) => `-${(Number(last) + 1) % 256}.`),
  // Case does not matter (RFC 4343), and comes back as it was sent.
  (name, chance) => name.replace(/[a-z]/g, (letter) => (chance.often(0.5) ? letter.toUpperCase() : letter)),
];
