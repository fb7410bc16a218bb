// Timers for verdicts that change with time alone: grace periods end, penalties decay, reports expire.
import type { Clock, Timer } from '../clock.ts';

export interface WakeUps {
  /** Wakes the service then, replacing its previous timer; undefined: no timer. */
  set(serviceKey: string, atMs: number | undefined): void;
  stop(): void;
}

/** Maximum length of a timer: Node's own limit is 24.8 days, and waking early is harmless. */
const LONGEST_MS = 3_600_000;

export function createWakeUps(clock: Clock, wake: (serviceKey: string) => void): WakeUps {
  const timers = new Map<string, Timer>();
  return {
    set(serviceKey, atMs) {
      timers.get(serviceKey)?.cancel();
      timers.delete(serviceKey);
      if (atMs === undefined) return;
      const delayMs = Math.min(LONGEST_MS, Math.max(1, atMs - clock.now()));
      const fire = () => {
        timers.delete(serviceKey);
        wake(serviceKey);
      };
      timers.set(serviceKey, clock.setTimeout(fire, delayMs));
    },
    stop() {
      for (const timer of timers.values()) timer.cancel();
      timers.clear();
    },
  };
}
