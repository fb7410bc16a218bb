// How a data thread waits. Node's event loop cannot wait for native sockets without reading from them, so it works the other
// way around: one poll() waits for the sockets and for the event loop's own epoll descriptor; when that is ready (changes from
// the control plane, upstream replies), the event loop runs one turn. A query does not cost a turn of the event loop, and an
// idle thread wakes up a few times a second, for timers.
import { once } from 'node:events';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { type Libc, POLLIN } from './libc.ts';

/** A socket, or an epoll descriptor for many sockets. */
export interface ReadableSocket {
  readonly fd: number;
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

export interface TimersWait {
  monotonicMs(): number;
  /** Maximum time between turns of the event loop. */
  readonly granularityMs: number;
  /** Milliseconds until the next required turn; infinite: none. */
  readonly nextDeadlineMs?: () => number;
}

/**
 * Waits for `sockets` from now on. Urgent work of the thread's event loop must be visible through a descriptor; `timers`
 * limits the lateness of its timers. `eventLoopFd` is from `findEventLoopFd`.
 */
export function startReceiveLoop(
  libc: Libc,
  sockets: readonly ReadableSocket[],
  eventLoopFd: number,
  timers: TimersWait,
): ReceiveLoop {
  const count = sockets.length + 1;
  const memory = libc.allocate(count * POLLFD_BYTES);
  const fds = new Int32Array(memory.buffer);
  const events = new Int16Array(memory.buffer);
  [...sockets.map(({ fd }) => fd), eventLoopFd].forEach((fd, i) => {
    fds[2 * i] = fd;
    events[4 * i + 2] = POLLIN;
  });
  let stopped = false;
  let restlessTurns = RESTLESS_TURNS;

  const turn = (): void => {
    if (stopped) return;
    const rests = restlessTurns === 0;
    if (!rests) restlessTurns--;
    // Measured between turns, however many queries arrive in between: with occasional queries, many waits add up to seconds.
    const endMs = timers.monotonicMs() + timers.granularityMs;
    for (let batches = 0; batches < BATCHES_IN_A_ROW; batches++) {
      const leftMs = Math.min(endMs - timers.monotonicMs(), timers.nextDeadlineMs?.() ?? Number.POSITIVE_INFINITY);
      if (leftMs <= 0 && batches > 0) break;
      const waitMs = rests ? Math.max(0, Math.ceil(leftMs)) : 0;
      const ready = libc.poll(memory.address, count, waitMs);
      if (ready <= 0) {
        if (waitMs > 0) for (const socket of sockets) socket.readKernelDrops?.();
        break;
      }
      let needsTurn = events[4 * sockets.length + 3] !== 0;
      for (let i = 0; i < sockets.length; i++) {
        if (events[4 * i + 3] !== 0 && drainBusy(sockets[i])) needsTurn = true;
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

/** Under load more packets arrive while a batch is answered, so poll() is skipped. */
function drainBusy(socket: ReadableSocket): boolean {
  for (let batches = 0; batches < BATCHES_WITHOUT_POLL && socket.drain() >= BUSY_PACKETS; batches++);
  return socket.beganLater();
}

/**
 * The epoll descriptor of this thread's event loop: the one that watches a socket opened in this thread. Undefined if it
 * cannot be found (no /proc).
 */
export async function findEventLoopFd(): Promise<number | undefined> {
  const marker = createServer();
  try {
    marker.listen({ host: '127.0.0.1', port: 0, exclusive: true });
    await once(marker, 'listening');
    // libuv adds descriptors to epoll when the loop next waits.
    for (let turns = 0; turns < 3; turns++) await new Promise((resolve) => setTimeout(resolve, 1));
    const { fd } = (marker as unknown as { _handle: { fd: number } })._handle;
    return epollDescriptors().find((candidate) => watches(candidate, fd));
  } catch {
    return undefined;
  } finally {
    marker.close();
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
