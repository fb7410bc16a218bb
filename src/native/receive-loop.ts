// How a data thread waits. Node's event loop cannot wait for native sockets without reading from them, so it works the other
// way around: one poll() waits for the sockets and for the event loop's own epoll descriptor; when that is ready (changes from
// the control plane, upstream replies), the event loop runs one turn. A query does not cost a turn of the event loop, and an
// idle thread wakes up a few times a second, for timers.
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { Socket } from 'node:net';
import os from 'node:os';
import { type Libc, POLLIN, POLLNVAL, SOCK_CLOEXEC, SOCK_NONBLOCK } from './libc.ts';

const { EINTR } = os.constants.errno;

/** A socket, or an epoll descriptor for many sockets. */
export interface ReadableSocket {
  readonly fd: number;
  /** If `fd` is an epoll descriptor: a socket that it watches for as long as it exists. */
  readonly marker?: number;
  /** Answers at most one batch. Returns the number of packets; a full batch means that more have likely arrived. */
  drain(): number;
  /** Whether answering started something that needs the event loop since the last call. */
  beganLater(): boolean;
  readKernelDrops?(): void;
}

export interface ReceiveLoop {
  stop(): void;
}

const POLLFD_BYTES = 8;
/** Number of consecutive rounds after which the event loop gets a turn for its timers. */
const BATCHES_IN_A_ROW = 64;
const BATCHES_WITHOUT_POLL = 8;
const BUSY_PACKETS = 16;
/**
 * Number of non-waiting turns after the event loop had work: libuv starts watching a new descriptor (an accepted connection)
 * only at the beginning of its next turn, and reading it may create another one.
 */
const RESTLESS_TURNS = 4;
/** Pause after a failure of poll() or an invalid descriptor, which it would report again at once. */
const REST_MS = 100;

export interface LoopDeps {
  monotonicMs(): number;
  setTimeout(callback: () => void, ms: number): unknown;
  /** Maximum time between turns of the event loop. */
  readonly granularityMs: number;
  /** Milliseconds until the next required turn; infinite: none. */
  readonly nextDeadlineMs?: () => number;
  /** poll() failed, or a descriptor is invalid. */
  failed(): void;
}

/**
 * Waits for `sockets` from now on. Urgent work of the thread's event loop must be visible through a descriptor;
 * `granularityMs` limits the lateness of its timers. `eventLoopFd` is from `findEventLoopFd`.
 */
export function startReceiveLoop(
  libc: Libc,
  sockets: readonly ReadableSocket[],
  eventLoopFd: number,
  deps: LoopDeps,
): ReceiveLoop {
  const polled = createPollSet(libc, [...sockets.map(({ fd }) => fd), eventLoopFd], deps);
  let stopped = false;
  let restlessTurns = RESTLESS_TURNS;

  const turn = (): void => {
    if (stopped) return;
    const rests = restlessTurns === 0;
    if (!rests) restlessTurns--;
    // Measured between turns, however many queries arrive in between: with occasional queries, many waits add up to seconds.
    const endMs = deps.monotonicMs() + deps.granularityMs;
    for (let batches = 0; batches < BATCHES_IN_A_ROW; batches++) {
      const leftMs = Math.min(endMs - deps.monotonicMs(), deps.nextDeadlineMs?.() ?? Number.POSITIVE_INFINITY);
      if (leftMs <= 0 && batches > 0) break;
      const waitMs = rests ? Math.max(0, Math.ceil(leftMs)) : 0;
      const ready = polled.wait(waitMs);
      if (ready < 0) {
        // The sockets are read all the same, a few times a second.
        for (const socket of sockets) drainBusy(socket);
        deps.setTimeout(turn, REST_MS);
        return;
      }
      if (ready === 0) {
        if (waitMs > 0) for (const socket of sockets) socket.readKernelDrops?.();
        break;
      }
      let needsTurn = polled.isReady(sockets.length);
      for (let i = 0; i < sockets.length; i++) {
        if (polled.isReady(i) && drainBusy(sockets[i])) needsTurn = true;
      }
      if (needsTurn) {
        restlessTurns = RESTLESS_TURNS;
        break;
      }
    }
    setImmediate(turn);
  };
  setImmediate(turn);

  return {
    stop() {
      stopped = true;
    },
  };
}

/** Descriptors for poll(), laid out once. */
function createPollSet(libc: Libc, descriptors: readonly number[], deps: LoopDeps) {
  const count = descriptors.length;
  const memory = libc.allocate(count * POLLFD_BYTES);
  const fds = new Int32Array(memory.buffer);
  const events = new Int16Array(memory.buffer);
  descriptors.forEach((fd, i) => {
    fds[2 * i] = fd;
    events[4 * i + 2] = POLLIN;
  });

  /** poll() ignores negative descriptors. */
  const restInvalid = (i: number): void => {
    events[4 * i + 3] = 0;
    fds[2 * i] = -1;
    deps.failed();
    deps.setTimeout(() => {
      fds[2 * i] = descriptors[i];
    }, REST_MS);
  };

  return {
    /** The number of descriptors that are ready; -1: poll() failed. */
    wait(waitMs: number): number {
      const ready = libc.poll(memory.address, count, waitMs);
      if (ready > 0) {
        for (let i = 0; i < count; i++) if ((events[4 * i + 3] & POLLNVAL) !== 0) restInvalid(i);
        return ready;
      }
      if (ready === 0 || libc.errno() === EINTR) return 0;
      deps.failed();
      return -1;
    },
    isReady: (i: number): boolean => events[4 * i + 3] !== 0,
  };
}

/** Under load more packets arrive while a batch is answered, so poll() is skipped. */
function drainBusy(socket: ReadableSocket): boolean {
  for (let batches = 0; batches < BATCHES_WITHOUT_POLL && socket.drain() >= BUSY_PACKETS; batches++);
  return socket.beganLater();
}

/** libuv adds a descriptor to epoll when the loop waits next. */
const MOST_TURNS = 10;

/**
 * The epoll descriptor of this thread's event loop: the one that watches a pipe opened in this thread. Undefined if it cannot be
 * found (no /proc).
 */
export async function findEventLoopFd(libc: Libc): Promise<number | undefined> {
  const ends = new Int32Array(2);
  if (libc.pipe2(new Uint8Array(ends.buffer), SOCK_CLOEXEC | SOCK_NONBLOCK) < 0) return undefined;
  const [fd, writeEnd] = ends;
  const marker = new Socket({ fd, writable: false }).on('error', () => {});
  try {
    for (let turns = 0; turns < MOST_TURNS; turns++) {
      await new Promise((resolve) => setImmediate(resolve));
      const found = epollDescriptors().find((candidate) => watches(candidate, fd));
      if (found !== undefined) return found;
    }
    return undefined;
  } catch {
    return undefined;
  } finally {
    marker.destroy();
    libc.close(writeEnd);
  }
}

function epollDescriptors(): number[] {
  return readdirSync('/proc/self/fd')
    .filter((name) => linkOf(name) === 'anon_inode:[eventpoll]')
    .map(Number);
}

function linkOf(name: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${name}`);
  } catch {
    return ''; // closed meanwhile by another thread
  }
}

/** proc(5): an epoll descriptor's fdinfo has a line `tfd: <descriptor> …` for each that it watches. */
function watches(epoll: number, fd: number): boolean {
  try {
    return new RegExp(`^tfd:\\s*${fd}\\s`, 'm').test(readFileSync(`/proc/self/fdinfo/${epoll}`, 'utf8'));
  } catch {
    return false;
  }
}
