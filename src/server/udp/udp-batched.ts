// UDP by recvmmsg and sendmmsg: one call reads what has arrived, one call answers it. Nothing is allocated per query.

import type { Libc } from '../../native/libc.ts';
import { createKernelDrops, openUdpSocket, shareAddress, stopReceiving } from '../../native/listening-socket.ts';
import { PacketBatch } from '../../native/packet-batch.ts';
import { createPacketMemory } from '../../native/packet-memory.ts';
import type { ReadableSocket } from '../../native/receive-loop.ts';
import type { SocketAddress } from '../../native/socket-address.ts';
import { boundAddress, composeSocketAddress, isWildcard } from '../../native/socket-address.ts';
import { arrivalOf, COUNTER } from '../../plane/counters.ts';
import type { Later, QueryHandler } from '../answer/query-handler.ts';
import type { UdpSocket } from './udp.ts';

export interface BatchedUdpOptions {
  /** Other threads bind the same address. */
  readonly shared: boolean;
  readonly receiveBufferBytes: number;
  readonly responseBytes: number;
}

/** Time for the kernel to finish queuing a packet that it was delivering. */
const IN_FLIGHT_MS = 1;
/** Of 64 packets: more than a receive buffer holds. Kernels before 5.9 go on filling it. */
const MOST_LAST_BATCHES = 256;

export interface BatchedUdpSocket extends UdpSocket, ReadableSocket {}

/** Binds at once; read by receive-loop.ts. Throws ListenError. */
// biome-ignore lint/complexity/noExcessiveLinesPerFunction: short functions over one socket's batch, whose memory V8 compiles in as constants
export function openBatchedUdp(
  libc: Libc,
  handler: QueryHandler,
  address: SocketAddress,
  options: BatchedUdpOptions,
): BatchedUdpSocket {
  const fd = openUdpSocket(libc, address, options);
  const wildcard = isWildcard(address.address);
  const addressBytes = composeSocketAddress(address).length;
  const batch = new PacketBatch(libc, handler.memory, addressBytes, wildcard);
  const lateMemory = createPacketMemory(1, options.responseBytes, libc.allocate);
  const late = new PacketBatch(libc, lateMemory, addressBytes, wildcard);
  const [lateResponse] = lateMemory.responses;
  const { counters, memory } = handler;
  const arrived = address.address.includes(':') ? COUNTER.UDP6 : COUNTER.UDP4;
  let open = true;
  let stopped = false;
  let began = false;
  const newKernelDrops = createKernelDrops(libc);

  /** The response may come before this returns, in the middle of a batch, so late responses have memory of their own. */
  const answerLater = (i: number, later: Later): void => {
    const sender = batch.copySender(i);
    later.resolve((response) => {
      if (!open || response.length === 0) return;
      const length = Math.min(response.length, lateResponse.length);
      lateResponse.set(response.subarray(0, length));
      late.restoreSender(0, sender);
      late.address(0, 0, length);
      if (late.send(fd, 1) === 0) counters[COUNTER.DROPPED_SEND]++;
    }, batch.client(i));
  };

  const drain = (): number => {
    const received = batch.receive(fd);
    if (received <= 0) return 0;
    counters[arrived] += received;
    counters[COUNTER.BATCHES]++;
    counters[COUNTER.BATCHED] += received;
    for (let i = 0; i < received; i++) handler.note(i, batch.queryLength(i));
    handler.touch(received);
    memory.arrival = arrivalOf(arrived);
    let count = 0;
    for (let i = 0; i < received; i++) {
      if (batch.port(i) === 0) {
        counters[COUNTER.DROPPED_PORT]++;
        continue;
      }
      const response = handler.respondSlot(i, batch.queryLength(i), count, false, batch.client(i), batch.port(i));
      if (typeof response !== 'number') {
        answerLater(i, response);
        began = true;
      } else if (response > 0) batch.address(count++, i, response);
    }
    if (count > 0) counters[COUNTER.DROPPED_SEND] += count - batch.send(fd, count);
    return received;
  };

  const drainAll = (): void => {
    for (let batches = 0; batches < MOST_LAST_BATCHES && drain() > 0; batches++);
  };

  /** Packets go to sockets that share the address from now on. Packets already queued here are answered. */
  const stop = async (): Promise<void> => {
    if (stopped) return;
    stopped = true;
    stopReceiving(libc, fd, address);
    drainAll();
    await new Promise((resolve) => setTimeout(resolve, IN_FLIGHT_MS));
    drainAll();
  };

  return {
    fd,
    mode: 'batched',
    bound: boundAddress(libc, fd),
    drain,
    beganLater() {
      const answer = began;
      began = false;
      return answer;
    },
    readKernelDrops() {
      counters[COUNTER.DROPPED_KERNEL] += newKernelDrops(fd);
    },
    share: (on) => shareAddress(libc, fd, on),
    stop,
    async close() {
      await stop();
      open = false;
      libc.close(fd);
    },
  };
}
