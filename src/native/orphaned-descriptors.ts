// What a dead data thread leaves open: sockets that were never Node's. A listening epoll descriptor stands for the sockets it
// watches (the listening one and every connection), so that a thread need not tell of each connection it accepts.
import { closeSync, readFileSync } from 'node:fs';

/** Closes each, and first what it watches where it is an epoll descriptor (Linux; elsewhere there are none). */
export function closeOrphans(descriptors: readonly number[]): void {
  for (const fd of descriptors) {
    for (const watched of watchedBy(fd)) close(watched);
    close(fd);
  }
}

/** proc(5): an epoll descriptor's fdinfo has a line `tfd: <descriptor> …` for each that it watches. */
function watchedBy(fd: number): number[] {
  try {
    const lines = readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8').matchAll(/^tfd:\s*(\d+)\s/gm);
    return Array.from(lines, ([, watched]) => Number(watched));
  } catch {
    return []; // It is closed already.
  }
}

function close(fd: number): void {
  try {
    closeSync(fd);
  } catch {
    // It was closed already; there is nothing else to do for a dead thread's socket.
  }
}
