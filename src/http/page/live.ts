// Data that every view of the page needs. Bounded, however much is served: lists are cut.
import type { ConfigStatus } from '../../config/in-force.ts';
import type { HistoryChange } from '../../history/history.ts';
import type { UpstreamCounters } from '../../plane/forward-statistics.ts';
import { TOP_VIEWS } from '../../plane/tally.ts';
import type { Registry } from '../../registry/registry.ts';
import type { Census } from '../census.ts';
import type { Overview } from '../overview.ts';
import { statusOf } from '../status.ts';
import type { TopReading } from '../top.ts';
import type { Live } from './model.ts';
import { cutAt, problemsOf } from './problems.ts';

export interface LiveSources {
  readonly version: string;
  /** The name of this replica. */
  readonly replica: string;
  readonly now: () => number;
  readonly overview: (limit: number) => Overview;
  readonly upstreams: () => readonly UpstreamCounters[];
  readonly isStuck: () => boolean;
  readonly configuration: () => ConfigStatus;
  readonly census: Census;
  readonly registry: Pick<Registry, 'service'>;
  readonly recent: (most: number) => readonly HistoryChange[];
  readonly top: TopReading;
}

const MAX_ZONES = 50;
const MAX_SOURCES = 50;
const MAX_UPSTREAMS = 50;
const CHANGES_SHOWN = 20;
/** Of one change. */
const MAX_TRANSITIONS = 3;
const TOP_SHOWN = 10;

export function liveOf(sources: LiveSources): Live {
  const { version, replica, now, overview, upstreams, isStuck, configuration, census, registry, recent, top } = sources;
  const served = overview(0);
  const status = statusOf(served, upstreams(), configuration());
  const { zones } = status;
  const sum = (key: 'services' | 'instances' | 'answered') => zones.reduce((total, zone) => total + zone[key], 0);
  return {
    ...{ version, replica, atMs: now(), configuration: configuration() },
    problems: problemsOf({
      ...{ status, configuration: configuration(), census, registry },
      ...{ degraded: served.degraded, isStuck: isStuck() },
    }),
    totals: { services: sum('services'), instances: sum('instances'), answered: sum('answered') },
    zones: cutAt(MAX_ZONES, zones),
    sources: status.sources.slice(0, MAX_SOURCES),
    upstreams: cutAt(MAX_UPSTREAMS, status.upstreams),
    top: TOP_VIEWS.map((view) => top(view, 'minute', TOP_SHOWN)),
    changes: recent(CHANGES_SHOWN).map(({ transitions, more, ...change }) => ({
      ...change,
      transitions: transitions.slice(0, MAX_TRANSITIONS),
      more: more + Math.max(0, transitions.length - MAX_TRANSITIONS),
    })),
  };
}
