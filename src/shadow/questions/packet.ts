// A captured frame → what its transport layer carries: link layer, VLAN tags, IPv4 and IPv6 with extension headers, UDP, TCP.

export interface Segment {
  readonly protocol: 'udp' | 'tcp';
  readonly sourcePort: number;
  readonly port: number;
  /** Addresses and ports as bytes: the same for all packets of a connection in one direction. */
  readonly flow: string;
  readonly payload: Buffer;
  /** Of TCP. */
  readonly sequence: number;
  readonly isSyn: boolean;
  /** FIN or RST. */
  readonly isEnd: boolean;
}

/** https://www.tcpdump.org/linktypes.html */
const LINK = {
  NULL: 0,
  ETHERNET: 1,
  RAW: 101,
  LOOP: 108,
  LINUX_SLL: 113,
  IPV4: 228,
  IPV6: 229,
  LINUX_SLL2: 276,
};
/** DLT_RAW of some systems, written into files of theirs. */
const RAW_LINKS = [LINK.RAW, LINK.IPV4, LINK.IPV6, 12, 14];

const ETHERTYPE = { IPV4: 0x0800, IPV6: 0x86dd, VLANS: [0x8100, 0x88a8, 0x9100] };
const MAX_VLAN_TAGS = 4;
const NOT_IP = 'not IP';
const CUT = 'cut by the capture length (tcpdump -s)';

/** The segment; or, as a string, why there is none. Never throws, whatever the bytes. */
export function readSegment(linkType: number | undefined, frame: Buffer): Segment | string {
  const start = startOfIp(linkType, frame);
  if (typeof start === 'string') return start;
  if (start >= frame.length) return CUT;
  const version = frame[start]! >> 4;
  return version === 4 ? readIpv4(frame, start) : version === 6 ? readIpv6(frame, start) : NOT_IP;
}

function startOfIp(linkType: number | undefined, frame: Buffer): number | string {
  if (linkType === LINK.ETHERNET) return afterEthertype(frame, 12);
  if (linkType === LINK.LINUX_SLL) return afterEthertype(frame, 14);
  if (linkType === LINK.LINUX_SLL2) return afterEthertype(frame, 0, 20);
  if (linkType === LINK.NULL || linkType === LINK.LOOP) return 4;
  if (linkType !== undefined && RAW_LINKS.includes(linkType)) return 0;
  return `link type ${linkType ?? 'of an undescribed interface'} is not supported`;
}

/** The offset after an EtherType at `at` and the VLAN tags (802.1Q, 802.1ad) behind it; `next`: where those begin. */
function afterEthertype(frame: Buffer, at: number, next = at + 2): number | string {
  let type = at;
  let after = next;
  for (let tags = 0; after <= frame.length; tags++) {
    const value = frame.readUInt16BE(type);
    if (value === ETHERTYPE.IPV4 || value === ETHERTYPE.IPV6) return after;
    if (!ETHERTYPE.VLANS.includes(value) || tags === MAX_VLAN_TAGS) return NOT_IP;
    type = after + 2;
    after += 4;
  }
  return CUT;
}

function readIpv4(frame: Buffer, start: number): Segment | string {
  const headerBytes = (frame[start]! & 15) * 4;
  if (headerBytes < 20) return NOT_IP;
  if (start + headerBytes > frame.length) return CUT;
  const fragment = frame.readUInt16BE(start + 6);
  if ((fragment & 0x3fff) !== 0) return FRAGMENT;
  const totalBytes = frame.readUInt16BE(start + 2);
  // 0 where the network card divides segments (TSO).
  const end = totalBytes === 0 ? frame.length : start + totalBytes;
  const addresses = frame.toString('latin1', start + 12, start + 20);
  return readTransport(frame, { protocol: frame[start + 9]!, at: start + headerBytes, end, addresses });
}

/** A query never needs more than one packet; those that were divided all the same are not put together. */
const FRAGMENT = 'fragment';
const IPV6_HEADER_BYTES = 40;
const EXTENSION = { HOP_BY_HOP: 0, ROUTING: 43, FRAGMENT: 44, AUTHENTICATION: 51, DESTINATION: 60, MOBILITY: 135 };
const ORDINARY_EXTENSIONS = [EXTENSION.HOP_BY_HOP, EXTENSION.ROUTING, EXTENSION.DESTINATION, EXTENSION.MOBILITY];
const MAX_EXTENSIONS = 16;

function readIpv6(frame: Buffer, start: number): Segment | string {
  if (start + IPV6_HEADER_BYTES > frame.length) return CUT;
  const payloadBytes = frame.readUInt16BE(start + 4);
  const end = payloadBytes === 0 ? frame.length : start + IPV6_HEADER_BYTES + payloadBytes;
  const addresses = frame.toString('latin1', start + 8, start + 40);
  let protocol = frame[start + 6]!;
  let at = start + IPV6_HEADER_BYTES;
  for (let extensions = 0; extensions <= MAX_EXTENSIONS; extensions++) {
    const isOrdinary = ORDINARY_EXTENSIONS.includes(protocol);
    if (!isOrdinary && protocol !== EXTENSION.AUTHENTICATION && protocol !== EXTENSION.FRAGMENT) break;
    if (at + 8 > frame.length) return CUT;
    // An atomic fragment (RFC 6946) is whole.
    if (protocol === EXTENSION.FRAGMENT && (frame.readUInt16BE(at + 2) & 0xfff9) !== 0) return FRAGMENT;
    const bytes = isOrdinary
      ? (frame[at + 1]! + 1) * 8
      : protocol === EXTENSION.FRAGMENT
        ? 8
        : (frame[at + 1]! + 2) * 4;
    protocol = frame[at]!;
    at += bytes;
  }
  return readTransport(frame, { protocol, at, end, addresses });
}

const PROTOCOL = { TCP: 6, UDP: 17 };

interface Packet {
  readonly protocol: number;
  /** Where its header begins. */
  readonly at: number;
  /** Where the packet says that it ends; the capture may be shorter. */
  readonly end: number;
  readonly addresses: string;
}

function readTransport(frame: Buffer, { protocol, at, end, addresses }: Packet): Segment | string {
  if (protocol !== PROTOCOL.UDP && protocol !== PROTOCOL.TCP) return 'neither UDP nor TCP';
  const isTcp = protocol === PROTOCOL.TCP;
  if (at + (isTcp ? 20 : 8) > Math.min(frame.length, end)) return CUT;
  const ports = { sourcePort: frame.readUInt16BE(at), port: frame.readUInt16BE(at + 2) };
  const headerBytes = isTcp ? (frame[at + 12]! >> 4) * 4 : 8;
  const payloadEnd = isTcp ? end : Math.min(end, at + frame.readUInt16BE(at + 4));
  if (headerBytes < (isTcp ? 20 : 8) || payloadEnd < at + headerBytes) return 'malformed UDP or TCP header';
  if (payloadEnd > frame.length) return CUT;
  const flags = isTcp ? frame[at + 13]! : 0;
  return {
    protocol: isTcp ? 'tcp' : 'udp',
    ...ports,
    flow: addresses + frame.toString('latin1', at, at + 4),
    payload: frame.subarray(at + headerBytes, payloadEnd),
    sequence: isTcp ? frame.readUInt32BE(at + 4) : 0,
    isSyn: (flags & 0x02) !== 0,
    isEnd: (flags & 0x05) !== 0,
  };
}
