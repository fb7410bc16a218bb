// What each thread shares with the control plane, whatever it answers: counters, log lines, beats, and changes.
import { parentPort } from 'node:worker_threads';
import { systemClock } from '../clock.ts';
import { COUNTER, COUNTERS, type Counters, mayPost } from '../plane/counters.ts';
import type { FromThread } from '../plane/thread-messages.ts';

const BEAT_MS = 250;

export interface ControlLink {
  readonly counters: Counters;
  tell(message: FromThread): void;
  /** Lines beyond what the control plane has read are dropped and counted. */
  log(level: 'info' | 'warn' | 'error', message: string): void;
}

export function linkToControlPlane(sharedCounters: SharedArrayBuffer): ControlLink {
  const counters: Counters = new Float64Array(sharedCounters, 0, COUNTERS);
  const tell = (message: FromThread): void => parentPort?.postMessage(message);
  return {
    ...{ counters, tell },
    log(level, message) {
      if (mayPost(counters)) tell({ kind: 'log', level, message });
      else counters[COUNTER.LOG_DROPPED]++;
    },
  };
}

/** For the watchdog of the control plane. */
export function beat(counters: Counters): void {
  counters[COUNTER.BEATS]++;
  systemClock.setTimeout(() => beat(counters), BEAT_MS);
}

/** Returns a function that takes changes and applies one message per turn of the event loop, so that clients are answered in between. */
export function createChangeFeed({ tell }: ControlLink, apply: (bytes: ArrayBuffer) => void) {
  const waiting: { readonly id: number; readonly bytes: ArrayBuffer }[] = [];

  const applyNext = (): void => {
    const next = waiting.shift();
    if (next === undefined) return;
    apply(next.bytes);
    tell({ kind: 'applied', id: next.id });
    if (waiting.length > 0) setImmediate(applyNext);
  };

  return (message: { readonly id: number; readonly bytes: ArrayBuffer }): void => {
    waiting.push(message);
    if (waiting.length === 1) setImmediate(applyNext);
  };
}
