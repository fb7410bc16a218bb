// PTR records of the addresses that a service publishes: cluster IPs (specification 2.3.3) and endpoints (2.4.3).
import { parseIp } from '../dns/ip.ts';
import { isSubdomain, parseName, type WireName } from '../dns/name.ts';
import { TYPE } from '../dns/types.ts';
import { ALWAYS_ANSWERED } from '../plane/records.ts';
import type { Compilation } from './compile.ts';
import { rrsetOf } from './draft.ts';
import type { Endpoint } from './endpoint.ts';
import { childName } from './label.ts';

/** The target is the first of the service's names: an address has one canonical name a service. */
export function reverseNames(compilation: Compilation, endpoints: readonly Endpoint[]): void {
  const { service, bases, context } = compilation;
  if (context.reverseZones.length === 0) return;
  for (const text of service.kind === 'clusterIp' ? (service.clusterIps ?? []) : []) {
    const address = parseIp(text);
    if (address !== undefined) addPtr(compilation, address, bases[0], ALWAYS_ANSWERED);
  }
  for (const { rdata, label, slot } of endpoints) {
    const target = childName(label, bases[0]);
    if (target !== undefined) addPtr(compilation, rdata, target, slot);
  }
}

function addPtr({ service, drafts, context }: Compilation, address: Uint8Array, target: WireName, slot: number): void {
  const name = reverseWireName(address);
  if (!context.reverseZones.some((zone) => isSubdomain(name, zone))) return;
  // An address whose instance is dead is an address that nobody has: the name ends, and a fallthrough zone may know more.
  const answering = {
    ttlSeconds: service.ttlSeconds,
    routing: 'multivalue',
    maxAnswers: 0,
    whenAllUnhealthy: 'nxdomain',
  } as const;
  rrsetOf(drafts.at(name), TYPE.PTR, answering).records.push({ rdata: target, slot, weight: 1 });
}

const IN_ADDR_ARPA = parseName('in-addr.arpa.');
const IP6_ARPA = parseName('ip6.arpa.');

/** RFC 1035 section 3.5 (4 bytes), RFC 3596 section 2.5 (16 bytes), straight to wire form: there are very many. */
export function reverseWireName(address: Uint8Array): WireName {
  const labels: number[] = [];
  for (let i = address.length - 1; i >= 0; i--) {
    if (address.length === 4) pushLabel(labels, String(address[i]));
    else for (const nibble of [address[i] & 15, address[i] >> 4]) pushLabel(labels, nibble.toString(16));
  }
  const suffix = address.length === 4 ? IN_ADDR_ARPA : IP6_ARPA;
  const name = new Uint8Array(labels.length + suffix.length);
  name.set(labels);
  name.set(suffix, labels.length);
  return name;
}

function pushLabel(labels: number[], label: string): void {
  labels.push(label.length);
  for (let i = 0; i < label.length; i++) labels.push(label.charCodeAt(i));
}
