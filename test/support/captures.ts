// Writes capture files and dnstap streams, to be read by src/shadow/questions. It shares nothing with what it tests.
import { bytes, number } from './protobuf-writer.ts';

export type Link = 'ethernet' | 'raw' | 'sll' | 'sll2' | 'null' | 'loop';

export const LINK_TYPES: Record<Link, number> = { null: 0, ethernet: 1, raw: 101, loop: 108, sll: 113, sll2: 276 };

export interface Endpoints {
  readonly source: Buffer;
  readonly destination: Buffer;
  readonly sourcePort: number;
  readonly port: number;
}

export const IPV4: Endpoints = {
  source: Buffer.of(10, 0, 0, 7),
  destination: Buffer.of(10, 96, 0, 10),
  sourcePort: 40_000,
  port: 53,
};
export const IPV6: Endpoints = {
  ...IPV4,
  source: Buffer.from('fd000000000000000000000000000007', 'hex'),
  destination: Buffer.from('fd000000000000000000000000000010', 'hex'),
};

const u16 = (...values: number[]): Buffer => Buffer.from(values.flatMap((value) => [(value >> 8) & 255, value & 255]));
const u32 = (value: number): Buffer => u16(value >>> 16, value & 0xffff);

export const udp = ({ sourcePort, port }: Endpoints, payload: Buffer): Buffer =>
  Buffer.concat([u16(sourcePort, port, 8 + payload.length, 0), payload]);

export interface TcpOptions {
  readonly sequence?: number;
  readonly flags?: number;
}

const TCP_OPTIONS = Buffer.from('0101080a0000000000000000', 'hex');

export const tcp = ({ sourcePort, port }: Endpoints, payload: Buffer, options: TcpOptions = {}): Buffer =>
  Buffer.concat([
    u16(sourcePort, port),
    u32(options.sequence ?? 1),
    u32(1),
    Buffer.of(0x80, options.flags ?? 0x18),
    u16(64_240, 0, 0),
    TCP_OPTIONS,
    payload,
  ]);

/** `fragment`: the word of flags and offset; `extensions`: of IPv6, as [type, bytes without the next header]. */
export interface IpOptions {
  readonly protocol: 6 | 17 | 1;
  readonly fragment?: number;
  readonly extensions?: readonly (readonly [number, Buffer])[];
}

export function ip({ source, destination }: Endpoints, segment: Buffer, options: IpOptions): Buffer {
  if (source.length === 4) {
    const header = [Buffer.of(0x45, 0), u16(20 + segment.length, 7, options.fragment ?? 0)];
    return Buffer.concat([...header, Buffer.of(64, options.protocol, 0, 0), source, destination, segment]);
  }
  const extensions = options.extensions ?? [];
  const types = [...extensions.map(([type]) => type), options.protocol];
  const body = extensions.map(([, rest], index) => Buffer.concat([Buffer.of(types[index + 1]!), rest]));
  const payload = Buffer.concat([...body, segment]);
  const header = [Buffer.of(0x60, 0, 0, 0), u16(payload.length), Buffer.of(types[0]!, 64), source, destination];
  return Buffer.concat([...header, payload]);
}

/** `vlans`: EtherType and tag of each, the outermost first. */
export function frame(link: Link, packet: Buffer, vlans: readonly (readonly [number, number])[] = []): Buffer {
  const isIpv4 = packet[0]! >> 4 === 4;
  const types = u16(...vlans.flat(), isIpv4 ? 0x0800 : 0x86dd);
  switch (link) {
    case 'ethernet':
      return Buffer.concat([Buffer.alloc(12, 2), types, packet, Buffer.alloc(Math.max(0, 46 - packet.length))]);
    case 'sll':
      return Buffer.concat([Buffer.alloc(14), types, packet]);
    case 'sll2':
      return Buffer.concat([types.subarray(0, 2), Buffer.alloc(18), types.subarray(2), packet]);
    case 'null':
      return Buffer.concat([Buffer.of(isIpv4 ? 2 : 30, 0, 0, 0), packet]);
    case 'loop':
      return Buffer.concat([Buffer.of(0, 0, 0, isIpv4 ? 2 : 30), packet]);
    case 'raw':
      return packet;
  }
}

export interface CaptureOptions {
  readonly link?: Link;
  readonly isBigEndian?: boolean;
  /** Nanoseconds in the timestamps of pcap. */
  readonly isNano?: boolean;
}

export function pcap(
  frames: readonly Buffer[],
  { link = 'ethernet', isBigEndian, isNano }: CaptureOptions = {},
): Buffer {
  const word = wordWriter(isBigEndian);
  const header = [isNano ? 0xa1b23c4d : 0xa1b2c3d4, isBigEndian ? 0x00020004 : 0x00040002, 0, 0, 262_144];
  const records = frames.flatMap((one, index) => [...[index, 0, one.length, one.length].map(word), one]);
  return Buffer.concat([...[...header, LINK_TYPES[link]].map(word), ...records]);
}

/** One section with one interface. `simple`: Simple Packet Blocks. */
export function pcapng(
  frames: readonly Buffer[],
  { link = 'ethernet', isBigEndian, simple }: CaptureOptions & { readonly simple?: boolean } = {},
): Buffer {
  const word = wordWriter(isBigEndian);
  const block = (type: number, body: Buffer) => {
    const padded = Buffer.concat([body, Buffer.alloc(-body.length & 3)]);
    return Buffer.concat([word(type), word(12 + padded.length), padded, word(12 + padded.length)]);
  };
  const versions = isBigEndian ? 0x00010000 : 0x00000001;
  const section = block(0x0a0d0d0a, Buffer.concat([0x1a2b3c4d, versions, 0xffffffff, 0xffffffff].map(word)));
  const linkWord = isBigEndian ? LINK_TYPES[link] * 0x10000 : LINK_TYPES[link];
  const statistics = block(5, Buffer.alloc(12));
  const packets = frames.map((one) =>
    simple
      ? block(3, Buffer.concat([word(one.length), one]))
      : block(6, Buffer.concat([...[0, 0, 0, one.length, one.length].map(word), one])),
  );
  return Buffer.concat([section, block(1, Buffer.concat([linkWord, 0].map(word))), statistics, ...packets, statistics]);
}

const wordWriter = (isBigEndian: boolean | undefined) => (value: number) => {
  const bytes = Buffer.alloc(4);
  if (isBigEndian) bytes.writeUInt32BE(value);
  else bytes.writeUInt32LE(value);
  return bytes;
};

/** A frame stream in one direction. `messages`: dnstap's type, socket protocol (1 UDP, 2 TCP), the DNS message. */
export function dnstap(messages: readonly { type: number; protocol: number; message: Buffer }[]): Buffer {
  const frames = messages.map((one) => lengthAndBytes(dnstapMessage(one)));
  return Buffer.concat([control(2, 'protobuf:dnstap.Dnstap'), ...frames, control(3)]);
}

export function dnstapMessage({
  type,
  protocol,
  message,
}: {
  type: number;
  protocol: number;
  message: Buffer;
}): Buffer {
  const isResponse = type % 2 === 0;
  const body = [
    number(1, type),
    number(2, 1),
    number(3, protocol),
    bytes(4, Buffer.of(10, 0, 0, 7)),
    number(6, 40_000),
  ];
  return Buffer.concat([bytes(1, 'server'), bytes(14, ...body, bytes(isResponse ? 14 : 10, message)), number(15, 1)]);
}

export function control(type: number, contentType?: string): Buffer {
  const field = contentType === undefined ? [] : [u32(1), lengthAndBytes(Buffer.from(contentType))];
  return Buffer.concat([u32(0), lengthAndBytes(Buffer.concat([u32(type), ...field]))]);
}

export const lengthAndBytes = (content: Buffer): Buffer => Buffer.concat([u32(content.length), content]);

/** With the length that TCP puts before a message. */
export const framed = (message: Buffer): Buffer => Buffer.concat([u16(message.length), message]);
