// The optional snapshot: the last known objects of the source on disk, so that a replica that restarts while the API server
// is unreachable answers from them at once, marked stale, up to the limit.
import type { Clock, Timer } from '../../../clock.ts';
import type { KubernetesConfig } from '../../../config/config.ts';
import type { Logger } from '../../../log.ts';
import type { Recorder, Statement } from './recorder.ts';
import { DamagedSnapshot, type Line, putAside, readSnapshot, removeStrays, writeSnapshot } from './snapshot-file.ts';

export interface SnapshotContext {
  readonly settings: NonNullable<KubernetesConfig['snapshot']>;
  /** Source and zone. */
  readonly of: string;
  readonly recorder: Recorder;
  readonly clock: Clock;
  readonly log: Logger;
  readonly isSynced: () => boolean;
  /** Wall-clock milliseconds at which the source was last known to be right. */
  readonly heardMs: () => number | undefined;
  readonly knownKeys: () => Iterable<KnownKey>;
  readonly restoreKeys: (kind: string, keys: readonly string[]) => void;
  /** Answers come from a snapshot that was taken then (wall-clock milliseconds). */
  readonly restored: (takenMs: number) => void;
  /** The snapshot has expired. */
  readonly expired: () => void;
}

interface KnownKey {
  readonly kind: string;
  readonly key: string;
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
      if (snapshot !== undefined) this.state(snapshot.takenMs, snapshot.lines);
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

  /** Restores everything or nothing. Throws DamagedSnapshot, and the errors of the registry. */
  private state(takenMs: number, lines: readonly Line[]): void {
    const { settings, recorder, log } = this.context;
    const leftMs = this.leftOf(takenMs);
    if (leftMs <= 0) {
      log.warn('snapshot is too old and was ignored', { file: settings.file });
      return;
    }
    const { statements, keys } = sort(lines);
    try {
      for (const statement of statements) recorder.restore(statement);
    } catch (error) {
      recorder.withdrawRestored();
      throw error;
    }
    for (const [kind, some] of keys) this.context.restoreKeys(kind, some);
    this.context.restored(takenMs);
    this.expireAfter(leftMs);
    log.info('answering from a snapshot until the API server replies', {
      file: settings.file,
      takenAt: new Date(takenMs).toISOString(),
      services: statements.filter((statement) => 'service' in statement).length,
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
    const { isSynced, log, recorder, expired } = this.context;
    if (isSynced()) return;
    log.error('snapshot has expired while the API server is unreachable: its names are no longer answered');
    recorder.withdrawRestored();
    expired();
  }

  private tick(): void {
    void this.write().then(() => {
      if (!this.isStopped) this.timer = this.context.clock.setTimeout(() => this.tick(), EVERY_MS);
    });
  }

  private async write(): Promise<void> {
    const { settings, of, heardMs, isSynced, log } = this.context;
    const takenMs = heardMs();
    if (!isSynced() || takenMs === undefined) return; // it would repeat the snapshot as if it were new
    this.writing ??= writeSnapshot(settings.file, of, takenMs, [...this.lines()]).catch((error: Error) => {
      log.warn('snapshot could not be written', { file: settings.file, reason: error.message });
    });
    await this.writing;
    this.writing = undefined;
  }

  /** Taken atomically: an object without its key would never be withdrawn after a restart. */
  private *lines(): Generator<Statement | KnownKey> {
    yield* this.context.recorder.statements();
    yield* this.context.knownKeys();
  }
}

/** Throws DamagedSnapshot for a line of unknown form. */
function sort(lines: readonly Line[]): { statements: Statement[]; keys: Map<string, string[]> } {
  const statements: Statement[] = [];
  const keys = new Map<string, string[]>();
  for (const line of lines) {
    if (typeof line.kind === 'string' && typeof line.key === 'string') {
      const known = keys.get(line.kind);
      if (known === undefined) keys.set(line.kind, [line.key]);
      else known.push(line.key);
    } else if (isStatement(line)) statements.push(line);
    else throw new DamagedSnapshot('it has a line of an unknown form');
  }
  return { statements, keys };
}

function isStatement(line: Line): line is Line & Statement {
  if ('service' in line) return typeof (line.service as { key?: unknown } | null)?.key === 'string';
  if ('group' in line)
    return typeof line.group === 'string' && typeof line.serviceKey === 'string' && Array.isArray(line.instances);
  return typeof line.subject === 'string' && typeof line.source === 'string' && Array.isArray(line.facts);
}
