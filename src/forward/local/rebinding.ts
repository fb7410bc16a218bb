// DNS rebinding: an external name that resolves to an internal address lets a website attack the browser's network.

import type { WireName } from '../../dns/name.ts';
import { isSubdomain, parseName } from '../../dns/name.ts';
import { TYPE } from '../../dns/types.ts';

/** Recognises records that may not come from upstreams, except for names at or below one of `allow`, and reports each. */
export function createRebindingFilter(
  allow: readonly string[],
  dropped: () => void,
): (name: WireName, type: number, rdata: Uint8Array) => boolean {
  const allowed = allow.map((name) => parseName(name));
  return (name, type, rdata) => {
    const isPrivate = hasPrivateAddress(type, rdata);
    const isForbidden = isPrivate && !allowed.some((zone) => isSubdomain(name, zone));
    if (isForbidden) dropped();
    return isForbidden;
  };
}

function hasPrivateAddress(type: number, rdata: Uint8Array): boolean {
  if (type === TYPE.A) return isPrivateIpv4(rdata, 0);
  if (type === TYPE.AAAA) return isPrivateIpv6(rdata);
  return (type === TYPE.SVCB || type === TYPE.HTTPS) && hasPrivateHint(rdata);
}

const IPV4_HINT = 4;
const IPV6_HINT = 6;

/** RFC 9460 section 7.3. Clients connect to these addresses without asking for others. */
function hasPrivateHint(rdata: Uint8Array): boolean {
  let at = 2;
  while (at < rdata.length && rdata[at] !== 0) at += 1 + rdata[at];
  for (at += 1; at + 4 <= rdata.length; ) {
    const key = (rdata[at] << 8) | rdata[at + 1];
    const start = at + 4;
    at = start + ((rdata[at + 2] << 8) | rdata[at + 3]);
    const value = rdata.subarray(start, at);
    for (let i = 0; key === IPV4_HINT && i < value.length; i += 4) if (isPrivateIpv4(value, i)) return true;
    for (let i = 0; key === IPV6_HINT && i < value.length; i += 16)
      if (isPrivateIpv6(value.subarray(i, i + 16))) return true;
  }
  return false;
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
