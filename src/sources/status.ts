// The board of sources: which have synced, and how old their data are. /ready, the readiness of zones, /metrics and
// the status page read it. A source that has synced once stays synced: losing its server afterwards means older data.
import type { Clock } from '../clock.ts';

export type KindState =
  | 'starting'
  | 'listing' // the first, or a new, complete list is being read
  | 'watching'
  | 'disconnected' // trying again, with backoff; known data are still served
  | 'forbidden' // the server denies this kind (403)
  | 'absent'; // the server does not have this kind (404)

export type KindCounter =
  | 'lists'
  | 'watches'
  | 'events'
  | 'failures'
  | 'expired' // the server had forgotten our resourceVersion (410)
  | 'silent' // a connection without a sign of life was closed
  | 'malformed'
  | 'refused' // over a limit of the registry
  | 'outdated' // objects older than what was known
  | 'unconfirmed'; // lists that lost so much that a second one was asked for

/** One kind of object of one source. */
export interface KindStatus {
  readonly kind: string;
  /** The source cannot be synced before this kind is. */
  readonly required: boolean;
  readonly state: KindState;
  readonly synced: boolean;
  /** The pending step, or the last error: "connect ECONNREFUSED 127.0.0.1:6443". */
  readonly detail: string;
  readonly objects: number;
  /** Wall-clock milliseconds of the last confirmation; undefined before the first. */
  readonly lastContactMs: number | undefined;
  readonly counters: Readonly<Record<KindCounter, number>>;
}

export interface SourceStatus {
  /** "kubernetes/CONTEXT", with the zone if another source has that name. */
  readonly name: string;
  readonly zones: readonly string[];
  readonly synced: boolean;
  /** Served from a snapshot that is not too old, until the source has synced; or not confirmed for too long. */
  readonly stale: boolean;
  readonly kinds: readonly KindStatus[];
  /**
   * Milliseconds since the last proof of the required kind with the oldest one; undefined before. A kind known only from a
   * snapshot is as old as the snapshot.
   */
  readonly ageMs: number | undefined;
}

export interface MissingSource {
  readonly source: string;
  readonly zones: readonly string[];
  readonly detail: string;
  /** See StatusBoard.add; absent: none. */
  readonly claims?: readonly string[];
}

/** A kind that the server denies: the source is served without it. */
export interface DegradedSource {
  readonly source: string;
  readonly kind: string;
  readonly detail: string;
}

export interface UnpublishedSource {
  readonly name: string;
  readonly zones: readonly string[];
}

/** The interface with which a source reports on one of its kinds. */
export interface KindReport {
  state(state: KindState, detail?: string): void;
  synced(): void;
  contact(): void;
  objects(count: number): void;
  count(counter: KindCounter): void;
  /** The source continues without this kind (it may not read it). */
  waive(): void;
  remove(): void;
}

/** The interface with which a source reports on itself. */
export interface SourceReport {
  kind(kind: string, required: boolean): KindReport;
  isSynced(): boolean;
  /** Wall-clock milliseconds of the oldest last proof among the required kinds; undefined before. */
  heardMs(): number | undefined;
  /** The data is from a snapshot taken then (wall-clock milliseconds), until all kinds have been listed. */
  restored(takenMs: number): void;
  /** The snapshot is too old to be served. */
  expired(): void;
  /** See SourceStatus. */
  ageMs(): number | undefined;
  /** Whether the data has not been confirmed for longer than configured. */
  setOld(isOld: boolean): void;
  remove(): void;
}

export interface StatusBoard {
  /** `claims`: below these names, the source may add zones that are unknown until it has reported. */
  add(name: string, zones: readonly string[], claims?: readonly string[]): SourceReport;
  /** Whether all sources of a configuration have been added; false while a reload replaces them. */
  setComplete(isComplete: boolean): void;
  /**
   * None is missing, and every data thread has what each first reported; except those that were added once this had been
   * true: their zones alone wait for them.
   */
  isReady(): boolean;
  /** Sources that have reported everything, or are served from a snapshot, of which the data threads do not know all yet. */
  unpublished(): readonly UnpublishedSource[];
  /** Every data thread has applied what these had reported when they were asked for. */
  published(sources: readonly UnpublishedSource[]): void;
  sources(): readonly SourceStatus[];
  /** Sources that have not synced; those served from a snapshot are not missing. */
  missing(): readonly MissingSource[];
  /** Kinds that sources are served without, because the server denies them. */
  degraded(): readonly DegradedSource[];
  /** Names below which our zones are not known yet: the claims of missing sources. */
  claimed(): readonly string[];
  /**
   * Whether all sources of a zone have synced or are served from a snapshot; and whether its answers may be out of date: a
   * source is stale, or one is missing while others are known. `why`: the reason of either, for people.
   */
  zone(name: string): { readonly ready: boolean; readonly stale: boolean; readonly why?: string };
  /** Called when a source is added, removed, synced, restored or stale. */
  onChange(listener: () => void): void;
}

interface MutableKind extends Omit<KindStatus, 'counters'> {
  required: boolean;
  state: KindState;
  synced: boolean;
  detail: string;
  objects: number;
  lastContactMs: number | undefined;
  contactAtMs: number;
  /** The server denied it the last time; undefined: not, or no longer. */
  denied: string | undefined;
  counters: Record<KindCounter, number>;
  /** Since it last synced. */
  isFailing: boolean;
}

interface MutableSource {
  readonly name: string;
  readonly zones: readonly string[];
  readonly claims: readonly string[];
  readonly kinds: Set<MutableKind>;
  /** False: the source was added to a ready replica. */
  readonly isAwaited: boolean;
  synced: boolean;
  stale: boolean;
  isPublished: boolean;
  isOld: boolean;
  /** Wall-clock milliseconds of its snapshot; undefined: none. */
  takenMs: number | undefined;
}

export function createStatusBoard(clock: BoardClock): StatusBoard {
  const sources = new Set<MutableSource>();
  const listeners: (() => void)[] = [];
  let isComplete = false;
  /** A cluster that a reload adds must not take a serving replica out of its Service. */
  let wasReady = false;
  const isReady = () =>
    (wasReady || isComplete) && ![...sources].some((source) => source.isAwaited && isPending(source));
  const changed = () => {
    wasReady ||= isReady();
    for (const listener of listeners) listener();
  };

  return {
    add(name, zones, claims = []) {
      const source: MutableSource = {
        ...{ name, zones, claims, kinds: new Set(), isAwaited: !wasReady },
        ...{ synced: false, stale: false, isPublished: false, isOld: false, takenMs: undefined },
      };
      sources.add(source);
      changed();
      const remove = () => {
        sources.delete(source);
        changed();
      };
      return { ...reportSource(source, clock, changed), remove };
    },
    setComplete(now) {
      isComplete = now;
      changed();
    },
    isReady,
    unpublished: () => [...sources].filter((source) => !source.isPublished && !isMissing(source)),
    published(which) {
      const fresh = [...sources].filter(
        (source) => which.includes(source) && !source.isPublished && !isMissing(source),
      );
      if (fresh.length === 0) return;
      for (const source of fresh) source.isPublished = true;
      changed();
    },
    sources: () => [...sources].map((source) => describeSource(source, clock)),
    claimed: () => [...new Set([...sources].filter(isMissing).flatMap(({ claims }) => claims))],
    missing: () => [...sources].filter(isMissing).map(describeMissing),
    degraded: () => [...sources].filter((source) => !isMissing(source)).flatMap(describeDenied),
    zone(name) {
      const own = [...sources].filter((source) => source.zones.includes(name));
      const missing = own.filter(isMissing);
      // While one cluster of several has not been read, it may own the names that the others answer.
      const mayChange = missing.length > 0 && missing.length < own.length;
      const why = missing.length > 0 ? whyMissing(missing[0]) : own.filter(isStale).map(whyStale)[0];
      return { ready: missing.length === 0, stale: own.some(isStale) || mayChange, ...(why !== undefined && { why }) };
    },
    onChange: (listener) => void listeners.push(listener),
  };
}

type BoardClock = Pick<Clock, 'now' | 'monotonicMs'>;

const isMissing = ({ synced, stale }: MutableSource): boolean => !synced && !stale;
const isPending = (source: MutableSource): boolean => isMissing(source) || !source.isPublished;
const isStale = ({ stale, isOld, synced }: MutableSource): boolean => stale || (synced && isOld);

/** Without details such as addresses: it is visible to every client. */
function whyMissing({ name, kinds }: MutableSource): string {
  const waiting = [...kinds].filter((kind) => kind.required && !kind.synced);
  const failing = waiting.filter(({ isFailing }) => isFailing);
  const [first] = failing;
  if (first?.state === 'forbidden') return `not ready: ${name} may not list ${first.kind}`;
  const what = `has not listed ${waiting.map(({ kind }) => kind).join(', ')}`;
  return `not ready: ${name} ${what}${failing.length > 0 ? ': its API server does not answer' : ''}`;
}

function whyStale(source: MutableSource): string {
  const { name, synced, takenMs } = source;
  if (!synced && takenMs !== undefined) return `stale: ${name} is served from a snapshot of ${timeText(takenMs)}`;
  const heardMs = heardOf(source);
  return `stale: ${name} has not been confirmed${heardMs === undefined ? '' : ` since ${timeText(heardMs)}`}`;
}

const timeText = (ms: number): string => new Date(ms).toISOString().replace(/\.\d+/, '');

function heardOf({ kinds }: MutableSource): number | undefined {
  const heard = [...kinds].filter((kind) => kind.required).map((kind) => kind.lastContactMs ?? 0);
  const oldestMs = Math.min(...heard);
  return heard.length === 0 || oldestMs === 0 ? undefined : oldestMs;
}

function reportSource(source: MutableSource, clock: BoardClock, changed: () => void): Omit<SourceReport, 'remove'> {
  const set = (change: Partial<Pick<MutableSource, 'synced' | 'stale' | 'isPublished' | 'isOld' | 'takenMs'>>) => {
    Object.assign(source, change);
    changed();
  };
  const review = () => {
    if (source.synced || ![...source.kinds].every((kind) => kind.synced || !kind.required)) return;
    set({ synced: true, stale: false });
  };
  return {
    kind: (kind, required) => reportKind({ source, clock, review, changed }, kind, required),
    isSynced: () => source.synced,
    heardMs: () => heardOf(source),
    restored(takenMs) {
      if (!source.synced) set({ stale: true, takenMs });
    },
    expired() {
      if (source.stale) set({ stale: false, isPublished: false });
    },
    ageMs: () => ageOf(source, clock),
    setOld(isOld) {
      if (source.isOld !== isOld) set({ isOld });
    },
  };
}

interface KindContext {
  readonly source: MutableSource;
  readonly clock: BoardClock;
  readonly review: () => void;
  readonly changed: () => void;
}

function reportKind({ source, clock, review, changed }: KindContext, name: string, required: boolean): KindReport {
  const kind: MutableKind = {
    kind: name,
    required,
    state: 'starting',
    synced: false,
    detail: '',
    objects: 0,
    lastContactMs: undefined,
    contactAtMs: 0,
    denied: undefined,
    counters: emptyCounters(),
    isFailing: false,
  };
  source.kinds.add(kind);
  return {
    state(state, detail = '') {
      kind.state = state;
      kind.detail = detail;
      if (state === 'forbidden') kind.denied = detail;
      if (state === 'watching') kind.denied = undefined;
      if (kind.isFailing || (state !== 'disconnected' && state !== 'forbidden')) return;
      kind.isFailing = true;
      changed();
    },
    synced() {
      kind.isFailing = false;
      kind.synced = true;
      review();
      if (!source.synced) changed(); // one fewer to wait for
    },
    contact() {
      kind.lastContactMs = clock.now();
      kind.contactAtMs = clock.monotonicMs();
    },
    objects(count) {
      kind.objects = count;
    },
    count(counter) {
      kind.counters[counter]++;
    },
    waive() {
      kind.required = false;
      review();
    },
    remove() {
      source.kinds.delete(kind);
      review();
    },
  };
}

function ageOf(source: MutableSource, clock: BoardClock): number | undefined {
  const { takenMs } = source;
  const ages = [...source.kinds].flatMap((kind) => {
    if (!kind.required) return [];
    if (!kind.synced && takenMs !== undefined) return [Math.max(0, clock.now() - takenMs)];
    return kind.lastContactMs === undefined ? [] : [clock.monotonicMs() - kind.contactAtMs];
  });
  return ages.length === 0 ? undefined : Math.max(...ages);
}

function describeSource(source: MutableSource, clock: BoardClock): SourceStatus {
  return {
    name: source.name,
    zones: source.zones,
    synced: source.synced,
    stale: isStale(source),
    kinds: [...source.kinds].map(({ contactAtMs: _contactAtMs, denied: _denied, isFailing: _isFailing, ...kind }) => ({
      ...kind,
      counters: { ...kind.counters },
    })),
    ageMs: ageOf(source, clock),
  };
}

function describeMissing(source: MutableSource): MissingSource {
  const waiting = [...source.kinds].filter((kind) => kind.required && !kind.synced);
  const detail = waiting.map((kind) => `${kind.kind}: ${kind.detail === '' ? kind.state : kind.detail}`).join('; ');
  const { name, zones, claims } = source;
  return { source: name, zones, detail, ...(claims.length > 0 && { claims }) };
}

function describeDenied({ name, kinds }: MutableSource): DegradedSource[] {
  return [...kinds].flatMap(({ kind, denied }) =>
    denied === undefined ? [] : [{ source: name, kind, detail: denied }],
  );
}

const emptyCounters = (): Record<KindCounter, number> => ({
  lists: 0,
  watches: 0,
  events: 0,
  failures: 0,
  expired: 0,
  silent: 0,
  malformed: 0,
  refused: 0,
  outdated: 0,
  unconfirmed: 0,
});
