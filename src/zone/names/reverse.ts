// PTR records of the addresses that a service publishes: cluster IPs (specification 2.3.3) and endpoints (2.4.3).
import { parseIp } from '../../dns/ip.ts';
import { MAX_NAME_BYTES } from '../../dns/limits.ts';
import { isSubdomain, parseName, type WireName } from '../../dns/name.ts';
import { TYPE } from '../../dns/types.ts';
import type { ResourceRecord } from '../../plane/records.ts';
import type { Compilation } from './compilation.ts';
import { type Endpoint, forEachName } from './endpoint.ts';
import { childName, fitsBelow } from './label.ts';
import { type Answering, addRRset, always, draftOf, published } from './published-name.ts';

export function reverseNamesOfClusterIps(compilation: Compilation): void {
  const { service, bases } = compilation;
  for (const text of new Set(service.clusterIps)) {
    const address = parseIp(text);
    if (address !== undefined) addPtr(compilation, address, [always(bases[0])]);
  }
}

/** Targets are below the first of the service's names: an address has one canonical name in a service. */
export function reverseNames(compilation: Compilation, endpoints: readonly Endpoint[]): void {
  const { service, bases, context, hasDistinctAddresses: areDistinct } = compilation;
  if (context.reverseZones.length === 0) return;
  const [base] = bases;
  forEachName(endpoints, { keyOf: ({ address }) => address, areDistinct }, (members) => {
    const [{ address, rdata }] = members;
    if (!members.every(({ label }) => fitsBelow(label, base)) || service.clusterIps?.includes(address)) return;
    const targets = members.map(({ label, instanceSlot: slot }) => ({
      rdata: childName(label, base),
      slot,
      weight: 1,
    }));
    addPtr(compilation, rdata, targets);
  });
}

function addPtr(
  { service: { ttlSeconds }, names, context }: Compilation,
  address: Uint8Array,
  targets: ResourceRecord[],
): void {
  const name = reverseWireName(address);
  if (!context.reverseZones.some((zone) => isSubdomain(name, zone))) return;
  // The address of a dead instance has no name: NXDOMAIN, or another answer through fallthrough.
  const answering: Answering = { ttlSeconds, routing: 'multivalue', maxAnswers: 0, whenAllUnhealthy: 'nxdomain' };
  const draft = draftOf(name);
  addRRset(draft, TYPE.PTR, answering, targets);
  names.push(published(draft));
}

const IN_ADDR_ARPA = parseName('in-addr.arpa.');
const IP6_ARPA = parseName('ip6.arpa.');

/** RFC 1035 section 3.5 (4 bytes), RFC 3596 section 2.5 (16 bytes), straight to wire form. */
function reverseWireName(address: Uint8Array): WireName {
  const isIpv4 = address.length === 4;
  let end = 0;
  for (let i = address.length - 1; i >= 0; i--)
    end = isIpv4 ? putDecimal(address[i], end) : putNibbles(address[i], end);
  const suffix = isIpv4 ? IN_ADDR_ARPA : IP6_ARPA;
  for (let i = 0; i < suffix.length; i++) scratch[end + i] = suffix[i];
  return scratch.slice(0, end + suffix.length);
}

const scratch = new Uint8Array(MAX_NAME_BYTES);
const DIGIT_0 = 0x30;

/** A label. Returns where the next one begins. */
function putDecimal(byte: number, at: number): number {
  const digits = byte > 99 ? 3 : byte > 9 ? 2 : 1;
  scratch[at] = digits;
  for (let i = digits, rest = byte; i > 0; i--, rest = Math.floor(rest / 10)) scratch[at + i] = DIGIT_0 + (rest % 10);
  return at + 1 + digits;
}

function putNibbles(byte: number, at: number): number {
  scratch[at] = 1;
  scratch[at + 1] = hexDigit(byte & 15);
  scratch[at + 2] = 1;
  scratch[at + 3] = hexDigit(byte >> 4);
  return at + 4;
}

const hexDigit = (nibble: number): number => (nibble > 9 ? 0x61 - 10 : DIGIT_0) + nibble;
