// The optional snapshot of a source: its last known objects on disk, so that a replica that restarts while the API server is
// unreachable answers from them at once, marked stale, up to the limit.
import type { Clock, Timer } from '../../../clock.ts';
import type { KubernetesConfig } from '../../../config/config.ts';
import type { Logger } from '../../../log.ts';
import type { SourceReport } from '../../status.ts';
import { DamagedSnapshot, type Line, putAside, readSnapshot, removeStrays, writeSnapshot } from './snapshot-file.ts';

export interface SnapshotContext {
  readonly settings: NonNullable<KubernetesConfig['snapshot']>;
  /** Identifies the source: a snapshot of another one is not used. */
  readonly of: string;
  readonly report: Pick<SourceReport, 'isSynced' | 'heardMs' | 'restored' | 'expired'>;
  readonly clock: Clock;
  readonly log: Logger;
  /** Everything known, taken atomically. */
  readonly lines: () => Iterable<object>;
  /** Restores everything, or nothing and throws. */
  readonly restore: (lines: readonly Line[]) => void;
  /** Withdraws restored objects that have not been confirmed since. */
  readonly withdraw: () => void;
}

const EVERY_MS = 30_000;
/** Timers of more than 24.8 days fire at once. */
const LONGEST_TIMER_MS = 86_400_000;

export class SnapshotKeeper {
  private readonly context: SnapshotContext;
  private timer: Timer | undefined;
  private expiry: Timer | undefined;
  private writing: Promise<void> | undefined;
  private isStopped = false;

  constructor(context: SnapshotContext) {
    this.context = context;
  }

  /** Resolves when a usable snapshot, if any, has been restored. Never throws. */
  async restore(): Promise<void> {
    const { settings, of, clock, log } = this.context;
    const { file } = settings;
    try {
      await removeStrays(file, clock.now());
      const snapshot = await readSnapshot(file, of);
      if (snapshot !== undefined) this.take(snapshot.takenMs, snapshot.lines);
    } catch (error) {
      const reason = (error as Error).message;
      if (error instanceof DamagedSnapshot) await this.report(file, reason);
      else log.warn('snapshot cannot be used', { file, reason });
    }
    this.timer = clock.setTimeout(() => this.tick(), EVERY_MS);
  }

  /** Writes the last one. */
  async stop(): Promise<void> {
    this.isStopped = true;
    this.timer?.cancel();
    this.expiry?.cancel();
    await this.write();
  }

  private async report(file: string, reason: string): Promise<void> {
    const aside = await putAside(file).catch(() => undefined); // a read-only folder: the file stays in place
    this.context.log.error('snapshot is damaged and is not used', { file, reason, keptAs: aside });
  }

  private take(takenMs: number, lines: readonly Line[]): void {
    const { settings, log, restore, report } = this.context;
    const { file } = settings;
    const leftMs = this.leftOf(takenMs);
    if (leftMs <= 0) {
      log.warn('snapshot is too old and was ignored', { file });
      return;
    }
    restore(lines);
    report.restored(takenMs);
    this.expireAfter(leftMs);
    log.info('answering from a snapshot until the API server replies', {
      file,
      takenAt: new Date(takenMs).toISOString(),
    });
  }

  /** Milliseconds for which it may be served; at most the limit, even if the clock was set back. */
  private leftOf(takenMs: number): number {
    const maxAgeMs = this.context.settings.maxAgeSeconds * 1000;
    return Math.min(maxAgeMs, takenMs + maxAgeMs - this.context.clock.now());
  }

  private expireAfter(leftMs: number): void {
    const restMs = leftMs - LONGEST_TIMER_MS;
    const then = () => (restMs > 0 ? this.expireAfter(restMs) : this.expire());
    this.expiry = this.context.clock.setTimeout(then, Math.min(leftMs, LONGEST_TIMER_MS));
  }

  /** Objects confirmed since stay; the rest is unknown from now on. */
  private expire(): void {
    const { report, log, withdraw } = this.context;
    if (report.isSynced()) return;
    log.error('snapshot has expired while the API server is unreachable: its names are no longer answered');
    withdraw();
    report.expired();
  }

  private tick(): void {
    void this.write().then(() => {
      if (!this.isStopped) this.timer = this.context.clock.setTimeout(() => this.tick(), EVERY_MS);
    });
  }

  private async write(): Promise<void> {
    const { settings, of, report, lines, log } = this.context;
    const takenMs = report.heardMs();
    if (!report.isSynced() || takenMs === undefined) return; // it would repeat the snapshot as if it were new
    this.writing ??= writeSnapshot(settings.file, of, takenMs, [...lines()]).catch((error: Error) => {
      log.warn('snapshot could not be written', { file: settings.file, reason: error.message });
    });
    await this.writing;
    this.writing = undefined;
  }
}
