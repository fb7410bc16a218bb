// Socket addresses in the kernel's format: struct sockaddr_in and sockaddr_in6.
import { formatIp, parseIp } from '../dns/ip.ts';
import { AF_INET, AF_INET6, type Libc } from './libc.ts';

export interface SocketAddress {
  /** IPv4 or IPv6 text, no brackets. */
  readonly address: string;
  readonly port: number;
}

export const SOCKADDR_BYTES = 28;

/** Throws RangeError if the text is not an address. */
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

function parseSocketAddress(bytes: Uint8Array): SocketAddress {
  return { address: formatIp(ipOf(bytes)), port: (bytes[2] << 8) | bytes[3] };
}

/** 4 or 16 bytes, in the same memory. */
export function ipOf(bytes: Uint8Array): Uint8Array {
  return bytes[0] === AF_INET ? bytes.subarray(4, 8) : bytes.subarray(8, 24);
}

/** With the actual port instead of port 0. */
export function boundAddress(libc: Libc, fd: number): SocketAddress {
  const bytes = new Uint8Array(SOCKADDR_BYTES);
  libc.getsockname(fd, bytes, Uint8Array.of(SOCKADDR_BYTES, 0, 0, 0));
  return parseSocketAddress(bytes);
}

/** 0.0.0.0 or ::, for which the source address of a reply must be set. */
export function isWildcard(address: string): boolean {
  return parseIp(address)?.every((byte) => byte === 0) ?? false;
}

/** "127.0.0.1:53", "[::1]:53". */
export function formatSocketAddress({ address, port }: SocketAddress): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

/** "fe80::1%eth0" → "fe80::1": the interface is not part of a client's address. */
export function withoutScope(address: string): string {
  const percent = address.indexOf('%');
  return percent < 0 ? address : address.slice(0, percent);
}
