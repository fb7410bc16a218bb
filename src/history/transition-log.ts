// One log line for each transition of what is answered: limited per service and in all, with the number of lines left out.
import type { Clock } from '../clock.ts';
import type { Logger } from '../log.ts';
import type { HistoryChange } from './history.ts';

/** Lines at once, and how often another is allowed. */
const PER_SERVICE = { burst: 10, everyMs: 6_000 };
const IN_ALL = { burst: 200, everyMs: 50 };
/** Services whose rate is tracked. */
const MAX_SERVICES = 10_000;

interface Bucket {
  lines: number;
  atMs: number;
  leftOut: number;
}

/** `leftOut`: counts the transitions that got no line. */
export function createTransitionLog(
  log: Pick<Logger, 'info' | 'warn'>,
  clock: Pick<Clock, 'monotonicMs'>,
  leftOut: (transitions: number) => void,
): (change: HistoryChange) => void {
  const buckets = new Map<string, Bucket>();
  const all = newBucket(IN_ALL.burst);

  function newBucket(lines: number): Bucket {
    return { lines, atMs: clock.monotonicMs(), leftOut: 0 };
  }

  function bucketOf(service: string): Bucket {
    const known = buckets.get(service);
    const bucket = known ?? newBucket(PER_SERVICE.burst);
    // The one that has been quiet for longest is first.
    buckets.delete(service);
    buckets.set(service, bucket);
    if (buckets.size > MAX_SERVICES) buckets.delete(buckets.keys().next().value!);
    return bucket;
  }

  function take(bucket: Bucket, { burst, everyMs }: typeof IN_ALL): boolean {
    const nowMs = clock.monotonicMs();
    const earned = Math.floor((nowMs - bucket.atMs) / everyMs);
    bucket.lines = Math.min(burst, bucket.lines + earned);
    bucket.atMs = bucket.lines === burst ? nowMs : bucket.atMs + earned * everyMs;
    if (bucket.lines === 0) return false;
    bucket.lines--;
    return true;
  }

  return ({ service, name, transitions, more, after }) => {
    const bucket = bucketOf(service);
    let missed = more;
    for (const { instance, from, to, answered, rule, reason } of transitions) {
      if (!take(bucket, PER_SERVICE) || !take(all, IN_ALL)) {
        missed++;
        continue;
      }
      const { leftOut: before } = bucket;
      bucket.leftOut = 0;
      log[after.answered === 0 ? 'warn' : 'info'](answered ? 'instance is answered' : 'instance is left out', {
        ...{ service, name, instance, from, to, rule, reason },
        answers: after.outcome === 'answered' ? `${after.answered} of ${after.of}` : after.outcome,
        ...(before > 0 && { transitionsNotLogged: before }),
      });
    }
    bucket.leftOut += missed;
    if (missed > 0) leftOut(missed);
  };
}
