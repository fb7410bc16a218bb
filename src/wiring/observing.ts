// Observations of the data threads: the query log, and the most frequent names and clients.
import type { Clock, Timer } from '../clock.ts';
import { createLoadHistory, type Load } from '../history/load.ts';
import { createPodAddresses, type PodAddresses } from '../history/pod-addresses.ts';
import { createTopQueries, type TopQueries } from '../history/top-queries.ts';
import type { QueryLogControl } from '../http/query-log.ts';
import type { Logger } from '../log.ts';
import type { QueryLogInstead } from '../plane/forward-settings.ts';
import type { RunningDataPlane } from '../plane/plane.ts';
import type { ControlPlane } from './control-plane.ts';

export interface Observing extends QueryLogControl {
  readonly top: TopQueries;
  readonly addresses: PodAddresses;
  readonly load: () => Load;
  stop(): void;
}

export function startObserving(
  { registry, strayPods }: Pick<ControlPlane, 'registry' | 'strayPods'>,
  plane: Pick<RunningDataPlane, 'setQueryLog' | 'observe' | 'counters'>,
  { clock, log }: { readonly clock: Clock; readonly log: Logger },
): Observing {
  const addresses = createPodAddresses(registry, strayPods, clock);
  const top = createTopQueries(clock);
  const load = createLoadHistory(plane.counters, clock);
  let instead: QueryLogInstead;
  let untilMs: number | undefined;
  let timer: Timer | undefined;

  const set = (next: QueryLogInstead, seconds: number | undefined): void => {
    timer?.cancel();
    timer = undefined;
    instead = next;
    untilMs = seconds && clock.now() + seconds * 1_000;
    plane.setQueryLog(next);
    if (seconds !== undefined) timer = clock.setTimeout(() => set(undefined, undefined), seconds * 1_000);
  };

  plane.observe({
    onTally: top.add,
    onQuery({ text, ...line }) {
      if (text === undefined) log.info('query', { ...line, ...addresses.find(line.client) });
      else log.info(text);
    },
  });
  return { top, addresses, load: load.current, stop: load.stop, set, current: () => ({ instead, untilMs }) };
}
