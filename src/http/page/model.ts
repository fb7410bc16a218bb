// What the page shows, as data: the server renders it to HTML, and the browser renders what changes.
import type { ConfigStatus } from '../../config/in-force.ts';
import type { HistoryChange } from '../../history/history.ts';
import type { Load } from '../../history/load.ts';
import type { HistoryExplanation } from '../explain-history.ts';
import type { Explanation } from '../explanation.ts';
import type { InstanceOverview } from '../overview.ts';
import type { StatusReport, UpstreamStatus, ZoneStatus } from '../status.ts';
import type { TopList } from '../top.ts';

export interface Model {
  readonly live: Live;
  readonly load: Load;
  readonly view: View;
  readonly connection: Connection;
}

/** static: as of the request; live: the server sends updates; lost: the server does not respond. */
export type Connection = 'static' | 'live' | 'lost';

/** Data that every view needs, and that changes without interaction. */
export interface Live {
  readonly version: string;
  readonly replica: string;
  /** Wall-clock milliseconds. */
  readonly atMs: number;
  readonly problems: readonly ProblemGroup[];
  readonly totals: { readonly services: number; readonly instances: number; readonly answered: number };
  readonly zones: Cut<ZoneStatus>;
  readonly sources: StatusReport['sources'];
  readonly upstreams: Cut<UpstreamStatus>;
  readonly configuration: ConfigStatus;
  readonly top: readonly TopList[];
  readonly changes: readonly HistoryChange[];
}

/** The first of a list, and how many more there are. */
export interface Cut<Item> {
  readonly items: readonly Item[];
  readonly more: number;
}

/** critical: names are answered wrongly or not at all; warning: they may soon be. */
export type Severity = 'critical' | 'warning';

export interface ProblemGroup extends Cut<Problem> {
  readonly severity: Severity;
  readonly title: string;
  /** Where all of them are listed. */
  readonly href?: string;
}

export interface Problem {
  readonly subject: string;
  readonly text: string;
  readonly details?: readonly string[];
  /** A name that `explain` explains. */
  readonly name?: string;
}

export type View =
  | { readonly page: 'overview' }
  | { readonly page: 'services'; readonly found: Found }
  | {
      readonly page: 'explain';
      readonly asked: string;
      /** Query of the list that led here. */
      readonly list: string;
      readonly explanation: Explanation;
      readonly history?: HistoryExplanation;
    }
  | { readonly page: 'error'; readonly title: string; readonly text: string };

export const SHOWN = ['all', 'trouble', 'dead', 'empty'] as const;
/** trouble: an instance is left out; dead: all are; empty: there are none. */
export type Shown = (typeof SHOWN)[number];

export interface Asked {
  readonly text: string;
  readonly show: Shown;
  /** Of one zone only. */
  readonly zone?: string;
  /** The services after, or before, this place in the order of names. */
  readonly after?: string;
  readonly before?: string;
}

export interface Found {
  readonly asked: Asked;
  readonly services: readonly FoundService[];
  /** How many match. */
  readonly matches: number;
  /** How many come before the first that is listed. */
  readonly skipped: number;
}

export interface FoundService {
  /** Its place in the order. */
  readonly place: string;
  /** Absolute. */
  readonly name: string;
  readonly zone: string;
  readonly kind: string;
  readonly source: string;
  readonly size: number;
  readonly answered: number;
  readonly clusterIps?: readonly string[];
  /** Those that were searched for, or are left out; the first few. */
  readonly instances: readonly InstanceOverview[];
}
