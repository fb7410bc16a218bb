// An epoll descriptor with preallocated memory for its events. A socket is added with a tag, which its events contain.
//
//   struct epoll_event: events 0, data 4 (12 bytes, packed) on x86-64; events 0, data 8 (16 bytes) elsewhere
import { EPOLL_CLOEXEC, EPOLL_CTL_ADD, EPOLL_CTL_MOD, errorCode, type Libc } from './libc.ts';

export interface Epoll {
  readonly fd: number;
  /** False if it cannot be watched (no memory). */
  add(fd: number, tag: number, events: number): boolean;
  change(fd: number, tag: number, events: number): void;
  /** Does not wait. Returns the number of ready descriptors. */
  wait(): number;
  descriptor(i: number): number;
  tag(i: number): number;
  events(i: number): number;
  close(): void;
}

const DATA_WORD = process.arch === 'x64' ? 1 : 2;
const EVENT_WORDS = DATA_WORD + 2;

/** Reports at most `size` descriptors at once. Throws if no descriptor is left. */
export function createEpoll(libc: Libc, size: number): Epoll {
  const fd = libc.epoll_create1(EPOLL_CLOEXEC);
  if (fd < 0) throw new Error(`epoll: ${errorCode(libc.errno())}`);
  const memory = libc.allocate((size + 1) * EVENT_WORDS * 4);
  const words = new Int32Array(memory.buffer);
  /** The last event is for adding sockets. */
  const own = size * EVENT_WORDS;
  const ownAddress = memory.address + BigInt(own * 4);
  const control = (operation: number, watched: number, tag: number, events: number): number => {
    words[own] = events;
    words[own + DATA_WORD] = watched;
    words[own + DATA_WORD + 1] = tag;
    return libc.epoll_ctl(fd, operation, watched, ownAddress);
  };

  return {
    fd,
    add: (watched, tag, events) => control(EPOLL_CTL_ADD, watched, tag, events) === 0,
    change: (watched, tag, events) => void control(EPOLL_CTL_MOD, watched, tag, events),
    wait: () => libc.epoll_wait(fd, memory.address, size, 0),
    descriptor: (i) => words[i * EVENT_WORDS + DATA_WORD],
    tag: (i) => words[i * EVENT_WORDS + DATA_WORD + 1],
    events: (i) => words[i * EVENT_WORDS],
    close: () => void libc.close(fd),
  };
}
