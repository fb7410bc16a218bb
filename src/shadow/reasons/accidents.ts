// CoreDNS's answers for unpublished names and unknown types.
import { dashed } from '../cluster/names.ts';
import type { Port } from '../cluster/objects.ts';
import type { WorldService } from '../cluster/world.ts';
import { type Case, isNodata, isNxdomain, type Reason, withoutRecords } from './reason.ts';

const HINFO_TTL_SECONDS = 3600;

export const ANY: Reason = {
  id: 'any',
  rewrite({ type, coreDns, healthdns }) {
    const [record, ...more] = healthdns.answers;
    if (type !== 'ANY' || coreDns.answers.length > 0 || record === undefined || more.length > 0) return undefined;
    if (record.type !== 'HINFO' || record.rdata !== '"rfc8482" ""' || record.ttlSeconds !== HINFO_TTL_SECONDS)
      return undefined;
    return { healthdns: withoutRecords(healthdns, 'NOERROR', coreDns) };
  },
};

/** CoreDNS on the loopback address has no address of its own to name. */
export const APEX_NS: Reason = {
  id: 'apex-ns-name',
  rewrite({ question, name, type, world: { zone }, coreDns, healthdns }) {
    // It does not recognize its own name in another case than in its configuration.
    const isNothing = isNodata(coreDns) || (isNxdomain(coreDns) && question.name !== name);
    if (!isNothing || healthdns.rcode !== 'NOERROR') return undefined;
    const isServer = name === `ns.dns.${zone}` && (type === 'A' || type === 'AAAA');
    const isApex = type === 'NS' && [zone, 'in-addr.arpa.', 'ip6.arpa.'].includes(name);
    const expected = isApex ? `ns.dns.${zone}` : '127.0.0.1';
    if (!(isServer || isApex) || healthdns.answers.length !== 1 || healthdns.answers[0]!.rdata !== expected)
      return undefined;
    return { healthdns: withoutRecords(healthdns, coreDns.rcode, coreDns) };
  },
};

/** `ns.dns.` of a reverse zone, which CoreDNS takes for its own name there. */
export const REVERSE_NS: Reason = {
  id: 'reverse-soa',
  rewrite({ name, coreDns, healthdns }) {
    if (!/^ns\.dns\.(in-addr|ip6)\.arpa\.$/.test(name) || !isNodata(coreDns) || !isNxdomain(healthdns))
      return undefined;
    return { coreDns: { ...coreDns, rcode: 'NXDOMAIN' } };
  },
};

/** The two labels in front of a service's name. */
function portLabels({ name, world }: Case): { service: WorldService; port: string; protocol: string } | undefined {
  const service = world.serviceOf(name);
  const before = service === undefined ? [] : name.slice(0, -service.name.length).split('.').slice(0, -1);
  if (service === undefined || before.length !== 2) return undefined;
  return { service, port: before[0]!, protocol: before[1]! };
}

const portsOf = (service: WorldService): readonly Port[] =>
  service.isHeadless ? service.endpoints.flatMap(({ ports }) => ports) : (service.object.spec.ports ?? []);

const protocolOf = ({ protocol = 'TCP' }: Port): string => protocol.toLowerCase();

/** CoreDNS looks the service up and filters by port, whatever the type; only SRV is published there. */
export const SRV_NAME_HAS_ADDRESSES: Reason = {
  id: 'srv-name-has-addresses',
  rewrite(found) {
    const { type, coreDns, healthdns } = found;
    const labels = portLabels(found);
    if ((type !== 'A' && type !== 'AAAA') || labels === undefined || !isNodata(healthdns)) return undefined;
    const isPublished = portsOf(labels.service).some(
      (port) =>
        `_${port.name}` === labels.port && `_${protocolOf(port)}` === labels.protocol && port.port !== undefined,
    );
    if (!isPublished || coreDns.answers.length === 0 || !coreDns.answers.every((record) => record.type === type))
      return undefined;
    return { coreDns: withoutRecords(coreDns, 'NOERROR', healthdns) };
  },
};

/** CoreDNS strips leading underscores, and treats an empty result as a wildcard for every port. */
export const LOOSE_SRV_NAMES: Reason = {
  id: 'loose-srv-names',
  rewrite(found) {
    const { coreDns, healthdns } = found;
    const labels = portLabels(found);
    if (labels === undefined || coreDns.rcode !== 'NOERROR' || healthdns.rcode !== 'NXDOMAIN') return undefined;
    const isStrict = /^_./.test(labels.port) && /^_./.test(labels.protocol);
    const [port, protocol] = [labels.port, labels.protocol].map((label) => label.replace(/^_/, ''));
    // A slice without ports has one without a name or protocol in CoreDNS.
    const ports = [...portsOf(labels.service), ...portless(labels.service)];
    const matches = ports.some(
      (one) => (port === '' || port === (one.name ?? '')) && (protocol === '' || protocol === protocolOf(one)),
    );
    return isStrict || !matches ? undefined : { coreDns: healthdns };
  },
};

const portless = ({ endpoints }: WorldService): Port[] =>
  endpoints.some(({ ports }) => ports.length === 0) ? [{ name: '', protocol: '' }] : [];

/** A port of a slice without a number stands for all ports: there is no number to publish. */
export const PORT_WITHOUT_NUMBER: Reason = {
  id: 'port-without-number',
  rewrite(found) {
    const { coreDns, healthdns } = found;
    const labels = portLabels(found);
    if (labels === undefined || coreDns.rcode !== 'NOERROR' || healthdns.rcode !== 'NXDOMAIN') return undefined;
    const [port, protocol] = [labels.port, labels.protocol].map((label) => label.replace(/^_/, ''));
    const isNumberless = labels.service.endpoints.some(({ ports }) =>
      ports.some((one) => one.name === port && protocolOf(one) === protocol && one.port === undefined),
    );
    return isNumberless ? { coreDns: healthdns } : undefined;
  },
};

const POD_LABEL = /^[0-9a-f]*(-[0-9a-f]*)+$/;

/** The labels before "pod", as far as they spell "[more…] <address>.<namespace>". */
function podLabels({ name, world: { zone } }: Case): { label: string; before: readonly string[] } | undefined {
  const labels = name.endsWith(`.pod.${zone}`) ? name.slice(0, -`.pod.${zone}`.length).split('.') : [];
  const label = labels[labels.length - 2];
  return label !== undefined && POD_LABEL.test(label) ? { label, before: labels.slice(0, -2) } : undefined;
}

/** 100 is shared among the pods that have the address, as several on a host's network do. */
const isPortlessSrv = (rdata: string, name: string): boolean => /^0 \d+ 0 /.test(rdata) && rdata.endsWith(` ${name}`);

export const POD_NAME_HAS_SRV: Reason = {
  id: 'pod-name-has-srv',
  rewrite(found) {
    const { name, type, coreDns, healthdns } = found;
    if (type !== 'SRV' || podLabels(found)?.before.length !== 0 || !isNodata(healthdns)) return undefined;
    const isPortless = coreDns.answers.length > 0 && coreDns.answers.every(({ rdata }) => isPortlessSrv(rdata, name));
    return isPortless ? { coreDns: withoutRecords(coreDns, 'NOERROR', healthdns) } : undefined;
  },
};

/** Go takes ::ffff:192.0.2.1 for 192.0.2.1; the name spells an IPv6 address. */
export const IPV4_MAPPED_POD_NAME: Reason = {
  id: 'ipv4-mapped-pod-name',
  rewrite(found) {
    const { type, coreDns, healthdns } = found;
    const mapped = /^(?:0-0-0-0-0|-)-ffff-[0-9a-f]+-[0-9a-f]+$/.exec(podLabels(found)?.label ?? '');
    if (mapped === null) return undefined;
    if (type === 'A' && isNodata(healthdns) && coreDns.answers.length === 1) {
      return { coreDns: withoutRecords(coreDns, 'NOERROR', healthdns) };
    }
    if (type !== 'AAAA' || !isNodata(coreDns) || healthdns.answers.length !== 1) return undefined;
    return { healthdns: withoutRecords(healthdns, 'NOERROR', coreDns) };
  },
};

/** CoreDNS looks at the label of the address only, not at one or two in front of it. */
export const BELOW_POD_NAME: Reason = {
  id: 'below-pod-name',
  async rewrite(found) {
    const { question, name, coreDns, healthdns, ask } = found;
    const pod = podLabels(found);
    if (pod === undefined || pod.before.length === 0 || pod.before.length > 2) return undefined;
    if (coreDns.rcode !== 'NOERROR' || healthdns.rcode !== 'NXDOMAIN') return undefined;
    const above = name.slice(pod.before.join('.').length + 1);
    const atPod = await ask('coreDns', { ...question, name: above });
    return atPod.rcode === 'NOERROR' ? { coreDns: healthdns } : undefined;
  },
};

/** CoreDNS overlooks that a pod begins to terminate, and sees it only where it starts after that. */
export const TERMINATING_POD_NAME: Reason = {
  id: 'terminating-pod-name',
  isHealth: true,
  rewrite(found) {
    const { name, world, coreDns, healthdns } = found;
    const pod = podLabels(found);
    if (pod?.before.length !== 0 || coreDns.rcode !== 'NOERROR' || healthdns.rcode !== 'NXDOMAIN') return undefined;
    const isTerminating = world.pods.some(
      ({ metadata, status }) =>
        metadata.deletionTimestamp !== undefined &&
        status?.podIPs?.some(({ ip }) => name === `${dashed(ip)}.${metadata.namespace}.pod.${world.zone}`),
    );
    return isTerminating ? { coreDns: healthdns } : undefined;
  },
};

const IPV6_NIBBLES = 32;

/** CoreDNS reads the last 32 nibbles of an IPv6 reverse name, and up to three labels in front of them not at all. */
export const BELOW_REVERSE_NAME: Reason = {
  id: 'below-reverse-name',
  async rewrite({ question, name, type, coreDns, healthdns, ask }) {
    const labels = name.endsWith('.ip6.arpa.') ? name.slice(0, -'.ip6.arpa.'.length).split('.') : [];
    if (type !== 'PTR' || labels.length <= IPV6_NIBBLES || labels.length > IPV6_NIBBLES + 3) return undefined;
    if (coreDns.rcode !== 'NOERROR' || healthdns.rcode !== 'NXDOMAIN') return undefined;
    const above = `${labels.slice(-IPV6_NIBBLES).join('.')}.ip6.arpa.`;
    const atAddress = await ask('coreDns', { ...question, name: above });
    return atAddress.answers.length > 0 ? { coreDns: healthdns } : undefined;
  },
};
