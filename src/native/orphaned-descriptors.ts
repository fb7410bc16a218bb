// Closes the native sockets of a dead data thread. An epoll descriptor stands for the sockets that it watches (the listening
// socket and every connection), so that a thread need not report each accepted connection.
import { closeSync, readFileSync } from 'node:fs';

/** Closes each descriptor, and before an epoll descriptor everything that it watches (Linux only). */
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
    // It was closed already.
  }
}
