// One log line when an upstream server goes down, comes back, or loops, across all threads and routes.
import type { ForwardStatistics } from './forward-statistics.ts';

type Log = (level: 'info' | 'warn' | 'error', message: string) => void;

/**
 * Returns a function to be called with the latest statistics of each thread. A server is down while any thread or route
 * considers it down, as in the metric; changes between two reports (a second) are only counted.
 */
export function createUpstreamLog(log: Log): (statistics: readonly ForwardStatistics[]) => void {
  let down: ReadonlySet<string> = new Set();
  let looping: ReadonlySet<string> = new Set();

  return (statistics) => {
    const all = statistics.flatMap(({ upstreams }) => upstreams);
    const labels = new Set(all.map(({ upstream }) => upstream));
    const downNow = new Map(all.filter(({ up }) => up === 0).map(({ upstream, reason }) => [upstream, reason]));
    for (const [label, reason] of downNow) if (!down.has(label)) log('warn', `upstream ${label} is down: ${reason}`);
    for (const label of down)
      if (!downNow.has(label) && labels.has(label)) log('info', `upstream ${label} is up again`);
    down = new Set(downNow.keys());

    const ways = new Set(all.map(wayOf));
    const loopingNow = new Set(all.filter(({ loops }) => loops).map(wayOf));
    for (const way of loopingNow)
      if (!looping.has(way)) log('error', `${way} loops back to this server, and is not used until the loop ends`);
    for (const way of looping)
      if (!loopingNow.has(way) && ways.has(way)) log('info', `${way} no longer loops back to this server`);
    looping = loopingNow;
  };
}

function wayOf({ zone, upstream }: ForwardStatistics['upstreams'][number]): string {
  return `forwarding ${zone} to ${upstream}`;
}
