// Searches services and instances of all zones. It takes turns of the event loop, so that a large cluster delays nothing.
import type { Clock } from '../../clock.ts';
import type { InstanceState, Service, ServiceState } from '../../registry/model.ts';
import { publishedName } from '../../registry/published-name.ts';
import type { Registry } from '../../registry/registry.ts';
import type { Census, ServiceCensus } from '../census.ts';
import { instanceOverview, inTroubleFirst } from '../overview.ts';
import type { Asked, Found, FoundService, Shown } from './model.ts';

export interface FindSources {
  readonly registry: Pick<Registry, 'service'>;
  readonly census: Pick<Census, 'zones' | 'zone'>;
  readonly clock: Pick<Clock, 'monotonicMs'>;
  /** Yields to the event loop. */
  readonly pause: () => Promise<void>;
}

/** Services of one page. */
const PAGE_SIZE = 100;
const INSTANCES_SHOWN = 3;
const TURN_MS = 5;
/** Longer searches are cut. */
const MAX_WORDS = 8;

interface Match {
  readonly place: string;
  readonly key: string;
  readonly state: ServiceState;
  readonly counts: ServiceCensus;
  /** Empty: its name was found. */
  readonly instances: readonly InstanceState[];
}

export async function findServices(asked: Asked, { registry, census, clock, pause }: FindSources): Promise<Found> {
  const page = createPage(asked);
  let sinceMs = clock.monotonicMs();
  for (const match of matches(asked, registry, census)) {
    if (match !== undefined) page.add(match);
    if (clock.monotonicMs() - sinceMs < TURN_MS) continue;
    await pause();
    sinceMs = clock.monotonicMs();
  }
  return page.found();
}

/** Yields undefined where nothing matches, so that the caller may pause. */
function* matches(
  { text, show, zone: only }: Asked,
  registry: FindSources['registry'],
  census: FindSources['census'],
): Generator<Match | undefined> {
  const words = text
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== '')
    .slice(0, MAX_WORDS);
  for (const zone of only === undefined ? census.zones() : [only]) {
    for (const [key, counts] of census.zone(zone).services) {
      const state = isShown(counts, show) ? registry.service(key) : undefined;
      const service = state?.service;
      yield undefined;
      if (state === undefined || service === undefined) continue;
      const name = publishedName(service);
      const place = `${name} ${key}`;
      const left = wordsNotIn(`${place} ${service.clusterIps?.join(' ') ?? ''}`.toLowerCase(), words);
      if (left.length === 0) yield { place, key, state, counts, instances: [] };
      else {
        const instances = yield* instancesWith(left, state);
        if (instances.length > 0) yield { place, key, state, counts, instances };
      }
    }
  }
}

const isShown = ({ size, answered }: ServiceCensus, show: Shown): boolean => {
  if (show === 'all') return true;
  if (show === 'empty') return size === 0;
  return show === 'dead' ? size > 0 && answered === 0 : answered < size;
};

const wordsNotIn = (text: string, words: readonly string[]) => words.filter((word) => !text.includes(word));

function* instancesWith(words: readonly string[], { instances }: ServiceState): Generator<undefined, InstanceState[]> {
  const found: InstanceState[] = [];
  for (const state of instances.values()) {
    yield undefined;
    const { id, addresses, subjects } = state.instance;
    const text = `${id} ${addresses.join(' ')} ${subjects.join(' ')}`.toLowerCase();
    if (wordsNotIn(text, words).length === 0 && found.push(state) === INSTANCES_SHOWN) break;
  }
  return found;
}

/** Keeps the matches of one page, in order; the others are only counted. */
function createPage(asked: Asked) {
  const { after, before } = asked;
  const kept: Match[] = [];
  let all = 0;
  let earlier = 0;
  const isWanted = (place: string) =>
    (after === undefined || place > after) && (before === undefined || place < before);

  return {
    add(match: Match): void {
      all++;
      if (after !== undefined ? match.place <= after : before !== undefined && match.place < before) earlier++;
      if (!isWanted(match.place)) return;
      kept.splice(lowerBound(kept, match.place), 0, match);
      if (kept.length <= PAGE_SIZE) return;
      if (before === undefined) kept.pop();
      else kept.shift();
    },
    found: (): Found => ({
      asked,
      services: kept.map(describe),
      matches: all,
      skipped: before === undefined ? earlier : earlier - kept.length,
    }),
  };
}

function lowerBound(sorted: readonly Match[], place: string): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle].place < place) low = middle + 1;
    else high = middle;
  }
  return low;
}

function describe({ place, state, counts, instances }: Match): FoundService {
  const service = state.service as Service;
  const { size, answered } = counts;
  const left = size > answered ? inTroubleFirst(state.instances, true, INSTANCES_SHOWN) : [];
  const shown = instances.length > 0 ? instances : left.filter(({ verdict }) => !verdict.answered);
  return {
    ...{ place, name: publishedName(service), zone: service.zone, kind: service.kind, source: service.source },
    ...{ size, answered },
    ...(service.clusterIps && { clusterIps: service.clusterIps }),
    instances: shown.map(instanceOverview),
  };
}
