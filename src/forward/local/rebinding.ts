// DNS rebinding: a name of the outside that resolves to an address of the inside makes a browser attack what is near it.

import type { WireName } from '../../dns/name.ts';
import { isSubdomain, parseName } from '../../dns/name.ts';
import { TYPE } from '../../dns/types.ts';

/** Says which addresses may not come from upstreams, except for names at or below one of `allow`, and tells of each. */
export function createRebindingFilter(
  allow: readonly string[],
  dropped: () => void,
): (name: WireName, type: number, rdata: Uint8Array) => boolean {
  const allowed = allow.map((name) => parseName(name));
  return (name, type, rdata) => {
    const isPrivate = type === TYPE.A ? isPrivateIpv4(rdata, 0) : type === TYPE.AAAA && isPrivateIpv6(rdata);
    const isForbidden = isPrivate && !allowed.some((zone) => isSubdomain(name, zone));
    if (isForbidden) dropped();
    return isForbidden;
  };
}

/** RFC 6890: this network, private use, shared, loopback, link local. */
function isPrivateIpv4(bytes: Uint8Array, at: number): boolean {
  const [a, b] = [bytes[at], bytes[at + 1]];
  return (
    a === 0 ||
    a === 10 ||
    a === 127 ||
    (a === 100 && (b & 0xc0) === 64) ||
    (a === 169 && b === 254) ||
    (a === 172 && (b & 0xf0) === 16) ||
    (a === 192 && b === 168)
  );
}

/** Unspecified, loopback, unique local, link local, and IPv4 within IPv6 (mapped, and the well-known NAT64 prefix). */
function isPrivateIpv6(bytes: Uint8Array): boolean {
  if ((bytes[0] & 0xfe) === 0xfc || (bytes[0] === 0xfe && (bytes[1] & 0xc0) === 0x80)) return true;
  const leadingZeros = bytes.findIndex((byte) => byte !== 0);
  if (leadingZeros < 0 || (leadingZeros === 15 && bytes[15] === 1)) return true;
  if (leadingZeros === 10 && bytes[10] === 0xff && bytes[11] === 0xff) return isPrivateIpv4(bytes, 12);
  const nat64 = [0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0].every((byte, i) => bytes[i] === byte);
  return nat64 && isPrivateIpv4(bytes, 12);
}
