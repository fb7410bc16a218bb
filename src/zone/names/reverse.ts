// PTR records of the addresses that a service publishes: cluster IPs (specification 2.3.3) and endpoints (2.4.3).
import { parseIp } from '../../dns/ip.ts';
import { isSubdomain, parseName, type WireName } from '../../dns/name.ts';
import { TYPE } from '../../dns/types.ts';
import { ALWAYS_ANSWERED } from '../../plane/records.ts';
import type { Compilation } from './compilation.ts';
import { addNames, type Endpoint } from './endpoint.ts';
import { childName, fitsBelow } from './label.ts';
import { type Answering, draftOf, type PublishedName, published, rrsetOf } from './published-name.ts';

export function reverseNamesOfClusterIps(compilation: Compilation): void {
  const { service, bases, names } = compilation;
  for (const text of new Set(service.clusterIps)) {
    const address = parseIp(text);
    const target = { target: bases[0], slot: ALWAYS_ANSWERED };
    if (address !== undefined) names.push(...ptrNames(compilation, address, [target]));
  }
}

/** Targets are below the first of the service's names: an address has one canonical name in a service. */
export function reverseNames(compilation: Compilation, endpoints: readonly Endpoint[]): void {
  const { service, bases, names, context, hasDistinctAddresses: areDistinct } = compilation;
  if (context.reverseZones.length === 0) return;
  const [base] = bases;
  addNames(names, endpoints, { keyOf: ({ address }) => address, areDistinct }, (members) => {
    const [{ address, rdata }] = members;
    if (!members.every(({ label }) => fitsBelow(label, base)) || service.clusterIps?.includes(address)) return [];
    const targets = members.map(({ label, instanceSlot: slot }) => ({ target: childName(label, base), slot }));
    return ptrNames(compilation, rdata, targets);
  });
}

function ptrNames(
  { service: { ttlSeconds }, context }: Compilation,
  address: Uint8Array,
  targets: readonly { readonly target: WireName; readonly slot: number }[],
): PublishedName[] {
  const name = reverseWireName(address);
  if (!context.reverseZones.some((zone) => isSubdomain(name, zone))) return [];
  // The address of a dead instance has no name: NXDOMAIN, or another answer through fallthrough.
  const answering: Answering = { ttlSeconds, routing: 'multivalue', maxAnswers: 0, whenAllUnhealthy: 'nxdomain' };
  const draft = draftOf(name);
  for (const { target, slot } of targets) {
    rrsetOf(draft, TYPE.PTR, answering).records.push({ rdata: target, slot, weight: 1 });
  }
  return [published(draft)];
}

const IN_ADDR_ARPA = parseName('in-addr.arpa.');
const IP6_ARPA = parseName('ip6.arpa.');

/** RFC 1035 section 3.5 (4 bytes), RFC 3596 section 2.5 (16 bytes), straight to wire form. */
function reverseWireName(address: Uint8Array): WireName {
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
