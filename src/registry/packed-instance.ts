// An instance in packed form: a few words of its own, and an object shared with its neighbors. Unpacked (an object, its
// arrays, its texts) it takes 400 bytes. bench/RESULTS.md, "Memory per instance": the shared object saves 91 bytes,
// addresses as numbers 33.
import type { HealthCheck, Instance, ServicePort } from './model.ts';
import { type PackedFacts, packFacts } from './packed-time.ts';

/** The part that instances of one object (an EndpointSlice) nearly always share. */
export interface Common extends PackedFacts {
  readonly ports: readonly ServicePort[];
  /** SAME_AS_ID for pods of StatefulSets. */
  readonly hostname: string | typeof SAME_AS_ID | undefined;
  readonly cluster: string | undefined;
  readonly weight: number;
  readonly attributes: Instance['attributes'];
  readonly healthCheck: HealthCheck | undefined;
}

const SAME_AS_ID = Symbol('the hostname is the id');

/** `neighbour` itself, if equal. */
export function commonOf(instance: Instance, neighbour: Common | undefined): Common {
  const { ports, cluster, weight, attributes, healthCheck } = instance;
  const { stated, seconds } = packFacts(instance.facts);
  const hostname = instance.hostname === instance.id ? SAME_AS_ID : instance.hostname;
  const isSame =
    neighbour !== undefined &&
    neighbour.ports === ports &&
    neighbour.hostname === hostname &&
    neighbour.cluster === cluster &&
    neighbour.weight === weight &&
    neighbour.attributes === attributes &&
    neighbour.healthCheck === healthCheck &&
    neighbour.stated === stated &&
    neighbour.seconds === seconds;
  return isSame ? neighbour : { ports, hostname, cluster, weight, attributes, healthCheck, stated, seconds };
}

export const hostnameOf = ({ hostname }: Common, id: string): string | undefined =>
  hostname === SAME_AS_ID ? id : hostname;

/** An IPv4 address is stored as its 32 bits, which V8 keeps in place of a pointer; others as text. */
export type PackedAddress = number | string;
/** One needs no array. */
export type PackedAddresses = PackedAddress | readonly PackedAddress[];

export function packAddresses(addresses: readonly string[]): PackedAddresses {
  return addresses.length === 1 ? packAddress(addresses[0]) : addresses.map(packAddress);
}

/** Compares without unpacking. */
export function sameAddresses(one: PackedAddresses, other: PackedAddresses): boolean {
  if (typeof one !== 'object' || typeof other !== 'object') return one === other;
  return one.length === other.length && one.every((address, i) => address === other[i]);
}

function packAddress(address: string): PackedAddress {
  const bits = bitsOf(address);
  return bits !== undefined && textOf(bits) === address ? bits : address;
}

export function unpackAddresses(packed: PackedAddresses): readonly string[] {
  return typeof packed === 'object' ? packed.map(unpackAddress) : [unpackAddress(packed)];
}

export const unpackAddress = (packed: PackedAddress): string => (typeof packed === 'number' ? textOf(packed) : packed);

/** A text that is not an IPv4 address may have bits as well, but not bits with that text. */
function bitsOf(text: string): number | undefined {
  let bits = 0;
  let byte = 0;
  let dots = 0;
  for (let at = 0; at < text.length; at++) {
    const digit = text.charCodeAt(at) - 48;
    if (digit >= 0 && digit <= 9) byte = (byte * 10 + digit) & 255;
    else if (digit !== DOT) return undefined;
    else {
      bits = (bits << 8) | byte;
      byte = 0;
      dots++;
    }
  }
  return dots === 3 ? (bits << 8) | byte : undefined;
}

/** "." less "0" */
const DOT = -2;

const textOf = (bits: number): string => `${bits >>> 24}.${(bits >>> 16) & 255}.${(bits >>> 8) & 255}.${bits & 255}`;
