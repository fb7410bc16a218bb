// PTR records of the addresses that a service publishes: cluster IPs (specification 2.3.3) and endpoints (2.4.3).
import { parseIp } from '../../dns/ip.ts';
import { isSubdomain, parseName, type WireName } from '../../dns/name.ts';
import { TYPE } from '../../dns/types.ts';
import { ALWAYS_ANSWERED } from '../../plane/records.ts';
import type { Fingerprint } from '../publish/fingerprint.ts';
import type { Compilation } from './compile.ts';
import { type Answering, type NameDraft, rrsetOf } from './draft.ts';
import { addPlans, type Endpoint, type Sharing } from './endpoint.ts';
import { childName, fitsBelow } from './label.ts';
import { type NamePlan, NO_BASE, PLAN, plan } from './plan.ts';

/** Targets are below the first of the service's names: an address has one canonical name a service. */
export function reverseNames(compilation: Compilation, endpoints: readonly Endpoint[]): void {
  const { service, bases, context } = compilation;
  if (context.reverseZones.length === 0) return;
  const [base] = bases;
  for (const text of service.kind === 'clusterIp' ? new Set(service.clusterIps) : []) {
    const address = parseIp(text);
    const targets = () => [{ target: base, slot: ALWAYS_ANSWERED }];
    if (address !== undefined) compilation.plans.push(...ptrPlans(compilation, address, text, [], targets));
  }
  const areDistinct = compilation.hasDistinctAddresses;
  const sharing: Sharing = { keyOf: ({ address }) => address, areDistinct, keptAs: 'reversePlans' };
  addPlans(compilation.plans, endpoints, sharing, (members) => {
    const { address } = members[0];
    const named = members.every(({ label }) => fitsBelow(label, base)) ? members : [];
    if (named.length === 0 || service.clusterIps?.includes(address)) return [];
    const targets = () => named.map(({ label, instanceSlot: slot }) => ({ target: childName(label, base), slot }));
    return ptrPlans(compilation, named[0].rdata, address, named, targets);
  });
}

function ptrPlans(
  { service, context, fingerprint }: Compilation,
  address: Uint8Array,
  text: string,
  parts: readonly Fingerprint[],
  targets: () => readonly { target: WireName; slot: number }[],
): NamePlan[] {
  if (!context.reverseZones.some((zone) => isReversedIn(address, zone))) return [];
  // An address whose instance is dead is an address that nobody has: the name ends, and a fallthrough zone may know more.
  const { ttlSeconds } = service;
  const answering: Answering = { ttlSeconds, routing: 'multivalue', maxAnswers: 0, whenAllUnhealthy: 'nxdomain' };
  const naming = {
    base: NO_BASE,
    isBase: false,
    name: () => reverseWireName(address),
    fill(draft: NameDraft) {
      for (const { target, slot } of targets()) {
        rrsetOf(draft, TYPE.PTR, answering).records.push({ rdata: target, slot, weight: 1 });
      }
    },
  };
  return [plan(PLAN.REVERSE, fingerprint, text, parts, naming)];
}

const IN_ADDR_ARPA = parseName('in-addr.arpa.');
const IP6_ARPA = parseName('ip6.arpa.');

/** The whole tree of the family, nearly always: then no name needs to be made to know. */
function isReversedIn(address: Uint8Array, zone: WireName): boolean {
  const whole = address.length === 4 ? IN_ADDR_ARPA : IP6_ARPA;
  if (zone.length === whole.length) return isSubdomain(zone, whole);
  return isSubdomain(reverseWireName(address), zone);
}

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
