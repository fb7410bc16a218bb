// Reports changes of the content of files. A ConfigMap mount is a symlink into a folder that is replaced as a whole: the file
// itself has no events, so folders are watched, and a slow poll catches changes that the kernel does not report.
import { createHash } from 'node:crypto';
import { type FSWatcher, watch } from 'node:fs';
import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Clock, Timer } from '../clock.ts';
import type { Logger } from '../log.ts';
import { openRegularFile } from '../native/regular-file.ts';

const POLL_MS = 5_000;
/** Editors write a file in several steps. */
const SETTLE_MS = 200;

export interface FileWatch {
  /** Changes after this are noticed. */
  readonly watching: Promise<void>;
  stop(): void;
}

/**
 * Calls `changed` when the content of one of the files changes, or when `isOutdated`: files were added or removed. A file that
 * is missing for a moment counts as unchanged. `files` is asked each time: what is included may change with each reload.
 */
export function watchFiles(
  files: () => readonly string[],
  clock: Clock,
  log: Logger,
  changed: () => void,
  isOutdated: () => boolean = () => false,
): FileWatch {
  const known = new Map<string, Seen>();
  const folders = new Map<string, FSWatcher | undefined>();
  let timer: Timer | undefined;
  let stopped = false;
  const next = (delayMs: number) => {
    timer?.cancel();
    if (!stopped) timer = clock.setTimeout(() => void check(), delayMs);
  };

  async function check(): Promise<void> {
    const present = files();
    const isFirst = known.size === 0;
    let isChanged = false;
    for (const file of present) {
      const seen = await seenAt(file, known.get(file));
      if (stopped) return;
      if (seen === undefined) continue;
      if (known.has(file) && known.get(file)?.hash !== seen.hash) isChanged = true;
      known.set(file, seen);
    }
    follow(present);
    if ((isChanged && !isFirst) || isOutdated()) changed();
    next(POLL_MS);
  }

  function follow(present: readonly string[]): void {
    const wanted = new Set(present.map((file) => dirname(file)));
    for (const [folder, watcher] of folders) {
      if (wanted.has(folder)) continue;
      watcher?.close();
      folders.delete(folder);
    }
    for (const folder of wanted)
      if (!folders.has(folder))
        folders.set(
          folder,
          watchFolder(folder, log, () => next(SETTLE_MS)),
        );
  }

  follow(files());
  const watching = check();
  return {
    watching,
    stop() {
      stopped = true;
      timer?.cancel();
      for (const watcher of folders.values()) watcher?.close();
    },
  };
}

interface Seen {
  /** Time of the last change, size and identity: a large zone file is read again only when they differ. */
  readonly mark: string;
  readonly hash: string;
}

/** undefined: it is being replaced, or deleted; the last content stays in effect. */
async function seenAt(file: string, before: Seen | undefined): Promise<Seen | undefined> {
  try {
    const { ino, size, mtimeMs, ctimeMs } = await stat(file);
    const mark = `${ino} ${size} ${mtimeMs} ${ctimeMs}`;
    if (mark === before?.mark) return before;
    const hash = createHash('sha256');
    const handle = await openRegularFile(file);
    for await (const chunk of handle.createReadStream()) hash.update(chunk);
    return { mark, hash: hash.digest('hex') };
  } catch {
    return undefined;
  }
}

function watchFolder(folder: string, log: Logger, event: () => void): FSWatcher | undefined {
  try {
    const watcher = watch(folder, { persistent: false }, event);
    watcher.on('error', (error) => log.warn('folder no longer watched, polling', { folder, error: error.message }));
    return watcher;
  } catch (error) {
    log.warn('folder cannot be watched, polling', { folder, error: (error as Error).message });
    return undefined;
  }
}
