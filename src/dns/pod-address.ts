// Kubernetes pod names spell an address: "1-2-3-4" is 1.2.3.4, "fd00--1" is fd00::1 (DNS-Based Service Discovery 2.3.4).

const DASH = 0x2d;

/**
 * Reads the address that the label at `at` (its length byte, lower case) spells into `address`: 4 or 16 bytes, 0 where it
 * spells none.
 */
export function readPodAddress(name: Uint8Array, at: number, address: Uint8Array): number {
  return readIpv4(name, at, address) || readIpv6(name, at, address);
}

function readIpv4(name: Uint8Array, at: number, address: Uint8Array): number {
  const end = at + 1 + name[at];
  let part = 0;
  let value = -1;
  for (let i = at + 1; i < end; i++) {
    const byte = name[i];
    if (byte === DASH) {
      if (value < 0 || part === 3) return 0;
      address[part++] = value;
      value = -1;
      continue;
    }
    // No leading zeros: one address, one name.
    if (byte < 0x30 || byte > 0x39 || value === 0) return 0;
    value = (value < 0 ? 0 : value * 10) + byte - 0x30;
    if (value > 255) return 0;
  }
  if (part !== 3 || value < 0) return 0;
  address[3] = value;
  return 4;
}

function readIpv6(name: Uint8Array, at: number, address: Uint8Array): number {
  const end = at + 1 + name[at];
  let groups = 0;
  /** How many groups stand before "--"; -1 where there is none. */
  let gap = -1;
  let i = at + 1;
  if (name[i] === DASH && name[i + 1] === DASH && name[at] >= 2) {
    gap = 0;
    i += 2;
  }
  while (i < end) {
    let value = 0;
    let digits = 0;
    for (; i < end && name[i] !== DASH; i++, digits++) {
      const digit = hexDigit(name[i]);
      if (digit < 0 || digits === 4) return 0;
      value = (value << 4) | digit;
    }
    if (digits === 0 || groups === 8) return 0;
    address[2 * groups] = value >>> 8;
    address[2 * groups + 1] = value;
    groups++;
    if (i === end) break;
    i++;
    if (i < end && name[i] === DASH) {
      if (gap >= 0) return 0;
      gap = groups;
      i++;
    } else if (i === end) return 0;
  }
  if (gap < 0) return groups === 8 ? 16 : 0;
  if (groups > 7) return 0;
  spread(address, gap, groups);
  return 16;
}

/** Moves the groups after the gap to the end and fills the gap with zeros. */
function spread(address: Uint8Array, gap: number, groups: number): void {
  const missing = 2 * (8 - groups);
  for (let i = 2 * groups - 1; i >= 2 * gap; i--) address[i + missing] = address[i];
  for (let i = 2 * gap; i < 2 * gap + missing; i++) address[i] = 0;
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  return byte >= 0x61 && byte <= 0x66 ? byte - 0x57 : -1;
}
