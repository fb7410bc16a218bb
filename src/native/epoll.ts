// An epoll descriptor with memory for what it tells, laid out once. A socket is added with a tag of ours, which comes back
// with its descriptor.
//
//   struct epoll_event: events 0, data 4 (12 bytes, packed) on x86-64; events 0, data 8 (16 bytes) elsewhere
import { EPOLL_CLOEXEC, EPOLL_CTL_ADD, EPOLL_CTL_MOD, errorCode, type Libc } from './libc.ts';

export interface Epoll {
  readonly fd: number;
  /** False where it cannot be watched (no memory). */
  add(fd: number, tag: number, events: number): boolean;
  change(fd: number, tag: number, events: number): void;
  /** Does not wait: how many descriptors have something. */
  wait(): number;
  descriptor(i: number): number;
  tag(i: number): number;
  events(i: number): number;
  close(): void;
}

const DATA_WORD = process.arch === 'x64' ? 1 : 2;
const EVENT_WORDS = DATA_WORD + 2;

/** Tells of at most `size` descriptors at once. Throws where there is no descriptor left. */
export function createEpoll(libc: Libc, size: number): Epoll {
  const fd = libc.epoll_create1(EPOLL_CLOEXEC);
  if (fd < 0) throw new Error(`epoll: ${errorCode(libc.errno())}`);
  const memory = libc.allocate((size + 1) * EVENT_WORDS * 4);
  const words = new Int32Array(memory.buffer);
  /** The last is for what we say. */
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
