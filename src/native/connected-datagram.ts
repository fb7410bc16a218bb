// UDP sockets connected to one server each, so that datagrams from others are discarded. With system calls, replies are read
// in batches into preallocated memory and a query costs one send(); the receive loop waits for all these sockets through one
// epoll descriptor. On other platforms node:dgram is used.
import { createSocket } from 'node:dgram';
import { createEpoll, type Epoll } from './epoll.ts';
import { AF_INET, AF_INET6, EPOLLIN, errorCode, type Libc, MSG_DONTWAIT, SOCK_CLOEXEC, SOCK_DGRAM } from './libc.ts';
import type { ReadableSocket } from './receive-loop.ts';
import { composeSocketAddress } from './socket-address.ts';

export interface ConnectedSocket {
  /** Throws if it could not be sent, with `code`. True: it was sent, and an earlier datagram was refused. */
  send(message: Uint8Array): boolean;
  /** No event comes after it. */
  close(): void;
}

export interface SocketEvents {
  /** A datagram from the server's address and port; valid until the callback returns. */
  received(message: Uint8Array): void;
  /** A datagram from another sender, queued between bind and connect. */
  stranger(): void;
  /** ECONNREFUSED (ICMP port unreachable): the socket remains usable. After any other code it is not. */
  failed(code: string): void;
}

/** `address` is IPv4 or IPv6 text. The kernel selects the local port. Throws if none is left. */
export type OpenSocket = (address: string, port: number, events: SocketEvents) => ConnectedSocket;

export const openDatagram: OpenSocket = (address, port, events) => {
  const family = address.includes(':') ? 'udp6' : 'udp4';
  // Addresses are literal, so "lookup" answers at once and the socket is bound and connected when connect() returns.
  const socket = createSocket({
    type: family,
    lookup: (host, _options, done) => done(null, host, family === 'udp6' ? 6 : 4),
  });
  socket.on('message', (message, from) => {
    if (from.port === port && from.address === address) events.received(message);
    else events.stranger();
  });
  socket.on('error', (error: NodeJS.ErrnoException) => events.failed(error.code ?? error.message));
  socket.connect(port, address);
  return {
    send(message) {
      socket.send(message, 0, message.length);
      return false;
    },
    close() {
      socket.removeAllListeners();
      socket.on('error', () => {});
      socket.close();
    },
  };
};

/** Replies read at once from one socket. */
const BATCH = 32;
/** More than the advertised size (1232); longer replies are cut and count as truncated. */
const REPLY_BYTES = 4096;
const HEADER_BYTES = 64;
const NAME_BYTES = 32;
const IOVEC_BYTES = 16;
const MSG_TRUNC = 0x20;
const READY = 32;

interface NativeSocket {
  readonly fd: number;
  readonly events: SocketEvents;
  /** The server's sockaddr: family and port, then the address. */
  readonly server: Int32Array;
  open: boolean;
}

/** The sockets of one data thread. The constructor throws if no descriptor is available. */
export class NativeDatagrams implements ReadableSocket {
  private readonly libc: Libc;
  private readonly epoll: Epoll;
  private readonly memory: ReplyMemory;
  private readonly outgoing: bigint;
  private readonly outgoingBytes: Uint8Array;
  private readonly byFd = new Map<number, NativeSocket>();
  /** Never used: it tells this epoll descriptor from others. */
  readonly marker: number;

  constructor(libc: Libc) {
    this.libc = libc;
    this.epoll = createEpoll(libc, READY);
    this.marker = libc.socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (this.marker < 0 || !this.epoll.add(this.marker, 0, 0)) throw this.failure();
    this.memory = createReplyMemory(libc);
    const outgoing = libc.allocate(REPLY_BYTES);
    this.outgoing = outgoing.address;
    this.outgoingBytes = new Uint8Array(outgoing.buffer);
  }

  get fd(): number {
    return this.epoll.fd;
  }

  open(address: string, port: number, events: SocketEvents): ConnectedSocket {
    const { libc, byFd } = this;
    const server = composeSocketAddress({ address, port });
    const fd = libc.socket(server[0] === AF_INET ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) throw this.failure();
    if (libc.connect(fd, server, server.length) !== 0 || !this.epoll.add(fd, 0, EPOLLIN)) {
      const error = this.failure();
      libc.close(fd);
      throw error;
    }
    const socket: NativeSocket = { fd, events, server: new Int32Array(server.buffer), open: true };
    byFd.set(fd, socket);
    return {
      send: (message) => this.send(fd, message),
      close() {
        if (!socket.open) return;
        socket.open = false;
        byFd.delete(fd);
        // This also removes it from the epoll set.
        libc.close(fd);
      },
    };
  }

  drain(): number {
    const count = this.epoll.wait();
    let packets = 0;
    for (let i = 0; i < count; i++) {
      const socket = this.byFd.get(this.epoll.descriptor(i));
      if (socket !== undefined) packets += this.read(socket);
    }
    return packets;
  }

  /** Handling a reply may set a timer. */
  beganLater(): boolean {
    return true;
  }

  close(): void {
    this.libc.close(this.marker);
    this.epoll.close();
  }

  private send(fd: number, message: Uint8Array): boolean {
    const { libc, outgoing, outgoingBytes } = this;
    for (let i = 0; i < message.length; i++) outgoingBytes[i] = message[i];
    if (libc.send(fd, outgoing, message.length, MSG_DONTWAIT) >= 0) return false;
    // An earlier datagram was refused, which no other call reports, and this one was not sent.
    const refused = errorCode(libc.errno()) === 'ECONNREFUSED';
    if (refused && libc.send(fd, outgoing, message.length, MSG_DONTWAIT) >= 0) return true;
    throw this.failure();
  }

  private read(socket: NativeSocket): number {
    const received = this.memory.receive(socket.fd);
    if (received < 0) {
      const code = errorCode(this.libc.errno());
      if (code !== 'EAGAIN' && code !== 'EINTR') socket.events.failed(code);
      return 0;
    }
    for (let i = 0; i < received && socket.open; i++) {
      if (this.memory.isFrom(i, socket.server)) socket.events.received(this.memory.message(i));
      else socket.events.stranger();
    }
    return received;
  }

  private failure(): NodeJS.ErrnoException {
    const code = errorCode(this.libc.errno());
    return Object.assign(new Error(code), { code });
  }
}

interface ReplyMemory {
  /** How many datagrams were read; -1: see errno. */
  receive(fd: number): number;
  /** Valid until the next `receive`. */
  message(i: number): Uint8Array;
  isFrom(i: number, server: Int32Array): boolean;
}

/** As in packet-batch.ts: struct mmsghdr has name 0, namelen 8, iov 16, iovlen 24, flags 48, length 56. */
function createReplyMemory(libc: Libc): ReplyMemory {
  const names = BATCH * HEADER_BYTES;
  const vectors = names + BATCH * NAME_BYTES;
  const replies = vectors + BATCH * IOVEC_BYTES;
  const memory = libc.allocate(replies + BATCH * REPLY_BYTES);
  const words = new Int32Array(memory.buffer);
  const bytes = new Uint8Array(memory.buffer);
  const pointers = new BigUint64Array(memory.buffer);
  for (let i = 0; i < BATCH; i++) {
    const header = i * HEADER_BYTES;
    pointers[header >> 3] = memory.address + BigInt(names + i * NAME_BYTES);
    words[(header + 8) >> 2] = NAME_BYTES;
    pointers[(header + 16) >> 3] = memory.address + BigInt(vectors + i * IOVEC_BYTES);
    pointers[(header + 24) >> 3] = 1n;
    pointers[(vectors + i * IOVEC_BYTES) >> 3] = memory.address + BigInt(replies + i * REPLY_BYTES);
    pointers[(vectors + i * IOVEC_BYTES + 8) >> 3] = BigInt(REPLY_BYTES);
  }
  return {
    receive(fd) {
      const count = libc.recvmmsg(fd, memory.address, BATCH, MSG_DONTWAIT, null);
      for (let i = 0; i < count; i++) words[(i * HEADER_BYTES + 8) >> 2] = NAME_BYTES;
      return count;
    },
    message(i) {
      const start = replies + i * REPLY_BYTES;
      const length = words[(i * HEADER_BYTES + 56) >> 2];
      if ((words[(i * HEADER_BYTES + 48) >> 2] & MSG_TRUNC) !== 0) bytes[start + 2] |= 0x02; // TC: retried over TCP.
      return bytes.subarray(start, start + length);
    },
    isFrom(i, server) {
      const at = (names + i * NAME_BYTES) >> 2;
      // Flow label and scope of IPv6 (words 1 and 6) are not the sender's address.
      if (words[at] !== server[0]) return false;
      if (server.length === 4) return words[at + 1] === server[1];
      for (let word = 2; word < 6; word++) if (words[at + word] !== server[word]) return false;
      return true;
    },
  };
}
