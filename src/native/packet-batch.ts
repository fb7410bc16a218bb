// Native memory for one recvmmsg and one sendmmsg: headers and addresses of a whole batch, set up once for packets in the
// packet memory. Nothing allocates after creation.
//
//   struct mmsghdr (64 bytes): name 0, namelen 8, iov 16, iovlen 24, control 32, controllen 40, flags 48, length 56
//   struct iovec (16 bytes):   base 0, length 8
import { AF_INET, type Libc, MSG_DONTWAIT } from './libc.ts';
import { type PacketMemory, QUERY_BYTES } from './packet-memory.ts';

const HEADER_BYTES = 64;
const IOVEC_BYTES = 16;
const ADDRESS_BYTES = 32;
/** cmsghdr (16), in6_pktinfo (20), padding. */
const CONTROL_BYTES = 40;
const CONTROL_STRIDE = 64;

export class PacketBatch {
  private readonly libc: Libc;
  private readonly withControl: boolean;
  private readonly size: number;
  /** Offsets of the parts in `bytes`; the headers of received packets are first. */
  private readonly sendAt: number;
  private readonly sendVectors: number;
  private readonly addresses: number;
  private readonly controls: number;
  private readonly words: Uint32Array;
  private readonly bytes: Uint8Array;
  private readonly receivePointer: bigint;
  private readonly sendPointer: bigint;
  /** The pointers to each address and control buffer, in halves. */
  private readonly addressPointers: readonly [low: Uint32Array, high: Uint32Array];
  private readonly controlPointers: readonly [low: Uint32Array, high: Uint32Array];
  private readonly clients4: readonly Uint8Array[];
  private readonly clients6: readonly Uint8Array[];
  private lastCount: number;

  /**
   * For the packets of `memory`, which must be native: batches share it, one after another. `addressBytes` is the length of
   * the socket's sockaddr. `withControl`: replies leave from the address that was queried.
   */
  constructor(libc: Libc, memory: PacketMemory, addressBytes: number, withControl: boolean) {
    const size = memory.slots;
    if (memory.address === undefined) throw new Error('batches need packets in native memory');
    const receiveVectors = 2 * size * HEADER_BYTES;
    this.libc = libc;
    this.withControl = withControl;
    this.size = size;
    this.lastCount = size;
    this.sendAt = size * HEADER_BYTES;
    this.sendVectors = receiveVectors + size * IOVEC_BYTES;
    this.addresses = this.sendVectors + size * IOVEC_BYTES;
    this.controls = this.addresses + size * ADDRESS_BYTES;
    const headers = libc.allocate(this.controls + size * CONTROL_STRIDE);
    this.words = new Uint32Array(headers.buffer);
    this.bytes = new Uint8Array(headers.buffer);
    this.receivePointer = headers.address;
    this.sendPointer = this.pointer(this.sendAt);
    this.addressPointers = this.pointers(this.addresses, ADDRESS_BYTES);
    this.controlPointers = this.pointers(this.controls, CONTROL_STRIDE);
    this.clients4 = this.views(this.addresses + 4, 4);
    this.clients6 = this.views(this.addresses + 8, 16);
    for (let i = 0; i < size; i++) {
      const query = memory.address + BigInt(memory.queryAt[i]);
      const response = memory.address + BigInt(memory.responseAt[i]);
      this.layOut(i, i * HEADER_BYTES, receiveVectors + i * IOVEC_BYTES, addressBytes, query, QUERY_BYTES);
      const sendHeader = this.sendAt + i * HEADER_BYTES;
      this.layOut(i, sendHeader, this.sendVectors + i * IOVEC_BYTES, addressBytes, response, 0);
    }
  }

  private layOut(
    i: number,
    header: number,
    vector: number,
    addressBytes: number,
    packet: bigint,
    length: number,
  ): void {
    const { words } = this;
    this.setPointer(header, this.pointer(this.addresses + i * ADDRESS_BYTES));
    words[(header + 8) >> 2] = addressBytes;
    this.setPointer(header + 16, this.pointer(vector));
    words[(header + 24) >> 2] = 1;
    if (this.withControl) {
      this.setPointer(header + 32, this.pointer(this.controls + i * CONTROL_STRIDE));
      words[(header + 40) >> 2] = CONTROL_BYTES;
    }
    this.setPointer(vector, packet);
    words[(vector + 8) >> 2] = length;
  }

  private pointer(offset: number): bigint {
    return this.receivePointer + BigInt(offset);
  }

  private setPointer(at: number, to: bigint): void {
    this.words[at >> 2] = low(to);
    this.words[(at >> 2) + 1] = high(to);
  }

  private pointers(start: number, stride: number): [Uint32Array, Uint32Array] {
    const all = Array.from({ length: this.size }, (_, i) => this.pointer(start + i * stride));
    return [Uint32Array.from(all, low), Uint32Array.from(all, high)];
  }

  private views(start: number, length: number): Uint8Array[] {
    const at = (i: number) => start + i * ADDRESS_BYTES;
    return Array.from({ length: this.size }, (_, i) => this.bytes.subarray(at(i), at(i) + length));
  }

  /** Receives without waiting. Returns the number of packets, or -1. */
  receive(fd: number): number {
    // The kernel overwrites the length of the control data; restore it for the next packet. (All addresses have one length.)
    if (this.withControl) {
      for (let i = 0; i < this.lastCount; i++) this.words[(i * HEADER_BYTES + 40) >> 2] = CONTROL_BYTES;
    }
    const count = this.libc.recvmmsg(fd, this.receivePointer, this.size, MSG_DONTWAIT, null);
    this.lastCount = Math.max(count, 0);
    return count;
  }

  queryLength(i: number): number {
    return this.words[(i * HEADER_BYTES + 56) >> 2];
  }

  /** The source address of packet `i`: 4 or 16 bytes, until the next batch. */
  client(i: number): Uint8Array {
    return this.bytes[this.addresses + i * ADDRESS_BYTES] === AF_INET ? this.clients4[i] : this.clients6[i];
  }

  /** The source port of packet `i`. */
  port(i: number): number {
    const at = this.addresses + i * ADDRESS_BYTES + 2;
    return (this.bytes[at] << 8) | this.bytes[at + 1];
  }

  /** Addresses response number `to` to the sender of query `from`, and sets its length. */
  address(to: number, from: number, length: number): void {
    const { words } = this;
    const header = (this.sendAt + to * HEADER_BYTES) >> 2;
    words[header] = this.addressPointers[0][from];
    words[header + 1] = this.addressPointers[1][from];
    if (this.withControl) {
      const source = (from * HEADER_BYTES) >> 2;
      words[header + 8] = this.controlPointers[0][from];
      words[header + 9] = this.controlPointers[1][from];
      words[header + 10] = words[source + 10];
      forgetInterface(this.bytes, this.controls + from * CONTROL_STRIDE);
    }
    words[(this.sendVectors + to * IOVEC_BYTES + 8) >> 2] = length;
  }

  /** Sends responses 0 to `count`. Returns the number that the kernel accepted. */
  send(fd: number, count: number): number {
    let sent = 0;
    let taken = 0;
    while (sent < count) {
      const pointer = sent === 0 ? this.sendPointer : this.sendPointer + BigInt(sent * HEADER_BYTES);
      const result = this.libc.sendmmsg(fd, pointer, count - sent, MSG_DONTWAIT);
      if (result > 0) taken += result;
      // The first of the rest could not be sent (no route, full buffer) and is lost.
      sent += result > 0 ? result : 1;
    }
    return taken;
  }

  /** Data for `restoreSender`, to answer packet `i` later. */
  copySender(i: number): Uint8Array {
    const address = this.addresses + i * ADDRESS_BYTES;
    const control = this.controls + i * CONTROL_STRIDE;
    // Small arrays are in V8's own heap, as long as no view of them is created.
    const sender = new Uint8Array(ADDRESS_BYTES + (this.withControl ? 1 + CONTROL_STRIDE : 0));
    for (let at = 0; at < ADDRESS_BYTES; at++) sender[at] = this.bytes[address + at];
    if (this.withControl) {
      sender[ADDRESS_BYTES] = this.words[(i * HEADER_BYTES + 40) >> 2];
      sender.set(this.bytes.subarray(control, control + CONTROL_STRIDE), ADDRESS_BYTES + 1);
    }
    return sender;
  }

  restoreSender(i: number, sender: Uint8Array): void {
    const address = this.addresses + i * ADDRESS_BYTES;
    for (let at = 0; at < ADDRESS_BYTES; at++) this.bytes[address + at] = sender[at];
    if (!this.withControl) return;
    this.words[(i * HEADER_BYTES + 40) >> 2] = sender[ADDRESS_BYTES];
    this.bytes.set(sender.subarray(ADDRESS_BYTES + 1), this.controls + i * CONTROL_STRIDE);
  }
}

const low = (address: bigint): number => Number(address & 0xffff_ffffn);
const high = (address: bigint): number => Number(address >> 32n);

/**
 * A reply leaves from the address that was queried, through the interface that routing selects; only link-local IPv6
 * addresses keep theirs. `at` is a cmsghdr with in_pktinfo (level 0) or in6_pktinfo (level 41) behind it.
 */
function forgetInterface(bytes: Uint8Array, at: number): void {
  const ipv6 = bytes[at + 8] === 41;
  if (ipv6 && bytes[at + 16] === 0xfe && (bytes[at + 17] & 0xc0) === 0x80) return;
  const index = ipv6 ? at + 32 : at + 16;
  for (let i = 0; i < 4; i++) bytes[index + i] = 0;
}
