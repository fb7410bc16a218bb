// Wiring: the rooms in the order of the data, stopped in reverse. Nothing is decided here.
import type { Clock, Random } from './clock.ts';
import type { Config, ListenAddress, ZoneConfig } from './config/config.ts';
import { createCheckRunner } from './health/checks/runner.ts';
import { createHealthSync } from './health/sync.ts';
import { explainEndpoint } from './http/explain.ts';
import { explainName } from './http/explanation.ts';
import { healthEndpoint } from './http/health.ts';
import { metricsEndpoint } from './http/metrics.ts';
import { type Overview, overviewOf } from './http/overview.ts';
import { readyEndpoint } from './http/ready.ts';
import { type HttpServer, startHttpServer } from './http/server.ts';
import { statusPage } from './http/status-page.ts';
import type { Logger } from './log.ts';
import type { Metrics } from './metrics.ts';
import { ListenError, type ListeningAddress } from './plane/plane.ts';
import { startDataPlane } from './plane/threads.ts';
import { createRegistry } from './registry/registry.ts';
import { stateStaticServices } from './sources/static.ts';
import { createStatusBoard } from './sources/status.ts';
import { VERSION } from './version.ts';
import { startCloudMap } from './wiring/cloud-map.ts';
import { controlFamilies } from './wiring/control-metrics.ts';
import { firstChecks } from './wiring/first-checks.ts';
import { createKubernetesSources } from './wiring/kubernetes-sources.ts';
import { presentAddresses } from './wiring/listen-addresses.ts';
import { planeSettings } from './wiring/plane-settings.ts';
import { createZones } from './zone/zones.ts';

export interface Dependencies {
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly random: Random;
}

export interface Running {
  readonly listening: readonly ListeningAddress[];
  readonly http: ListenAddress | undefined;
  /** At most `limit` services of each zone are listed. */
  overview(limit: number): Overview;
  /** Resolves when every active check has come to a first result (true), or after a few seconds (false). */
  firstChecks(): Promise<boolean>;
  /** Rejects where the new configuration cannot be served; then what was stated so far stays. */
  reload(config: Config): Promise<void>;
  stop(): Promise<void>;
}

/** Rejects with ListenError where an address cannot be had; nothing is left running then. */
export async function startHealthdns(config: Config, dependencies: Dependencies): Promise<Running> {
  const { log, metrics, clock, random } = dependencies;
  const startedMs = clock.now();
  const undo: (() => unknown)[] = [];
  const schedule = (callback: () => void) => void setImmediate(callback);
  let current = config;
  let cloudMapZones: readonly ZoneConfig[] = [];
  let isStopping = false;

  const { present, skipped } = presentAddresses(config.listen);
  for (const { address, port } of skipped) log.warn('no IPv6 on this host: not listening', { address, port });

  const plane = await startDataPlane(planeSettings(config, present), {
    log: (level, message) => log[level](message),
    refill: () => zones.refill(),
    // Next to this file, both as built for tests and bundled.
    threadUrl: new URL('./server/thread.js', import.meta.url),
    clock,
    random,
  });
  undo.push(() => plane.close());
  undo.push(metrics.collect(() => plane.counters()));

  const registry = createRegistry(plane.slots);
  const health = createHealthSync({ registry, slots: plane.slots, clock, schedule });
  undo.push(() => health.stop());
  const board = createStatusBoard(clock);
  const zones = createZones({
    registry,
    plane,
    zones: config.zones,
    clock,
    random,
    nameServerAddresses: serverAddresses(present),
    onDirty: () => schedule(tick),
    pause: () => new Promise((resolve) => setImmediate(resolve)),
    leftOut: (owner, problem) => log.warn('left out of DNS', { owner, problem }),
  });
  health.onVerdict((state) => zones.verdictChanged(state.service.key));

  /** Verdicts before names: a new name is answered at once, and rightly. */
  function flush(): Promise<void> {
    health.flush();
    return zones.flush();
  }
  function tick(): void {
    if (isStopping) return;
    flush().catch((error: Error) => log.error('names were not brought to the data plane', { error: error.message }));
  }
  /** The configured ones, then those of Cloud Map namespaces; the first of a name counts. */
  function allZones(): ZoneConfig[] {
    const configured = new Set(current.zones.map(({ name }) => name));
    return [...current.zones, ...cloudMapZones.filter(({ name }) => !configured.has(name))];
  }
  function showReadiness(): void {
    for (const { name } of allZones()) zones.setState(name, board.zone(name));
  }
  board.onChange(showReadiness);

  const sources = createKubernetesSources({ registry, board, clock, random, log });
  undo.push(() => sources.stop());

  async function state(next: Config, previous?: Config): Promise<void> {
    const before = new Map(previous?.zones.map((zone) => [zone.name, zone]));
    for (const zone of next.zones) stateStaticServices(zone, registry, before.get(zone.name));
    for (const zone of previous?.zones ?? []) {
      if (!next.zones.some(({ name }) => name === zone.name)) stateStaticServices(undefined, registry, zone);
    }
    await sources.replace(next.zones);
    showReadiness();
    await flush();
  }

  let http: HttpServer | undefined;
  const overview = (limit: number) => overviewOf({ zones: allZones(), registry, board }, limit);

  async function stop(): Promise<void> {
    if (!isStopping && current.server.lameduckSeconds > 0) {
      isStopping = true;
      log.info('stopping after the lameduck time', { seconds: current.server.lameduckSeconds });
      await new Promise<void>((resolve) => clock.setTimeout(resolve, current.server.lameduckSeconds * 1000));
    }
    isStopping = true;
    for (const step of undo.splice(0).reverse()) await step();
  }

  function serveCloudMapZones(next: readonly ZoneConfig[]): void {
    cloudMapZones = next;
    zones.reload(allZones());
    showReadiness();
  }

  try {
    const cloudMap =
      config.cloudMap &&
      (await startCloudMap(config.cloudMap, {
        ...{ registry, clock, random, log, metrics, flush },
        onZones: serveCloudMapZones,
      }));
    if (cloudMap) undo.push(cloudMap.stop);
    await state(config);
    await plane.listen();
    if (config.http !== undefined) {
      const endpoints = [
        healthEndpoint(() => isStopping),
        readyEndpoint(() => isStopping, board.missing),
        metricsEndpoint(metrics),
        explainEndpoint((name) => explainName(zones.explain(name), registry, board)),
        statusPage(VERSION, overview),
        ...(cloudMap?.endpoints ?? []),
      ];
      http = await startHttp(config.http, { limits: config.limits, endpoints, log, metrics });
      const { close } = http;
      undo.push(() => close());
    }
    // Last: a check may ask this server itself, as those of the example do.
    const checks = createCheckRunner({
      registry,
      clock,
      random,
      schedule,
      concurrentChecks: config.limits.concurrentChecks,
    });
    undo.push(() => checks.stop());
    undo.push(metrics.collect(() => controlFamilies({ registry, health, checks, zones, board, startedMs })));
  } catch (error) {
    await stop();
    throw error;
  }

  return {
    listening: plane.listening(),
    http: http?.address,
    overview,
    firstChecks: () => firstChecks(registry, clock),
    async reload(next) {
      warnOfFixedSettings(current, next, log);
      const previous = current;
      current = next;
      zones.reload(allZones());
      await state(next, previous);
    },
    stop,
  };
}

async function startHttp(
  listen: ListenAddress,
  options: Omit<Parameters<typeof startHttpServer>[0], 'listen'>,
): Promise<HttpServer> {
  try {
    return await startHttpServer({ listen, ...options });
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException;
    const why = { EADDRINUSE: 'the port is in use', EACCES: 'permission denied' }[code] ?? message;
    throw new ListenError(`cannot listen on ${listen.address}:${listen.port}/http: ${why}`, code);
  }
}

/** Name servers inside our zones have these addresses unless records say otherwise; a wildcard address is nobody's. */
const serverAddresses = (listen: readonly ListenAddress[]) =>
  [...new Set(listen.map(({ address }) => address))].filter((address) => address !== '0.0.0.0' && address !== '::');

function warnOfFixedSettings(before: Config, after: Config, log: Logger): void {
  const fixed = ['listen', 'http', 'threads', 'server', 'limits', 'cloudMap'] as const;
  const changed = fixed.filter((key) => JSON.stringify(before[key]) !== JSON.stringify(after[key]));
  if (changed.length > 0) log.warn('these take effect at the next start', { settings: changed });
}
