// UDP by recvmmsg and sendmmsg: one call reads what has arrived, one call answers it. Nothing is allocated per query.

import {
  AF_INET,
  AF_INET6,
  errorCode,
  IP_PKTINFO,
  IPPROTO_IP,
  IPPROTO_IPV6,
  IPV6_RECVPKTINFO,
  IPV6_V6ONLY,
  type Libc,
  SK_MEMINFO_DROPS,
  SO_MEMINFO,
  SO_RCVBUF,
  SO_RCVBUFFORCE,
  SO_REUSEPORT,
  SOCK_CLOEXEC,
  SOCK_DGRAM,
  SOL_SOCKET,
} from '../../native/libc.ts';
import { listenError } from '../../native/listen-error.ts';
import { createPacketBatch } from '../../native/packet-batch.ts';
import { createPacketMemory } from '../../native/packet-memory.ts';
import type { ReadableSocket } from '../../native/receive-loop.ts';
import type { SocketAddress } from '../../native/socket-address.ts';
import { boundAddress, composeSocketAddress, isWildcard } from '../../native/socket-address.ts';
import { COUNTER } from '../../plane/counters.ts';
import { LATER } from '../answer/respond.ts';
import type { QueryHandler } from '../query-handler.ts';
import type { UdpSocket } from './udp.ts';

export interface BatchedUdpOptions {
  /** Other threads bind the same address. */
  readonly shared: boolean;
  readonly receiveBufferBytes: number;
  readonly responseBytes: number;
}

export interface BatchedUdpSocket extends UdpSocket, ReadableSocket {}

/** Binds at once; read by receive-loop.ts. Throws ListenError. */
export function openBatchedUdp(
  libc: Libc,
  handler: QueryHandler,
  address: SocketAddress,
  options: BatchedUdpOptions,
): BatchedUdpSocket {
  const fd = openSocket(libc, address, options);
  const wildcard = isWildcard(address.address);
  const addressBytes = composeSocketAddress(address).length;
  const batch = createPacketBatch(libc, handler.memory, addressBytes, wildcard);
  const lateMemory = createPacketMemory(1, options.responseBytes, libc.allocate);
  const late = createPacketBatch(libc, lateMemory, addressBytes, wildcard);
  const [lateResponse] = lateMemory.responses;
  const { counters } = handler;
  const arrived = address.address.includes(':') ? COUNTER.UDP6 : COUNTER.UDP4;
  let open = true;
  let began = false;
  let kernelDrops = 0;

  /** `respondLater` may reply before it returns, in the middle of a batch, so late replies have memory of their own. */
  const answerLater = (i: number): void => {
    const sender = batch.copySender(i);
    handler.respondLater(handler.memory.queries[i].slice(0, batch.queryLength(i)), false, (response) => {
      if (!open || response.length === 0) return;
      const length = Math.min(response.length, lateResponse.length);
      lateResponse.set(response.subarray(0, length));
      late.restoreSender(0, sender);
      late.address(0, 0, length);
      if (late.send(fd, 1) === 0) counters[COUNTER.DROPPED_SEND]++;
    });
  };

  const drain = (): number => {
    const received = batch.receive(fd);
    if (received <= 0) return 0;
    counters[arrived] += received;
    counters[COUNTER.BATCHES]++;
    counters[COUNTER.BATCHED] += received;
    for (let i = 0; i < received; i++) handler.note(i, batch.queryLength(i));
    handler.touch(received);
    let count = 0;
    for (let i = 0; i < received; i++) {
      if (batch.port(i) === 0) {
        counters[COUNTER.DROPPED_PORT]++;
        continue;
      }
      const length = handler.respondSlot(
        i,
        batch.queryLength(i),
        count,
        false,
        handler.wantsClient ? batch.client(i) : undefined,
      );
      if (length > 0) batch.address(count++, i, length);
      else if (length === LATER) {
        answerLater(i);
        began = true;
      }
    }
    if (count > 0) counters[COUNTER.DROPPED_SEND] += count - batch.send(fd, count);
    return received;
  };

  const meminfo = new Uint8Array(36);
  const meminfoLength = Uint8Array.of(36, 0, 0, 0);

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
      if (libc.getsockopt(fd, SOL_SOCKET, SO_MEMINFO, meminfo, meminfoLength) !== 0) return;
      const drops = new Uint32Array(meminfo.buffer)[SK_MEMINFO_DROPS];
      counters[COUNTER.DROPPED_KERNEL] += (drops - kernelDrops) >>> 0;
      kernelDrops = drops;
    },
    async close() {
      open = false;
      libc.close(fd);
    },
  };
}

function openSocket(libc: Libc, address: SocketAddress, options: BatchedUdpOptions): number {
  const sockaddr = composeSocketAddress(address);
  const ipv6 = sockaddr[0] === AF_INET6;
  const fd = libc.socket(ipv6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) throw listenError(address, 'udp', errorCode(libc.errno()));
  const set = (level: number, option: number, value: number) =>
    libc.setsockopt(fd, level, option, new Uint8Array(Int32Array.of(value).buffer), 4);
  if (ipv6) set(IPPROTO_IPV6, IPV6_V6ONLY, 1);
  if (options.shared) set(SOL_SOCKET, SO_REUSEPORT, 1);
  // With CAP_NET_ADMIN beyond net.core.rmem_max, else as much as that allows.
  if (set(SOL_SOCKET, SO_RCVBUFFORCE, options.receiveBufferBytes) !== 0) {
    set(SOL_SOCKET, SO_RCVBUF, options.receiveBufferBytes);
  }
  if (isWildcard(address.address)) {
    if (ipv6) set(IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
    else set(IPPROTO_IP, IP_PKTINFO, 1);
  }
  if (libc.bind(fd, sockaddr, sockaddr.length) !== 0) {
    const code = errorCode(libc.errno());
    libc.close(fd);
    throw listenError(address, 'udp', code);
  }
  return fd;
}
