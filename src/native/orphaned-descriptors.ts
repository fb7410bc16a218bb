// Closes the native sockets of a dead data thread. An epoll descriptor stands for the sockets that it watches (the listening
// socket and every connection), so that a thread need not report each accepted connection. The process uses the numbers of
// closed descriptors again, so each is closed only if it still is what was reported.
import { closeSync, readFileSync, readlinkSync } from 'node:fs';

export interface ReportedDescriptor {
  readonly fd: number;
  /** `socket:[inode]` of the socket, or of one that the epoll descriptor watches for as long as it exists. */
  readonly socket: string;
}

/** `marker` is `fd` itself or a socket that it watches. Undefined if there is no /proc. */
export function reportDescriptor(fd: number, marker = fd): ReportedDescriptor | undefined {
  const socket = linkOf(marker);
  return socket.startsWith('socket:') ? { fd, socket } : undefined;
}

/** Closes each descriptor, and before an epoll descriptor everything that it watches. */
export function closeOrphans(descriptors: readonly ReportedDescriptor[]): void {
  for (const { fd, socket } of descriptors) {
    const watched = watchedBy(fd);
    if (linkOf(fd) !== socket && !watched.some((one) => one.socket === socket)) continue;
    for (const one of watched) if (linkOf(one.fd) === one.socket) close(one.fd);
    close(fd);
  }
}

/** proc(5): the fdinfo of an epoll descriptor has a line `tfd: <descriptor> … ino:<hexadecimal>` for each that it watches. */
function watchedBy(fd: number): ReportedDescriptor[] {
  try {
    const lines = readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8').matchAll(/^tfd:\s*(\d+)\s.*\bino:([0-9a-f]+)/gm);
    return Array.from(lines, ([, watched, inode]) => ({
      fd: Number(watched),
      socket: `socket:[${Number.parseInt(inode, 16)}]`,
    }));
  } catch {
    return []; // It is closed already.
  }
}

function linkOf(fd: number): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return '';
  }
}

function close(fd: number): void {
  try {
    closeSync(fd);
  } catch {
    // It was closed already.
  }
}
