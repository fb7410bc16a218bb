// Reports changes of a file's content. A ConfigMap mount is a symlink into a folder that is replaced as a whole: the file
// itself has no events, so the folder is watched, and a slow poll catches changes that the kernel does not report.
import { createHash } from 'node:crypto';
import { type FSWatcher, watch } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Clock, Timer } from '../clock.ts';
import type { Logger } from '../log.ts';

const POLL_MS = 5_000;
/** Editors write a file in several steps. */
const SETTLE_MS = 200;

export interface FileWatch {
  stop(): void;
}

/** Calls `changed` when the content changes; a file that is missing for a moment counts as unchanged. */
export function watchFile(file: string, clock: Clock, log: Logger, changed: () => void): FileWatch {
  let known: string | undefined;
  let timer: Timer | undefined;
  let stopped = false;
  const next = (delayMs: number) => {
    timer?.cancel();
    if (!stopped) timer = clock.setTimeout(check, delayMs);
  };

  async function check(): Promise<void> {
    const seen = await contentHash(file);
    if (stopped) return;
    if (known !== undefined && seen !== undefined && seen !== known) changed();
    known = seen ?? known;
    next(POLL_MS);
  }

  const watcher = watchFolder(dirname(file), log, () => next(SETTLE_MS));
  void check();
  return {
    stop() {
      stopped = true;
      timer?.cancel();
      watcher?.close();
    },
  };
}

async function contentHash(file: string): Promise<string | undefined> {
  try {
    return createHash('sha256')
      .update(await readFile(file))
      .digest('hex');
  } catch {
    return undefined; // Being replaced, or deleted: the last content stays in effect.
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
