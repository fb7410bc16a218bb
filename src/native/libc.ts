// Socket calls that Node lacks, through koffi. Only for Linux on little-endian 64-bit machines: the layouts and constants
// are those of x86-64 and arm64, with glibc and musl.
import { createRequire } from 'node:module';
import os from 'node:os';

/** Native addresses are bigints. All calls return -1 on failure, with the cause in `errno`. */
export interface Libc {
  socket(domain: number, type: number, protocol: number): number;
  bind(fd: number, address: Uint8Array, length: number): number;
  getsockname(fd: number, address: Uint8Array, length: Uint8Array): number;
  setsockopt(fd: number, level: number, option: number, value: Uint8Array, length: number): number;
  getsockopt(fd: number, level: number, option: number, value: Uint8Array, length: Uint8Array): number;
  recvmmsg(fd: number, messages: bigint, count: number, flags: number, timeout: null): number;
  sendmmsg(fd: number, messages: bigint, count: number, flags: number): number;
  connect(fd: number, address: Uint8Array, length: number): number;
  listen(fd: number, backlog: number): number;
  /** `address` and `length` may both be null. */
  accept4(fd: number, address: bigint | null, length: bigint | null, flags: number): number;
  recv(fd: number, to: bigint, bytes: number, flags: number): number;
  send(fd: number, from: bigint | Uint8Array, bytes: number, flags: number): number;
  epoll_create1(flags: number): number;
  epoll_ctl(epoll: number, operation: number, fd: number, event: bigint): number;
  epoll_wait(epoll: number, events: bigint, count: number, timeoutMs: number): number;
  poll(fds: bigint, count: number, timeoutMs: number): number;
  ioctl(fd: number, request: number, value: bigint): number;
  shutdown(fd: number, how: number): number;
  /** The flags have the values of SOCK_NONBLOCK and SOCK_CLOEXEC. */
  pipe2(ends: Uint8Array, flags: number): number;
  close(fd: number): number;
  errno(): number;
  /** Zeroed memory at a fixed address for as long as its buffer, or a view of it, is referenced. */
  allocate(bytes: number): NativeMemory;
}

export interface NativeMemory {
  readonly address: bigint;
  readonly buffer: ArrayBuffer;
}

export const AF_INET = 2;
export const AF_INET6 = 10;
export const SOCK_STREAM = 1;
export const SOCK_DGRAM = 2;
export const SOCK_NONBLOCK = 0o4000;
export const SOCK_CLOEXEC = 0o2000000;
export const SOL_SOCKET = 1;
export const SO_REUSEADDR = 2;
export const SO_SNDBUF = 7;
export const SO_RCVBUF = 8;
export const SO_LINGER = 13;
export const SO_REUSEPORT = 15;
export const SO_RCVBUFFORCE = 33;
export const SO_MEMINFO = 55;
/** Index of the drop count in SO_MEMINFO. */
export const SK_MEMINFO_DROPS = 8;
export const IPPROTO_IP = 0;
export const IP_PKTINFO = 8;
export const IPPROTO_TCP = 6;
export const TCP_NODELAY = 1;
export const IPPROTO_IPV6 = 41;
export const IPV6_V6ONLY = 26;
export const IPV6_RECVPKTINFO = 49;
export const MSG_DONTWAIT = 0x40;
export const MSG_NOSIGNAL = 0x4000;
export const SHUT_WR = 1;
export const SIOCOUTQ = 0x5411;
export const POLLIN = 1;
export const POLLNVAL = 32;
export const EPOLLIN = 1;
export const EPOLLOUT = 4;
export const EPOLLERR = 8;
export const EPOLLHUP = 16;
export const EPOLLET = 0x8000_0000 | 0;
export const EPOLL_CLOEXEC = SOCK_CLOEXEC;
export const EPOLL_CTL_ADD = 1;
export const EPOLL_CTL_MOD = 3;

/** The calls, or the reason why they are not available. */
export function loadLibc(): Libc | string {
  if (process.platform !== 'linux') return `batched UDP requires Linux, this is ${process.platform}`;
  if (process.arch !== 'x64' && process.arch !== 'arm64') return `batched UDP does not support ${process.arch}`;
  try {
    return declare(createRequire(import.meta.url)('koffi'));
  } catch (error) {
    return `koffi cannot be used: ${(error as Error).message.split('\n')[0]}`;
  }
}

/** <malloc.h> */
const M_TRIM_THRESHOLD = -1;
const TRIM_BYTES = 128 * 1024;

/**
 * glibc retains freed memory: each of V8's compiler threads ends up with some unused megabytes (20 MB in total under a flood
 * of misses). With a fixed threshold free() returns the end of each heap; the default threshold grows with use. Applies to
 * the whole process; does nothing without glibc or koffi (musl has no such call, and retains less).
 */
export function trimFreedMemory(): void {
  try {
    const libc = createRequire(import.meta.url)('koffi').load(null);
    libc.func('int mallopt(int parameter, int value)')(M_TRIM_THRESHOLD, TRIM_BYTES);
  } catch {
    // Optional.
  }
}

/** Freed memory in the middle of the heap goes back to the kernel, too. Does nothing without glibc or koffi. */
export function returnFreedMemory(): void {
  try {
    createRequire(import.meta.url)('koffi')
      .load(null)
      .func('int malloc_trim(size_t pad)')(0);
  } catch {
    // Optional.
  }
}

/** The used part of koffi's API. */
interface Koffi {
  load(path: null): { func(prototype: string): never };
  address(buffer: ArrayBuffer): bigint;
  errno(): number;
}

function declare(koffi: Koffi): Libc {
  const process = koffi.load(null);
  return {
    socket: process.func('int socket(int domain, int type, int protocol)'),
    bind: process.func('int bind(int fd, const void *address, unsigned int length)'),
    getsockname: process.func('int getsockname(int fd, void *address, void *length)'),
    setsockopt: process.func('int setsockopt(int fd, int level, int name, const void *value, unsigned int length)'),
    getsockopt: process.func('int getsockopt(int fd, int level, int name, void *value, void *length)'),
    recvmmsg: process.func('int recvmmsg(int fd, void *messages, unsigned int count, int flags, void *timeout)'),
    sendmmsg: process.func('int sendmmsg(int fd, void *messages, unsigned int count, int flags)'),
    connect: process.func('int connect(int fd, const void *address, unsigned int length)'),
    listen: process.func('int listen(int fd, int backlog)'),
    accept4: process.func('int accept4(int fd, void *address, void *length, int flags)'),
    recv: process.func('long recv(int fd, void *to, unsigned long bytes, int flags)'),
    send: process.func('long send(int fd, const void *from, unsigned long bytes, int flags)'),
    epoll_create1: process.func('int epoll_create1(int flags)'),
    epoll_ctl: process.func('int epoll_ctl(int epoll, int operation, int fd, void *event)'),
    epoll_wait: process.func('int epoll_wait(int epoll, void *events, int count, int timeout)'),
    poll: process.func('int poll(void *fds, unsigned long count, int timeout)'),
    ioctl: process.func('int ioctl(int fd, unsigned long request, void *value)'),
    shutdown: process.func('int shutdown(int fd, int how)'),
    pipe2: process.func('int pipe2(void *ends, int flags)'),
    close: process.func('int close(int fd)'),
    errno: koffi.errno,
    allocate(bytes) {
      // V8 does not move the memory of an ArrayBuffer, and frees it with the thread. That of koffi.alloc() is never freed.
      const buffer = new ArrayBuffer(bytes);
      return { address: koffi.address(buffer), buffer };
    },
  };
}

/** Why the calls for batches are refused (seccomp, an old kernel); undefined: they are available. */
export function refusedCall(libc: Libc): string | undefined {
  const fd = libc.socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return `socket() is refused: ${errorCode(libc.errno())}`;
  try {
    const memory = libc.allocate(64);
    if (libc.sendmmsg(fd, memory.address, 0, MSG_DONTWAIT) < 0)
      return `sendmmsg() is refused: ${errorCode(libc.errno())}`;
    const received = libc.recvmmsg(fd, memory.address, 0, MSG_DONTWAIT, null);
    const code = received < 0 ? errorCode(libc.errno()) : 'EAGAIN';
    if (code !== 'EAGAIN' && code !== 'EWOULDBLOCK') return `recvmmsg() is refused: ${code}`;
    return refusedEpoll(libc);
  } finally {
    libc.close(fd);
  }
}

function refusedEpoll(libc: Libc): string | undefined {
  const epoll = libc.epoll_create1(EPOLL_CLOEXEC);
  if (epoll < 0) return `epoll_create1() is refused: ${errorCode(libc.errno())}`;
  libc.close(epoll);
  // An invalid descriptor: only permitted callers get that error.
  if (libc.accept4(-1, null, null, 0) < 0 && errorCode(libc.errno()) !== 'EBADF')
    return `accept4() is refused: ${errorCode(libc.errno())}`;
  return undefined;
}

/** "EADDRINUSE" for 98, … */
export function errorCode(errno: number): string {
  const known = Object.entries(os.constants.errno).find(([, number]) => number === errno);
  return known?.[0] ?? `errno ${errno}`;
}
