// Tracks which kinds of a source are followed. A kind that is not, while another that repeats it is, becomes stale after some
// seconds: its last reports then no longer override the other. If all are lost, the last reports keep counting.
import type { Clock, Timer } from '../../../clock.ts';
import type { WatchedKind } from './watched-kind.ts';

interface Standing {
  isFollowed: boolean;
  /** Monotonic time since which it is followed, or not. */
  sinceMs: number;
  /** Wall-clock time of the same. */
  since: number;
  isStale: boolean;
}

export class Freshness {
  private readonly clock: Clock;
  private readonly staleMs: number;
  private readonly kinds = new Map<WatchedKind, Standing>();
  private timer: Timer | undefined;

  constructor(clock: Clock, staleMs: number) {
    this.clock = clock;
    this.staleMs = staleMs;
  }

  setFollowed(kind: WatchedKind, isFollowed: boolean): void {
    const { clock } = this;
    const before = this.kinds.get(kind);
    const isStale = before?.isStale === true && !isFollowed;
    if (before?.isStale && isFollowed) kind.setStale?.(undefined);
    this.kinds.set(kind, { isFollowed, sinceMs: clock.monotonicMs(), since: clock.now(), isStale });
    this.review();
  }

  delete(kind: WatchedKind): void {
    this.kinds.delete(kind);
  }

  stop(): void {
    this.timer?.cancel();
  }

  /** Marks stale kinds, and runs again while a kind that can become stale is not followed. */
  private review(): void {
    this.timer?.cancel();
    const nowMs = this.clock.monotonicMs();
    const isDue = ({ sinceMs }: Standing) => nowMs - sinceMs >= this.staleMs;
    let isWaiting = false;
    for (const [kind, standing] of this.kinds) {
      if (standing.isFollowed || standing.isStale || kind.setStale === undefined) continue;
      if (isDue(standing) && this.standIns(kind).some(isDue)) {
        standing.isStale = true;
        kind.setStale(standing.since);
      } else isWaiting = true;
    }
    if (isWaiting) this.timer = this.clock.setTimeout(() => this.review(), this.staleMs / 3);
  }

  private standIns({ repeatedBy = [], namespace }: WatchedKind): Standing[] {
    return [...this.kinds].flatMap(([other, standing]) => {
      const isStandIn = repeatedBy.includes(other.resource) && (namespace ?? other.namespace) === other.namespace;
      return isStandIn && standing.isFollowed ? [standing] : [];
    });
  }
}
