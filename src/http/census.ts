// Counts the services and instances of each zone, and the services in trouble, as they change, so that neither a scrape nor
// the status page walks the registry.
import type { VerdictListener } from '../health/sync.ts';
import type { Service, ServiceState } from '../registry/model.ts';
import type { Registry } from '../registry/registry.ts';

export interface Census extends Counts {
  /** Counts at most so many of the services that have changed; whether all are counted. */
  settle(most: number): boolean;
  /** The same counts as of the last `settle`: of a large cluster that is being read, those so far. */
  readonly settled: Counts;
}

export interface Counts {
  zone(name: string): ZoneCensus;
  /** Names of zones that have services. */
  zones(): readonly string[];
  /** Instances of each combination that some zone has. */
  instances(): Iterable<{ readonly zone: string; readonly status: string; readonly answered: boolean; n: number }>;
}

export interface ZoneCensus {
  /** All services by key, and the keys of those with an instance that is not answered. */
  readonly services: ReadonlyMap<string, ServiceCensus>;
  readonly troubled: ReadonlySet<string>;
  /** Keys of those that have nothing to answer. */
  readonly unanswered: ReadonlySet<string>;
  readonly instanceCount: number;
  readonly answeredCount: number;
}

export interface CensusSources {
  /** A service has changed, and no other was waiting to be counted. */
  readonly onDirty?: () => void;
  readonly registry: Pick<Registry, 'services' | 'service' | 'onChange'>;
  readonly health: { onVerdict(listener: VerdictListener): void };
}

interface MutableZone extends ZoneCensus {
  readonly services: Map<string, ServiceCensus>;
  readonly troubled: Set<string>;
  readonly unanswered: Set<string>;
  instanceCount: number;
  answeredCount: number;
}

export interface ServiceCensus {
  readonly size: number;
  readonly answered: number;
  /** Its name has nothing to answer. */
  readonly isUnanswered: boolean;
}

/** The contribution of a service to the counts of its zone. */
interface Share extends ServiceCensus {
  readonly zone: string;
  readonly verdicts: ReadonlyMap<string, number>;
}

export function createCensus({ registry, health, onDirty }: CensusSources): Census {
  const shares = new Map<string, Share>();
  const dirty = new Set<string>();
  const { add, settled } = createTally();
  for (const { key } of registry.services()) dirty.add(key);
  const mark = (key: string): void => {
    if (dirty.size === 0) onDirty?.();
    dirty.add(key);
  };
  registry.onChange((key, what) => {
    if (what === 'structure') mark(key);
  });
  health.onVerdict(({ service }) => mark(service.key));

  function settle(most: number): boolean {
    let left = most;
    for (const key of dirty) {
      if (left-- <= 0) break;
      dirty.delete(key);
      const before = shares.get(key);
      const after = shareOf(registry.service(key));
      if (before !== undefined) add(key, before, -1);
      if (after !== undefined) add(key, after, 1);
      if (after === undefined) shares.delete(key);
      else shares.set(key, after);
    }
    return dirty.size === 0;
  }

  const settleAll = () => settle(Number.POSITIVE_INFINITY);
  return {
    settle,
    settled,
    zone(name) {
      settleAll();
      return settled.zone(name);
    },
    zones() {
      settleAll();
      return settled.zones();
    },
    instances() {
      settleAll();
      return settled.instances();
    },
  };
}

/** The sums of shares. */
function createTally(): { add(key: string, share: Share, sign: 1 | -1): void; readonly settled: Counts } {
  const zones = new Map<string, MutableZone>();
  const combinations = new Map<string, number>();

  function zoneOf(name: string): MutableZone {
    const known = zones.get(name);
    if (known !== undefined) return known;
    const zone = {
      services: new Map<string, ServiceCensus>(),
      troubled: new Set<string>(),
      unanswered: new Set<string>(),
      instanceCount: 0,
      answeredCount: 0,
    };
    zones.set(name, zone);
    return zone;
  }

  return {
    /** `sign` -1 subtracts it. */
    add(key, share, sign) {
      const zone = zoneOf(share.zone);
      if (sign > 0) zone.services.set(key, share);
      else zone.services.delete(key);
      if (sign > 0 && share.answered < share.size) zone.troubled.add(key);
      else zone.troubled.delete(key);
      if (sign > 0 && share.isUnanswered) zone.unanswered.add(key);
      else zone.unanswered.delete(key);
      zone.instanceCount += sign * share.size;
      zone.answeredCount += sign * share.answered;
      for (const [verdict, n] of share.verdicts) {
        const id = `${share.zone} ${verdict}`;
        const left = (combinations.get(id) ?? 0) + sign * n;
        if (left === 0) combinations.delete(id);
        else combinations.set(id, left);
      }
      if (zone.services.size === 0) zones.delete(share.zone);
    },
    settled: {
      zone: (name) => zones.get(name) ?? EMPTY,
      zones: () => [...zones.keys()],
      *instances() {
        for (const [id, n] of combinations) {
          const [zone, status, answered] = id.split(' ');
          yield { zone, status, answered: answered === 'true', n };
        }
      },
    },
  };
}

const EMPTY: ZoneCensus = {
  services: new Map(),
  troubled: new Set(),
  unanswered: new Set(),
  instanceCount: 0,
  answeredCount: 0,
};

/** undefined: not a service for people. */
function shareOf(state: ServiceState | undefined): Share | undefined {
  if (state?.service === undefined || state.service.kind === 'namespace') return undefined;
  const verdicts = new Map<string, number>();
  let answeredCount = 0;
  for (const { verdict } of state.instances.values()) {
    const { status, answered } = verdict;
    if (answered) answeredCount++;
    verdicts.set(`${status} ${answered}`, (verdicts.get(`${status} ${answered}`) ?? 0) + 1);
  }
  const { size } = state.instances;
  const isUnanswered = hasNothingToAnswer(state.service, answeredCount, size);
  return { zone: state.service.zone, size, answered: answeredCount, isUnanswered, verdicts };
}

function hasNothingToAnswer({ kind, ignoreEmpty, policy }: Service, answered: number, size: number): boolean {
  if (answered > 0) return false;
  if (kind === 'instances') return size === 0 || policy.whenAllUnhealthy !== 'all';
  return kind === 'clusterIp' && ignoreEmpty === true;
}
