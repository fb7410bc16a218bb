// One line where an upstream goes down, comes back, or leads back to us, whichever threads and routes see it.
import type { ForwardStatistics } from './forward-statistics.ts';

type Log = (level: 'info' | 'warn' | 'error', message: string) => void;

/**
 * Gives a function that is told the last statistics of each thread whenever one is new. An upstream is down while any thread
 * or route has it down, as the metric says; what comes and goes between two reports (a second) is only counted.
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
      if (!downNow.has(label) && labels.has(label)) log('info', `upstream ${label} is up: it answers again`);
    down = new Set(downNow.keys());

    const ways = new Set(all.map(wayOf));
    const loopingNow = new Set(all.filter(({ loops }) => loops).map(wayOf));
    for (const way of loopingNow)
      if (!looping.has(way)) log('error', `${way} leads back to this server: it is not asked until that ends`);
    for (const way of looping)
      if (!loopingNow.has(way) && ways.has(way)) log('info', `${way} no longer leads back to this server`);
    looping = loopingNow;
  };
}

function wayOf({ zone, upstream }: ForwardStatistics['upstreams'][number]): string {
  return `forwarding ${zone} to ${upstream}`;
}
