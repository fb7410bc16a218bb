// Native memory for one recvmmsg and one sendmmsg: headers and addresses of a whole batch, laid out once around packets that
// lie in the packet memory. Nothing here allocates after creation.
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
export interface PacketBatch {
  /** Reads what has arrived, without waiting: how many packets, or -1. */
  receive(fd: number): number;
  queryLength(i: number): number;
  /** The source address of packet `i`: 4 or 16 bytes, until the next batch. */
  client(i: number): Uint8Array;
  /** The source port of packet `i`. */
  port(i: number): number;
  /** Makes response number `to` answer query `from`, with so many bytes. */
  address(to: number, from: number, length: number): void;
  /** Sends responses 0 to `count`: how many the kernel took. */
  send(fd: number, count: number): number;
  /** What `restoreSender` needs to answer packet `i` later. */
  copySender(i: number): Uint8Array;
  restoreSender(i: number, sender: Uint8Array): void;
}

/**
 * For the packets of `memory`, which must be native: batches share it, one after another. `addressBytes` is the length of
 * the socket's sockaddr. `withControl`: replies leave from the address that was asked.
 */
export function createPacketBatch(
  libc: Libc,
  memory: PacketMemory,
  addressBytes: number,
  withControl: boolean,
): PacketBatch {
  const size = memory.slots;
  const packets = memory.address;
  if (packets === undefined) throw new Error('batches need packets in native memory');
  const receiveAt = 0;
  const sendAt = receiveAt + size * HEADER_BYTES;
  const receiveVectors = sendAt + size * HEADER_BYTES;
  const sendVectors = receiveVectors + size * IOVEC_BYTES;
  const addresses = sendVectors + size * IOVEC_BYTES;
  const controls = addresses + size * ADDRESS_BYTES;
  const end = controls + size * CONTROL_STRIDE;
  const headers = libc.allocate(end);
  const words = new Uint32Array(headers.buffer);
  const bytes = new Uint8Array(headers.buffer);
  const here = (offset: number) => headers.address + BigInt(offset);
  const low = (address: bigint) => Number(address & 0xffff_ffffn);
  const high = (address: bigint) => Number(address >> 32n);
  const addressLow = Uint32Array.from({ length: size }, (_, i) => low(here(addresses + i * ADDRESS_BYTES)));
  const addressHigh = Uint32Array.from({ length: size }, (_, i) => high(here(addresses + i * ADDRESS_BYTES)));
  const controlLow = Uint32Array.from({ length: size }, (_, i) => low(here(controls + i * CONTROL_STRIDE)));
  const controlHigh = Uint32Array.from({ length: size }, (_, i) => high(here(controls + i * CONTROL_STRIDE)));
  const setPointer = (at: number, to: bigint) => {
    words[at >> 2] = low(to);
    words[(at >> 2) + 1] = high(to);
  };

  for (let i = 0; i < size; i++) {
    const lay = (header: number, vector: number, packet: number, packetBytes: number) => {
      setPointer(header, here(addresses + i * ADDRESS_BYTES));
      words[(header + 8) >> 2] = addressBytes;
      setPointer(header + 16, here(vector));
      words[(header + 24) >> 2] = 1;
      if (withControl) {
        setPointer(header + 32, here(controls + i * CONTROL_STRIDE));
        words[(header + 40) >> 2] = CONTROL_BYTES;
      }
      setPointer(vector, packets + BigInt(packet));
      words[(vector + 8) >> 2] = packetBytes;
    };
    lay(receiveAt + i * HEADER_BYTES, receiveVectors + i * IOVEC_BYTES, memory.queryAt[i], QUERY_BYTES);
    lay(sendAt + i * HEADER_BYTES, sendVectors + i * IOVEC_BYTES, memory.responseAt[i], 0);
  }

  /** The kernel writes how long control data were; the next packet needs the room again. (Addresses are all of one length.) */
  const reset = (count: number): void => {
    for (let i = 0; i < count; i++) words[(receiveAt + i * HEADER_BYTES + 40) >> 2] = CONTROL_BYTES;
  };

  const sendPointer = here(sendAt);
  const receivePointer = here(receiveAt);
  let lastCount = size;

  const clients4 = views(bytes, addresses + 4, ADDRESS_BYTES, 4, size);
  const clients6 = views(bytes, addresses + 8, ADDRESS_BYTES, 16, size);

  return {
    receive(fd) {
      if (withControl) reset(lastCount);
      const count = libc.recvmmsg(fd, receivePointer, size, MSG_DONTWAIT, null);
      lastCount = Math.max(count, 0);
      return count;
    },
    queryLength: (i) => words[(receiveAt + i * HEADER_BYTES + 56) >> 2],
    client: (i) => (bytes[addresses + i * ADDRESS_BYTES] === AF_INET ? clients4[i] : clients6[i]),
    port(i) {
      const at = addresses + i * ADDRESS_BYTES + 2;
      return (bytes[at] << 8) | bytes[at + 1];
    },
    address(to, from, length) {
      const header = (sendAt + to * HEADER_BYTES) >> 2;
      words[header] = addressLow[from];
      words[header + 1] = addressHigh[from];
      if (withControl) {
        const source = (receiveAt + from * HEADER_BYTES) >> 2;
        words[header + 8] = controlLow[from];
        words[header + 9] = controlHigh[from];
        words[header + 10] = words[source + 10];
        forgetInterface(bytes, controls + from * CONTROL_STRIDE);
      }
      words[(sendVectors + to * IOVEC_BYTES + 8) >> 2] = length;
    },
    send(fd, count) {
      let sent = 0;
      let taken = 0;
      while (sent < count) {
        const pointer = sent === 0 ? sendPointer : sendPointer + BigInt(sent * HEADER_BYTES);
        const result = libc.sendmmsg(fd, pointer, count - sent, MSG_DONTWAIT);
        if (result > 0) taken += result;
        // The first of the rest could not be sent (no route, full buffer): it is lost, as packets may be.
        sent += result > 0 ? result : 1;
      }
      return taken;
    },
    copySender(i) {
      const address = addresses + i * ADDRESS_BYTES;
      const control = controls + i * CONTROL_STRIDE;
      // Small arrays lie in V8's own heap, as long as no view is made of them.
      const sender = new Uint8Array(ADDRESS_BYTES + (withControl ? 1 + CONTROL_STRIDE : 0));
      for (let at = 0; at < ADDRESS_BYTES; at++) sender[at] = bytes[address + at];
      if (withControl) {
        sender[ADDRESS_BYTES] = words[(receiveAt + i * HEADER_BYTES + 40) >> 2];
        sender.set(bytes.subarray(control, control + CONTROL_STRIDE), ADDRESS_BYTES + 1);
      }
      return sender;
    },
    restoreSender(i, sender) {
      const address = addresses + i * ADDRESS_BYTES;
      for (let at = 0; at < ADDRESS_BYTES; at++) bytes[address + at] = sender[at];
      if (!withControl) return;
      words[(receiveAt + i * HEADER_BYTES + 40) >> 2] = sender[ADDRESS_BYTES];
      bytes.set(sender.subarray(ADDRESS_BYTES + 1), controls + i * CONTROL_STRIDE);
    },
  };
}

/**
 * A reply leaves from the address that was asked, by whatever interface the routes say: only link-local IPv6 addresses
 * keep theirs. `at` is a cmsghdr with in_pktinfo (level 0) or in6_pktinfo (level 41) behind it.
 */
function forgetInterface(bytes: Uint8Array, at: number): void {
  const ipv6 = bytes[at + 8] === 41;
  if (ipv6 && bytes[at + 16] === 0xfe && (bytes[at + 17] & 0xc0) === 0x80) return;
  const index = ipv6 ? at + 32 : at + 16;
  for (let i = 0; i < 4; i++) bytes[index + i] = 0;
}

function views(bytes: Uint8Array, start: number, stride: number, length: number, count: number): Uint8Array[] {
  return Array.from({ length: count }, (_, i) => bytes.subarray(start + i * stride, start + i * stride + length));
}
