// Capture files: pcap (https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-04.html) and pcapng
// (https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-02.html).
import type { Bytes } from './bytes.ts';

export interface Frame {
  /** From 1, as Wireshark counts. */
  readonly number: number;
  /** Of the record or block in the file. */
  readonly offset: number;
  /** LINKTYPE_…; undefined: of an interface that was not described. */
  readonly linkType: number | undefined;
  /** Valid until the next frame is read. */
  readonly bytes: Buffer;
}

/** Bytes that no capture file has. */
export class Damaged extends Error {
  override readonly name = 'Damaged';
}

/** Wireshark's limit: 256 KiB a packet. */
const MAX_PACKET_BYTES = 262_144;
/** Options come after the packet. */
const MAX_PACKET_BLOCK_BYTES = 2 * MAX_PACKET_BYTES;
const MAX_INTERFACES = 65_536;

const PCAP_MAGICS = [0xa1b2c3d4, 0xa1b23c4d];
const SECTION_HEADER = 0x0a0d0d0a;
const BYTE_ORDER_MAGIC = 0x1a2b3c4d;

/** By the first four bytes. */
export function isPcap(beginning: Buffer): boolean {
  return beginning.length >= 4 && [beginning.readUInt32LE(0), beginning.readUInt32BE(0)].some(isPcapMagic);
}

const isPcapMagic = (magic: number): boolean => PCAP_MAGICS.includes(magic);

export const isPcapng = (beginning: Buffer): boolean =>
  beginning.length >= 4 && beginning.readUInt32BE(0) === SECTION_HEADER;

/** Rejects with Damaged or CutShort. */
export async function* readPcap(bytes: Bytes): AsyncGenerator<Frame> {
  const header = (await bytes.take(24))!;
  const isLittle = isPcapMagic(header.readUInt32LE(0));
  const linkType = readUint32(header, 20, isLittle) & 0xffff; // Above: the length of the frame check sequence.
  for (let number = 1; ; number++) {
    const { offset } = bytes;
    const record = await bytes.take(16);
    if (record === undefined) return;
    const length = readUint32(record, 8, isLittle);
    if (length > MAX_PACKET_BYTES) {
      throw new Damaged(`packet ${number} at byte ${offset}: a length of ${length} bytes is not plausible`);
    }
    yield { number, offset, linkType, bytes: (await bytes.take(length)) ?? endOfPacket(number, offset, length) };
  }
}

function endOfPacket(number: number, offset: number, length: number): Buffer {
  if (length === 0) return Buffer.alloc(0);
  throw new Damaged(`packet ${number} at byte ${offset}: ${length} bytes expected, but the input ends there`);
}

const BLOCK = { INTERFACE: 1, OLD_PACKET: 2, SIMPLE_PACKET: 3, ENHANCED_PACKET: 6 };

interface Section {
  isLittle: boolean;
  /** Link types and snapshot lengths of its interfaces. */
  interfaces: { readonly linkType: number; readonly snapBytes: number }[];
}

/** Rejects with Damaged or CutShort. */
export async function* readPcapng(bytes: Bytes): AsyncGenerator<Frame> {
  const section: Section = { isLittle: true, interfaces: [] };
  let number = 0;
  for (;;) {
    const { offset } = bytes;
    const block = await readBlock(bytes, section);
    if (block === undefined) return;
    if (block.type === BLOCK.INTERFACE) {
      if (section.interfaces.length === MAX_INTERFACES) throw new Damaged(`byte ${offset}: too many interfaces`);
      const snapBytes = readUint32(block.body, 4, section.isLittle);
      section.interfaces.push({ linkType: readUint16(block.body, 0, section.isLittle), snapBytes });
      continue;
    }
    const packet = readPacket(block, section);
    if (packet === undefined) continue;
    if (typeof packet === 'string') throw new Damaged(`packet ${number + 1} at byte ${offset}: ${packet}`);
    yield { number: ++number, offset, ...packet };
  }
}

interface Block {
  readonly type: number;
  readonly body: Buffer;
}

/** Blocks that hold neither an interface nor a packet have no body: they are skipped. */
async function readBlock(bytes: Bytes, section: Section): Promise<Block | undefined> {
  const { offset } = bytes;
  const start = await bytes.peek(12);
  if (start.length === 0) return undefined;
  if (start.length >= 12 && start.readUInt32BE(0) === SECTION_HEADER) {
    section.isLittle = start.readUInt32LE(8) === BYTE_ORDER_MAGIC;
    section.interfaces = [];
    if (!section.isLittle && start.readUInt32BE(8) !== BYTE_ORDER_MAGIC)
      throw new Damaged(`byte ${offset}: a section without a byte-order magic`);
  }
  const header = (await bytes.take(8))!;
  const type = readUint32(header, 0, section.isLittle);
  const length = readUint32(header, 4, section.isLittle);
  if (length < 12 || length % 4 !== 0) throw new Damaged(`byte ${offset}: a block length of ${length} is not possible`);
  const isRead = Object.values(BLOCK).includes(type);
  if (isRead && length > MAX_PACKET_BLOCK_BYTES) {
    throw new Damaged(`byte ${offset}: a block length of ${length} bytes is not plausible`);
  }
  if (!isRead) await bytes.skip(length - 12);
  const body = (isRead && length > 12 && (await bytes.take(length - 12))) || Buffer.alloc(0);
  const end = await bytes.take(4);
  if (end === undefined || readUint32(end, 0, section.isLittle) !== length) {
    throw new Damaged(`byte ${offset}: a block without its length of ${length} bytes at its end`);
  }
  if (isRead && body.length < MIN_BODY_BYTES[type]!) throw new Damaged(`byte ${offset}: a block that is too short`);
  return { type, body };
}

const MIN_BODY_BYTES: Record<number, number> = {
  [BLOCK.INTERFACE]: 8,
  [BLOCK.OLD_PACKET]: 20,
  [BLOCK.SIMPLE_PACKET]: 4,
  [BLOCK.ENHANCED_PACKET]: 20,
};

/** undefined: not a packet; a string: what is wrong with it. */
function readPacket(
  { type, body }: Block,
  { isLittle, interfaces }: Section,
): Pick<Frame, 'linkType' | 'bytes'> | string | undefined {
  if (type === BLOCK.SIMPLE_PACKET) {
    const { linkType, snapBytes = 0 } = interfaces[0] ?? {};
    const wireBytes = readUint32(body, 0, isLittle);
    const length = snapBytes === 0 ? wireBytes : Math.min(wireBytes, snapBytes);
    return { linkType, bytes: body.subarray(4, 4 + length) };
  }
  if (type !== BLOCK.ENHANCED_PACKET && type !== BLOCK.OLD_PACKET) return undefined;
  const length = readUint32(body, 12, isLittle);
  if (length > body.length - 20) return `a captured length of ${length} bytes exceeds its block`;
  const which = type === BLOCK.ENHANCED_PACKET ? readUint32(body, 0, isLittle) : readUint16(body, 0, isLittle);
  return { linkType: interfaces[which]?.linkType, bytes: body.subarray(20, 20 + length) };
}

const readUint32 = (bytes: Buffer, at: number, isLittle: boolean): number =>
  isLittle ? bytes.readUInt32LE(at) : bytes.readUInt32BE(at);
const readUint16 = (bytes: Buffer, at: number, isLittle: boolean): number =>
  isLittle ? bytes.readUInt16LE(at) : bytes.readUInt16BE(at);
