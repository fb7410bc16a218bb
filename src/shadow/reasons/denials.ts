// Existing names that CoreDNS denies, and one type for which it never denies a name.
import { isIP } from 'node:net';
import type { Answer } from '../answers/answer.ts';
import { type Case, isNodata, isNxdomain, type Reason } from './reason.ts';

const REVERSE = /\.(in-addr|ip6)\.arpa\.$/;
const isAlwaysThere = (name: string, zone: string): boolean =>
  [zone, `svc.${zone}`, `pod.${zone}`, 'in-addr.arpa.', 'ip6.arpa.'].includes(name);

/** CoreDNS answers NXDOMAIN for an existing name; healthdns answers NODATA. */
function denied(id: string, applies: (found: Case) => boolean): Reason {
  return {
    id,
    rewrite(found) {
      const { coreDns, healthdns } = found;
      if (!isNxdomain(coreDns) || !isNodata(healthdns) || !applies(found)) return undefined;
      return { coreDns: { ...coreDns, rcode: 'NOERROR' } };
    },
  };
}

export const DENIALS: readonly Reason[] = [
  denied('dns-version-type', ({ name, type, world }) => name === `dns-version.${world.zone}` && type !== 'TXT'),
  denied('ns-type', ({ name, world }) => name === `ns.dns.${world.zone}`),
  denied('empty-non-terminal', ({ name, names }) => names.standing(name) === 'empty'),
  denied(
    'txt-of-namespace',
    ({ name, type, world }) =>
      type === 'TXT' &&
      (isAlwaysThere(name, world.zone) ||
        world.namespaces.some(
          (namespace) => name === `${namespace}.svc.${world.zone}` || name === `${namespace}.pod.${world.zone}`,
        )),
  ),
  denied(
    'reverse-type',
    ({ name, type, names }) =>
      type !== 'PTR' && REVERSE.test(name) && /answers|unready-published|dead/.test(names.standing(name) ?? ''),
  ),
  {
    // For types without records: CoreDNS assumes that an endpoint exists.
    id: 'dead-pod',
    rewrite({ name, names, coreDns, healthdns }) {
      const applies = isNodata(coreDns) && isNxdomain(healthdns) && names.standing(name) === 'dead';
      return applies ? { coreDns: { ...coreDns, rcode: 'NXDOMAIN' } } : undefined;
    },
  },
  denied('publish-not-ready', ({ name, names }) => names.standing(name) === 'unready-published'),
  {
    id: 'soa-type',
    rewrite(found) {
      const { name, type, names, coreDns, healthdns } = found;
      if (type !== 'SOA' || !isNodata(coreDns) || !isNxdomain(healthdns)) return undefined;
      if (/^(answers|empty)$/.test(names.standing(name) ?? '') || isSpelledPod(name, found)) return undefined;
      return { coreDns: { ...coreDns, rcode: 'NXDOMAIN' } };
    },
  },
];

/** With `pods insecure` every address in the place of a pod's name is one, where the namespace is. */
function isSpelledPod(name: string, { pods, world }: Pick<Case, 'pods' | 'world'>): boolean {
  const end = `.pod.${world.zone}`;
  if (!name.endsWith(end)) return false;
  const [label = '', namespace = '', ...more] = name.slice(0, -end.length).split('.');
  const isAddress = isIP(label.replaceAll('-', '.')) === 4 || isIP(label.replaceAll('-', ':')) === 6;
  return pods === 'insecure' && more.length === 0 && isAddress && world.namespaces.includes(namespace);
}

/** The reverse zones' SOA names the server by its name in the cluster's zone; CoreDNS's invents one in each zone. */
export const REVERSE_SOA: Reason = {
  id: 'reverse-soa',
  rewrite({ healthdns, world }) {
    const rewritten = {
      ...healthdns,
      answers: renamed(healthdns.answers, world.zone),
      authorities: renamed(healthdns.authorities, world.zone),
    };
    const changed = rewritten.answers !== healthdns.answers || rewritten.authorities !== healthdns.authorities;
    return changed ? { healthdns: rewritten } : undefined;
  },
};

function renamed(section: Answer['answers'], zone: string): Answer['answers'] {
  const ourNames = `ns.dns.${zone} hostmaster.${zone} `;
  if (!section.some(({ type, name }) => type === 'SOA' && /^(in-addr|ip6)\.arpa\.$/.test(name))) return section;
  return section.map((record) => {
    const { type, name, rdata } = record;
    if (type !== 'SOA' || !rdata.startsWith(ourNames)) return record;
    return { ...record, rdata: `ns.dns.${name} hostmaster.${name} ${rdata.slice(ourNames.length)}` };
  });
}
