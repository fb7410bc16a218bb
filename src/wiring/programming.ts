// How long changes of a cluster take until they are answered: from the time that the controller wrote into an EndpointSlice
// (endpoints.kubernetes.io/last-change-trigger-time) until every data thread has the change.
import type { Clock } from '../clock.ts';
import { createDistribution, type Distribution } from '../metrics.ts';

export interface Programming {
  readonly durations: Distribution;
  /** A service has changed at this time (wall-clock milliseconds). */
  changed(service: string, atMs: number): void;
}

export interface ProgrammingDeps {
  /** Whether the endpoints of a service are its answer, and its cluster has been read. */
  concerns(service: string): boolean;
  /** Resolves when every data thread has what is known. */
  flush(): Promise<void>;
  readonly schedule: (callback: () => void) => void;
  readonly clock: Pick<Clock, 'now'>;
}

/** Those of CoreDNS. */
const BOUNDS_SECONDS = Array.from({ length: 20 }, (_, i) => 2 ** i / 1_000);
/** Changes of one turn of the event loop that are measured. */
const MAX_PENDING = 1_000;

export function createProgramming({ concerns, flush, schedule, clock }: ProgrammingDeps): Programming {
  const durations = createDistribution(BOUNDS_SECONDS);
  let pending: number[] = [];
  const measure = async () => {
    const changes = pending;
    pending = [];
    try {
      await flush();
    } catch {
      return; // the data plane is closed
    }
    const nowMs = clock.now();
    // The clocks of nodes differ.
    for (const atMs of changes) durations.observe(Math.max(0, nowMs - atMs) / 1_000);
  };
  return {
    durations,
    changed(service, atMs) {
      if (pending.length >= MAX_PENDING || !concerns(service)) return;
      if (pending.length === 0) schedule(() => void measure());
      pending.push(atMs);
    },
  };
}
