// Notices data threads that no longer respond: each counts heartbeats in shared memory, which nothing else needs to read.
import type { Clock, Timer } from '../clock.ts';

const CHECK_MS = 1000;
/**
 * Checks in a row without a new heartbeat, not time: when the whole process was stopped, threads get as many turns as the
 * checks do.
 */
const SILENT_CHECKS = 5;
/** A new thread has its code to load before its first heartbeat. */
const STARTING_CHECKS = 30;

export interface Watched {
  /** Total of heartbeats, including those of the threads before it: `startBeats`. */
  beats(): number;
  readonly startBeats: number;
}

interface Watch {
  beats: number;
  silentChecks: number;
  reported: boolean;
}

export class Watchdog<T extends Watched> {
  private readonly clock: Clock;
  private readonly all: () => readonly T[];
  private readonly onSilent: (one: T) => void;
  private readonly watches = new Map<T, Watch>();
  private timer: Timer | undefined;

  /** `onSilent` is called once for each that stops responding. */
  constructor(clock: Clock, all: () => readonly T[], onSilent: (one: T) => void) {
    this.clock = clock;
    this.all = all;
    this.onSilent = onSilent;
    this.arm();
  }

  /** Whether one that was reported is still there and silent. */
  isSilent(): boolean {
    return this.all().some((one) => this.watches.get(one)?.reported);
  }

  stop(): void {
    this.timer?.cancel();
  }

  private arm(): void {
    this.timer = this.clock.setTimeout(() => this.check(), CHECK_MS);
  }

  private check(): void {
    const all = this.all();
    for (const one of this.watches.keys()) if (!all.includes(one)) this.watches.delete(one);
    for (const one of all) this.look(one);
    this.arm();
  }

  private look(one: T): void {
    const beats = one.beats();
    const known = this.watches.get(one);
    if (known === undefined) {
      this.watches.set(one, { beats, silentChecks: 0, reported: false });
      return;
    }
    if (beats !== known.beats) {
      known.beats = beats;
      known.silentChecks = 0;
      known.reported = false;
      return;
    }
    known.silentChecks++;
    const isStarting = beats === one.startBeats;
    if (known.reported || known.silentChecks < (isStarting ? STARTING_CHECKS : SILENT_CHECKS)) return;
    known.reported = true;
    this.onSilent(one);
  }
}
