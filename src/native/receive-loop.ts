// How a data thread waits. Node's event loop cannot wait for our sockets without reading from them, so it is turned round:
// one poll() waits for the sockets and for the event loop's own epoll descriptor, and when that has something (changes from
// the control plane, replies of upstreams) the loop runs for one turn. A query costs no turn of the event loop, and an
// idle thread wakes a few times a second, for timers.
import { once } from 'node:events';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { type Libc, POLLIN } from './libc.ts';

/** A socket, or an epoll descriptor that stands for many. */
export interface ReadableSocket {
  readonly fd: number;
  /** Answers what has arrived, at most one batch: how many packets, where a full batch means that more has likely arrived. */
  drain(): number;
  /** Whether answering began something that needs the event loop, since it was last asked. */
  beganLater(): boolean;
  readKernelDrops?(): void;
}

export interface ReceiveLoop {
  stop(): void;
}

const POLLFD_BYTES = 8;
/** After so many rounds in a row the event loop gets a turn even if it did not ask: for its timers. */
const BATCHES_IN_A_ROW = 64;
const BATCHES_WITHOUT_POLL = 8;
const BUSY_PACKETS = 16;
/**
 * Turns of the event loop without waiting after it had something to do: libuv begins to watch a new descriptor (an accepted
 * connection) only when its next turn begins, and what it then reads may lead to another.
 */
const RESTLESS_TURNS = 4;

export interface TimersWait {
  monotonicMs(): number;
  /** The event loop has a turn at least so often. */
  readonly granularityMs: number;
  /** Milliseconds until it must have one; infinite: no such need now. */
  readonly nextDeadlineMs?: () => number;
}

/**
 * Waits for `sockets` from now on. The thread's event loop must have nothing that needs it at once without a descriptor
 * that says so: `timers` says how late its timers may be. `eventLoopFd` is from `findEventLoopFd`.
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
    // From one turn to the next, however many queries come between: with one every now and then, many waits make seconds.
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

/** Under load more has arrived while a batch was answered, so there is no need to ask poll() first. */
function drainBusy(socket: ReadableSocket): boolean {
  for (let batches = 0; batches < BATCHES_WITHOUT_POLL && socket.drain() >= BUSY_PACKETS; batches++);
  return socket.beganLater();
}

/**
 * The epoll descriptor of this thread's event loop: the one that watches a socket which we opened in this thread. Undefined
 * where the machine does not tell (no /proc).
 */
export async function findEventLoopFd(): Promise<number | undefined> {
  const marker = createServer();
  try {
    marker.listen({ host: '127.0.0.1', port: 0, exclusive: true });
    await once(marker, 'listening');
    // Descriptors are added to epoll when the loop next waits.
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
