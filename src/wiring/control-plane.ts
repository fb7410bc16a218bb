// Connects the modules of the control plane: sources → registry → health → zones → data plane.
import { isDeepStrictEqual } from 'node:util';
import type { Clock, Random, Timer } from '../clock.ts';
import type { Config, ZoneConfig } from '../config/config.ts';
import { extraText } from '../dns/extra-text.ts';
import { createExternalReports, type ExternalReports } from '../health/checks/external-reports.ts';
import { HealthSync } from '../health/sync.ts';
import type { Logger } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import type { DataPlane } from '../plane/records.ts';
import { createRegistry, type Registry } from '../registry/registry.ts';
import { stateStaticServices } from '../sources/static.ts';
import { createStatusBoard, type StatusBoard } from '../sources/status.ts';
import { Zones } from '../zone/zones.ts';
import type { CloudMap, CloudMapDependencies } from './cloud-map.ts';
import { createFlushPace, type FlushPace } from './flush-pace.ts';
import { createKubernetesSources, type KubernetesSources } from './kubernetes-sources.ts';
import { createOperators, type RunningOperators } from './operators.ts';
import { createProgramming, type Programming } from './programming.ts';
import { NOTHING_TO_DO, type Prepared } from './reload.ts';

/** Changes of reasons are sent together: only the text of errors waits for them. */
const REASONS_MS = 50;
const ALL_TEXT = { server: { errorText: true } };

export interface ControlPlaneSettings {
  readonly config: Config;
  readonly plane: DataPlane;
  readonly nameServerAddresses: readonly string[];
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly metrics: Metrics;
}

/** Without any content yet. Rejects if the Cloud Map store or the operators' file cannot be opened. */
export async function createControlPlane(settings: ControlPlaneSettings): Promise<ControlPlane> {
  const control = new ControlPlane(settings);
  await (await control.operators.prepare(settings.config.operatorFile)).commit();
  await control.startCloudMap();
  return control;
}

export class ControlPlane {
  readonly registry: Registry;
  readonly health: HealthSync;
  readonly reports: ExternalReports;
  readonly board: StatusBoard;
  readonly zones: Zones;
  readonly operators: RunningOperators;
  readonly programming: Programming;
  cloudMap: CloudMap | undefined;

  readonly #settings: ControlPlaneSettings;
  readonly #pace: FlushPace;
  readonly #sources: KubernetesSources;
  /** The current configuration; undefined before the first `state`. */
  #stated: Config | undefined;
  #cloudMapZones: readonly ZoneConfig[] = [];
  #reasons: Timer | undefined;
  #isClosed = false;

  constructor(settings: ControlPlaneSettings) {
    const { config, plane, nameServerAddresses, clock, random, log } = settings;
    this.#settings = settings;
    this.registry = createRegistry(plane.slots);
    const { registry } = this;
    this.health = new HealthSync({ registry, slots: plane.slots, clock, schedule });
    this.reports = createExternalReports(registry, clock, schedule);
    this.board = createStatusBoard(clock);
    this.#pace = createFlushPace({ flush: () => this.#tick(), schedule, isLoading: () => this.isLoading(), clock });
    this.zones = new Zones({
      ...{ registry, plane, zones: config.zones, clock, random, nameServerAddresses },
      onDirty: () => this.#pace.wake(),
      pause,
      leftOut: (owner, problem) => log.warn('left out of DNS', { owner, problem }),
    });
    this.programming = createProgramming({
      concerns: (key) => {
        const service = registry.service(key)?.service;
        return service?.kind === 'instances' && this.board.zone(service.zone).ready;
      },
      flush: () => this.flush(),
      ...{ schedule, clock },
    });
    const { changed } = this.programming;
    this.#sources = createKubernetesSources({ registry, board: this.board, clock, random, log, changed });
    this.operators = createOperators({
      ...{ registry, sources: this.#sources, clock },
      cloudMap: () => this.cloudMap?.state,
    });
    this.health.onVerdict((state) => this.zones.verdictChanged(state.service.key));
    this.health.onReason((state, verdict) => {
      if (this.zones.noteReason(state, verdict)) this.#sendReasonsSoon();
    });
    this.board.onChange(() => this.#showReadiness());
  }

  async startCloudMap(): Promise<void> {
    const { config } = this.#settings;
    if (config.cloudMap === undefined) return;
    const { startCloudMap } = await import('./cloud-map.ts');
    this.cloudMap = await startCloudMap(config.cloudMap, this.#cloudMapDependencies(config));
  }

  /** Opens what the new Cloud Map needs. Rejects if it cannot be opened, and then nothing has changed. */
  async prepareCloudMap(next: Config): Promise<Prepared> {
    const { cloudMap } = this;
    const previous = this.#stated ?? this.#settings.config;
    if (isDeepStrictEqual([previous.cloudMap, previous.ecs], [next.cloudMap, next.ecs])) return NOTHING_TO_DO;
    if (cloudMap === undefined && next.cloudMap === undefined) return NOTHING_TO_DO;
    const { prepareCloudMap } = await import('./cloud-map.ts');
    const change = await (cloudMap === undefined
      ? prepareCloudMap(next.cloudMap!, this.#cloudMapDependencies(next))
      : cloudMap.prepare(next.cloudMap, next.ecs));
    return {
      commit: async () => {
        this.cloudMap = await change.commit();
      },
      release: change.release,
    };
  }

  #cloudMapDependencies({ ecs, limits }: Config): CloudMapDependencies {
    const { clock, random, log, metrics } = this.#settings;
    const { registry, board } = this;
    return {
      ...{ registry, board, clock, random, log, metrics },
      flush: () => this.flush(),
      onVerdict: this.health.onVerdict,
      ...(ecs && { ecs }),
      concurrentChecks: limits.concurrentChecks,
      configuredZones: () => this.#configured().map(({ name }) => name),
      onZones: (next) => {
        this.#cloudMapZones = next;
        this.#showZones();
      },
    };
  }

  /** Applies a configuration; resolves when the data plane has everything that is known immediately. */
  async state(next: Config, nameServerAddresses?: readonly string[]): Promise<void> {
    const previous = this.#stated;
    this.#stated = next;
    if (next.server.errorText !== (previous ?? ALL_TEXT).server.errorText) this.#setReasons(next.server.errorText);
    this.#showZones(nameServerAddresses);
    stateStatic(this.registry, next.zones, previous?.zones ?? []);
    this.board.setComplete(false);
    await this.#sources.replace(next.zones);
    this.board.setComplete(true);
    await this.flush();
  }

  /** Pods that no service contains. */
  readonly strayPods = () => this.#sources.strayPods();

  /** The zones of the file and of Cloud Map namespaces; the file wins if both have the same name. */
  servedZones(): readonly ZoneConfig[] {
    const names = new Set(this.#configured().map(({ name }) => name));
    return [...this.#configured(), ...this.#cloudMapZones.filter(({ name }) => !names.has(name))];
  }

  /** The sources of some zone are being read for the first time. */
  isLoading(): boolean {
    return this.servedZones().some(({ name }) => !this.board.zone(name).ready);
  }

  /** Resolves when the data plane has everything known now. Verdicts first, so that a new name is answered correctly at once. */
  flush(): Promise<void> {
    const judged = this.health.settle(pause);
    return judged === undefined ? this.zones.flush() : judged.then(() => this.zones.flush());
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#pace.stop();
    this.#reasons?.cancel();
    await this.#sources.stop();
    await this.cloudMap?.stop();
    this.reports.stop();
    this.health.stop();
  }

  #sendReasonsSoon(): void {
    if (this.#isClosed) return;
    this.#reasons ??= this.#settings.clock.setTimeout(() => {
      this.#reasons = undefined;
      if (this.zones.sendReasons()) this.#sendReasonsSoon();
    }, REASONS_MS);
  }

  #setReasons(isOn: boolean): void {
    this.zones.setReasons(isOn);
    this.#sendReasonsSoon();
  }

  async #tick(): Promise<void> {
    if (this.#isClosed) return;
    await this.flush().catch((error: Error) => {
      if (!this.#isClosed)
        this.#settings.log.error('failed to publish names to the data plane', { error: error.message });
    });
  }

  #configured(): readonly ZoneConfig[] {
    return (this.#stated ?? this.#settings.config).zones;
  }

  #showZones(nameServerAddresses?: readonly string[]): void {
    this.zones.reload(this.servedZones(), nameServerAddresses);
    this.#showReadiness();
  }

  #showReadiness(): void {
    const { errorText } = (this.#stated ?? this.#settings.config).server;
    for (const { name } of this.servedZones()) {
      const { why, ...state } = this.board.zone(name);
      this.zones.setState(name, errorText && why !== undefined ? { ...state, why: extraText(why) } : state);
    }
    this.zones.setClaimed(this.board.claimed());
    this.#pace.loaded();
    const heard = this.board.unpublished();
    if (heard.length === 0 || this.#isClosed) return;
    this.flush().then(
      () => this.board.published(heard),
      () => {}, // a closed plane is never ready
    );
  }
}

function stateStatic(registry: Registry, zones: readonly ZoneConfig[], previous: readonly ZoneConfig[]): void {
  const before = new Map(previous.map((zone) => [zone.name, zone]));
  for (const zone of zones) {
    stateStaticServices(zone, registry, before.get(zone.name));
    before.delete(zone.name);
  }
  for (const zone of before.values()) stateStaticServices(undefined, registry, zone);
}

const pause = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function schedule(callback: () => void): void {
  setImmediate(callback);
}
