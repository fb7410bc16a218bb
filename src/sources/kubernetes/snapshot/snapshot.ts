// The optional snapshot: what the source stated last, on disk, so that a replica that restarts while the API server is
// away answers last-known-good at once, marked stale, and not for longer than the limit.
import type { Clock, Timer } from '../../../clock.ts';
import type { KubernetesConfig } from '../../../config/config.ts';
import type { Logger } from '../../../log.ts';
import type { Recorder, Statement } from './recorder.ts';
import { readSnapshot, writeSnapshot } from './snapshot-file.ts';

export interface SnapshotContext {
  readonly settings: NonNullable<KubernetesConfig['snapshot']>;
  /** Source and zone. */
  readonly of: string;
  readonly recorder: Recorder;
  readonly clock: Clock;
  readonly log: Logger;
  readonly isSynced: () => boolean;
  /** Wall-clock milliseconds when the source last heard from its server. */
  readonly heardMs: () => number | undefined;
  readonly knownKeys: () => Iterable<{ readonly kind: string; readonly key: string }>;
  readonly restoreKeys: (kind: string, keys: readonly string[]) => void;
  /** Answers may be given from a snapshot that was taken then (wall-clock milliseconds). */
  readonly restored: (takenMs: number) => void;
  /** It has become too old for that. */
  readonly expired: () => void;
}

export interface SnapshotKeeper {
  /** Resolves when a usable snapshot, if there is one, has been stated. Never throws. */
  restore(): Promise<void>;
  /** Writes the last one. */
  stop(): Promise<void>;
}

const EVERY_MS = 30_000;
/** Timers of more than 24.8 days fire at once. */
const LONGEST_TIMER_MS = 86_400_000;

export function createSnapshotKeeper(context: SnapshotContext): SnapshotKeeper {
  const { settings, clock, recorder, log } = context;
  let timer: Timer | undefined;
  let expiry: Timer | undefined;
  let writing: Promise<void> | undefined;
  let stopped = false;

  async function restore(): Promise<void> {
    try {
      const snapshot = await readSnapshot(settings.file, context.of);
      const leftMs = snapshot === undefined ? 0 : leftOf(snapshot.takenMs);
      if (snapshot !== undefined && leftMs <= 0)
        log.warn('snapshot is too old and was left aside', { file: settings.file });
      if (snapshot !== undefined && leftMs > 0) {
        // Keys first: what is stated of a snapshot that turns out to be bad is taken back by the first list.
        for (const [kind, keys] of snapshot.keys) context.restoreKeys(kind, keys);
        for (const statement of snapshot.statements) recorder.restore(statement);
        context.restored(snapshot.takenMs);
        expireAfter(leftMs);
        log.info('answering from a snapshot until the API server is heard', {
          file: settings.file,
          takenAt: new Date(snapshot.takenMs).toISOString(),
          services: snapshot.statements.filter((statement) => 'service' in statement).length,
        });
      }
    } catch (error) {
      log.warn('snapshot cannot be used', { file: settings.file, reason: (error as Error).message });
    }
    timer = clock.setTimeout(tick, EVERY_MS);
  }

  /** Milliseconds for which it may be answered from; no longer than the limit, whatever a clock that was set back says. */
  function leftOf(takenMs: number): number {
    const maxAgeMs = settings.maxAgeSeconds * 1000;
    return Math.min(maxAgeMs, takenMs + maxAgeMs - clock.now());
  }

  function expireAfter(leftMs: number): void {
    const restMs = leftMs - LONGEST_TIMER_MS;
    expiry = clock.setTimeout(() => (restMs > 0 ? expireAfter(restMs) : expire()), Math.min(leftMs, LONGEST_TIMER_MS));
  }

  /** What has been heard of since stays; of the rest nothing is known any more. */
  function expire(): void {
    if (context.isSynced()) return;
    log.error('snapshot has become too old while the API server is away: its names are not answered any more');
    recorder.withdrawRestored();
    context.expired();
  }

  function tick(): void {
    void write().then(() => {
      if (!stopped) timer = clock.setTimeout(tick, EVERY_MS);
    });
  }

  async function write(): Promise<void> {
    const heardMs = context.heardMs();
    if (!context.isSynced() || heardMs === undefined) return; // it would only say again what it says, as if it were new
    writing ??= writeSnapshot(settings.file, context.of, heardMs, [...lines()]).catch((error: Error) => {
      log.warn('snapshot could not be written', { file: settings.file, reason: error.message });
    });
    await writing;
    writing = undefined;
  }

  /** Taken at one moment: an object without its key would never be taken back after a restart. */
  function* lines(): Generator<Statement | { readonly kind: string; readonly key: string }> {
    yield* recorder.statements();
    yield* context.knownKeys();
  }

  return {
    restore,
    async stop() {
      stopped = true;
      timer?.cancel();
      expiry?.cancel();
      await write();
    },
  };
}
