// The rooms that say what is true, connected: registry → health → zones, and who fills the registry.
import type { Clock, Random } from '../clock.ts';
import type { Config, ZoneConfig } from '../config/config.ts';
import { createExternalReports, type ExternalReports } from '../health/checks/external-reports.ts';
import { createHealthSync, type HealthSync } from '../health/sync.ts';
import type { Logger } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import type { DataPlane } from '../plane/records.ts';
import { createRegistry, type Registry } from '../registry/registry.ts';
import { stateStaticServices } from '../sources/static.ts';
import { createStatusBoard, type StatusBoard } from '../sources/status.ts';
import { Zones } from '../zone/zones.ts';
import { type CloudMap, startCloudMap } from './cloud-map.ts';
import { createFlushPace } from './flush-pace.ts';
import { createKubernetesSources } from './kubernetes-sources.ts';

export interface ControlPlane {
  readonly registry: Registry;
  readonly health: HealthSync;
  readonly reports: ExternalReports;
  readonly board: StatusBoard;
  readonly zones: Zones;
  readonly cloudMap: CloudMap | undefined;
  /** Those of the file, and of Cloud Map's namespaces; where both have one, the file says what it is. */
  servedZones(): readonly ZoneConfig[];
  /** States what a configuration says; resolves when the data plane has what is known at once. */
  state(config: Config): Promise<void>;
  /** A zone's sources are read for the first time, and have not said all yet. */
  isLoading(): boolean;
  /** Resolves when the data plane has all that is known now. */
  flush(): Promise<void>;
  close(): Promise<void>;
}

export interface ControlPlaneSettings {
  readonly config: Config;
  readonly plane: DataPlane;
  readonly nameServerAddresses: readonly string[];
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly metrics: Metrics;
}

/** Nothing is stated yet. Rejects where Cloud Map's store cannot be opened. */
export async function createControlPlane(settings: ControlPlaneSettings): Promise<ControlPlane> {
  const { config, plane, nameServerAddresses, clock, random, log, metrics } = settings;
  let stated: Config | undefined;
  let cloudMapZones: readonly ZoneConfig[] = [];
  let isClosed = false;

  const registry = createRegistry(plane.slots);
  const health = createHealthSync({ registry, slots: plane.slots, clock, schedule });
  const reports = createExternalReports(registry, clock, schedule);
  const board = createStatusBoard(clock);
  const isLoading = () => servedZones().some(({ name }) => !board.zone(name).ready);
  const pace = createFlushPace({ flush: tick, schedule, isLoading, clock });
  const zones = new Zones({
    registry,
    plane,
    zones: config.zones,
    clock,
    random,
    nameServerAddresses,
    onDirty: () => pace.wake(),
    pause: () => new Promise((resolve) => setImmediate(resolve)),
    leftOut: (owner, problem) => log.warn('left out of DNS', { owner, problem }),
  });
  health.onVerdict((state) => zones.verdictChanged(state.service.key));

  /** Verdicts before names: a new name is answered at once, and rightly. */
  function flush(): Promise<void> {
    health.flush();
    return zones.flush();
  }
  async function tick(): Promise<void> {
    if (isClosed) return;
    await flush().catch((error: Error) => {
      if (!isClosed) log.error('names were not brought to the data plane', { error: error.message });
    });
  }

  const sources = createKubernetesSources({ registry, board, clock, random, log });
  function servedZones(): readonly ZoneConfig[] {
    const configured = (stated ?? config).zones;
    const names = new Set(configured.map(({ name }) => name));
    return [...configured, ...cloudMapZones.filter(({ name }) => !names.has(name))];
  }
  function showReadiness(): void {
    for (const { name } of servedZones()) zones.setState(name, board.zone(name));
    pace.loaded();
    const heard = board.unpublished();
    if (heard.length > 0 && !isClosed)
      flush().then(
        () => board.published(heard),
        () => {},
      ); // a closed plane is never ready
  }
  function showZones(): void {
    zones.reload(servedZones());
    showReadiness();
  }
  board.onChange(showReadiness);

  const cloudMap =
    config.cloudMap &&
    (await startCloudMap(config.cloudMap, {
      ...{ registry, board, clock, random, log, metrics, flush, onVerdict: health.onVerdict },
      configuredZones: () => (stated ?? config).zones.map(({ name }) => name),
      onZones(next) {
        cloudMapZones = next;
        showZones();
      },
    }));

  return {
    ...{ registry, health, reports, board, zones, cloudMap },
    ...{ servedZones, isLoading, flush },
    async state(next) {
      const previous = stated;
      stated = next;
      showZones();
      stateStatic(registry, next.zones, previous?.zones ?? []);
      board.setComplete(false);
      await sources.replace(next.zones);
      board.setComplete(true);
      await flush();
    },
    async close() {
      isClosed = true;
      pace.stop();
      await sources.stop();
      await cloudMap?.stop();
      reports.stop();
      health.stop();
    },
  };
}

function stateStatic(registry: Registry, zones: readonly ZoneConfig[], previous: readonly ZoneConfig[]): void {
  const before = new Map(previous.map((zone) => [zone.name, zone]));
  for (const zone of zones) {
    stateStaticServices(zone, registry, before.get(zone.name));
    before.delete(zone.name);
  }
  for (const zone of before.values()) stateStaticServices(undefined, registry, zone);
}

function schedule(callback: () => void): void {
  setImmediate(callback);
}
