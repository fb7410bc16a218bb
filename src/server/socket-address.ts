// Addresses as the kernel has them: struct sockaddr_in and sockaddr_in6.
import { formatIp, parseIp } from '../dns/ip.ts';
import type { SocketAddress } from '../plane/settings.ts';
import { AF_INET, AF_INET6 } from './libc.ts';

export const SOCKADDR_BYTES = 28;

/** Throws RangeError where the text is no address. */
export function composeSocketAddress({ address, port }: SocketAddress): Uint8Array {
  const ip = parseIp(address);
  if (ip === undefined) throw new RangeError(`"${address}" is not an IPv4 or IPv6 address`);
  const bytes = new Uint8Array(ip.length === 4 ? 16 : SOCKADDR_BYTES);
  bytes[0] = ip.length === 4 ? AF_INET : AF_INET6;
  bytes[2] = port >>> 8;
  bytes[3] = port;
  bytes.set(ip, ip.length === 4 ? 4 : 8);
  return bytes;
}

export function parseSocketAddress(bytes: Uint8Array): SocketAddress {
  const ip = bytes[0] === AF_INET ? bytes.subarray(4, 8) : bytes.subarray(8, 24);
  return { address: formatIp(ip), port: (bytes[2] << 8) | bytes[3] };
}

/** 0.0.0.0 or ::, where a reply must be told which of our addresses it leaves from. */
export function isWildcard(address: string): boolean {
  return parseIp(address)?.every((byte) => byte === 0) ?? false;
}

/** "127.0.0.1:53", "[::1]:53". */
export function formatSocketAddress({ address, port }: SocketAddress): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
