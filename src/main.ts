// Starts the modules in the order of the data flow, and stops them in reverse. Makes no other decisions.
import type { Clock, Random } from './clock.ts';
import type { AdminConfig, Config, ListenAddress } from './config/config.ts';
import { type ConfigInForce, createConfigInForce } from './config/in-force.ts';
import { formatListenAddress } from './config/sections/listen.ts';
import { allAddresses } from './config/sections/views.ts';
import { type Overview, overviewOf } from './http/overview.ts';
import type { Logger } from './log.ts';
import type { Metrics } from './metrics.ts';
import { readsFiles } from './plane/forward-settings.ts';
import type { ListeningAddress, RunningDataPlane } from './plane/plane.ts';
import { startDataPlane } from './plane/threads.ts';
import type { WaitingThread } from './plane/waiting-thread.ts';
import type { StatusBoard } from './sources/status.ts';
import { startCensus } from './wiring/census.ts';
import { firstChecks, type RunningChecks, startChecks } from './wiring/checks.ts';
import { type ControlPlane, createControlPlane } from './wiring/control-plane.ts';
import { descriptorLimit, descriptorWarning } from './wiring/descriptor-limit.ts';
import { startHistory } from './wiring/history.ts';
import { type RunningHttp, startHttp } from './wiring/http.ts';
import { collectMetrics } from './wiring/metrics.ts';
import { startObserving } from './wiring/observing.ts';
import { onceLoaded } from './wiring/once-loaded.ts';
import { planeSettings, presentAddresses, serverAddresses } from './wiring/plane-settings.ts';
import { NOTHING_TO_DO, prepareAll } from './wiring/reload.ts';
import { collectEarly, growYoungGeneration, lowerInliningLimits, raiseInliningLimits } from './wiring/v8-flags.ts';
import type { NameExplanation } from './zone/explain/explain.ts';

export interface Dependencies {
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly random: Random;
  /** A data thread that was started while the configuration was read. */
  readonly waitingThread?: WaitingThread | undefined;
}

export interface Running {
  readonly listening: readonly ListeningAddress[];
  readonly http: readonly ListenAddress[];
  /** Address of explain, the status page, the cache and the Cloud Map API; undefined: none. */
  readonly admin: AdminConfig | undefined;
  /** At most `limit` services of each zone are listed. */
  overview(limit: number, wholeLimit?: number): Overview;
  /** The owners of a name. Throws NameError. */
  explain(name: string): Pick<NameExplanation, 'owners'>;
  /** Resolves when every active check has a first result (true), or after a few seconds (false). */
  firstChecks(): Promise<boolean>;
  /** Rejects if the new configuration cannot be served; then nothing has changed. */
  reload(config: Config): Promise<void>;
  /** A new configuration is invalid; for those who ask which one is in force. */
  refused(hash: string | undefined, errors: readonly string[]): void;
  stop(): Promise<void>;
}

/** Rejects with ListenError if an address is not available; nothing is left running. */
export async function startHealthdns(config: Config, dependencies: Dependencies): Promise<Running> {
  const stops: (() => unknown)[] = [];
  const stopAll = async () => {
    for (const stop of stops.splice(0).reverse()) await stop();
  };
  try {
    return await start(config, dependencies, stops, stopAll);
  } catch (error) {
    await stopAll();
    throw error;
  }
}

async function start(
  config: Config,
  { log, metrics, clock, random, waitingThread }: Dependencies,
  stops: (() => unknown)[],
  stopAll: () => Promise<void>,
): Promise<Running> {
  const startedMs = clock.now();
  let current = config;
  let isStopping = false;
  const { present, skipped } = presentAddresses(allAddresses(config.listen, config.views ?? []));
  const settings = planeSettings(config, present);
  warnOfHost(config, settings.threads, skipped, log);
  const plane = await startDataPlane(settings, {
    log: (level, message) => log[level](message),
    refill: () => control.zones.refill(),
    // Next to this file, both as built for tests and bundled.
    threadUrl: new URL('./thread/thread.js', import.meta.url),
    ...{ clock, random, waitingThread },
  });
  stops.push(plane.close);

  const nameServerAddresses = serverAddresses(present);
  const control = await createControlPlane({ config, plane, nameServerAddresses, clock, random, log, metrics });
  const observing = startObserving(control, plane, { clock, log });
  const history = await startHistory(control, config, { clock, log, metrics });
  stops.push(observing.stop, history.stop, () => control.close());
  if ([settings, ...(settings.views ?? [])].some(({ forward }) => forward && readsFiles(forward)))
    awaitFiles(control.board, plane.filesRead);
  await control.state(config);
  // After data threads have started: V8 takes a part of it back for each, and Node.js uses no code that it was built with from
  // then on.
  lowerInliningLimits();
  collectEarly();
  history.begin();
  await plane.listen();
  const loaded = () => {
    raiseInliningLimits();
    growYoungGeneration();
  };
  stops.push(onceLoaded(loaded, control, clock));

  const { census, stop: stopCounting } = startCensus(control, clock);
  stops.push(stopCounting);
  const overview = (limit: number, wholeLimit?: number) =>
    overviewOf({ ...control, census, zones: control.servedZones() }, limit, wholeLimit);
  const inForce = createConfigInForce(config.file, config.hash, clock);
  const parts = { control, plane, metrics, config, overview, census, history, observing, clock, log };
  const http = await startHttp({ ...parts, isStopping: () => isStopping, configuration: inForce.status });
  stops.push(() => http.close());

  // Last: a check may target this server itself, as in the example.
  const checks = startChecks(control, config.limits.concurrentChecks, clock, random);
  const measured = { control, plane, history, census, checks, inForce, startedMs, config: () => current };
  stops.push(checks.stop, ...collectMetrics(metrics, measured, clock));

  return {
    get listening() {
      return plane.listening();
    },
    get http() {
      return http.http();
    },
    get admin() {
      return http.admin();
    },
    overview,
    explain: (name) => control.zones.explain(name),
    firstChecks: () => firstChecks(control.registry, control.health, clock),
    async reload(next) {
      await reload(next, { http, plane, checks, control, inForce });
      current = next;
      await history.reload(next);
    },
    refused: inForce.refused,
    async stop() {
      isStopping = true;
      await lameduck(current, log, clock);
      await stopAll();
    },
  };
}

/** Not available on this host. */
function warnOfHost(config: Config, threads: number, skipped: readonly ListenAddress[], log: Logger): void {
  for (const address of skipped)
    log.warn('no IPv6 on this host: not listening', { address: formatListenAddress(address) });
  const tooFew = descriptorWarning(config, threads, descriptorLimit());
  if (tooFew !== undefined) log.warn(tooFew);
}

/** Signals clients to move away, and still answers them. */
async function lameduck({ server: { lameduckSeconds } }: Config, log: Logger, clock: Clock): Promise<void> {
  if (lameduckSeconds === 0) return;
  log.info('stopping after the lameduck time', { seconds: lameduckSeconds });
  await new Promise<void>((resolve) => clock.setTimeout(resolve, lameduckSeconds * 1000));
}

interface Reloaded {
  readonly http: RunningHttp;
  readonly plane: RunningDataPlane;
  readonly checks: RunningChecks;
  readonly control: ControlPlane;
  readonly inForce: ConfigInForce;
}

/** All or nothing. */
async function reload(next: Config, { http, plane, checks, control, inForce }: Reloaded): Promise<void> {
  const { present } = presentAddresses(allAddresses(next.listen, next.views ?? []));
  const prepared = await prepareAll([
    () => control.prepareCloudMap(next),
    () => http.prepare(next),
    () => control.operators.prepare(next.operatorFile),
    // Last, because new data threads answer as soon as they listen.
    () => plane.replaceThreads(planeSettings(next, present)).then(() => NOTHING_TO_DO),
  ]).catch((error: Error) => {
    inForce.refused(next.hash, [error.message]);
    throw error;
  });
  checks.limit(next.limits.concurrentChecks);
  await prepared.commit();
  await control.state(next, serverAddresses(present));
  inForce.took(next.hash);
}

/** External names are SERVFAIL until hosts files and lists of upstream servers have been read. */
function awaitFiles(board: StatusBoard, filesRead: Promise<void>): void {
  const files = board.add('forward', []).kind('files', true);
  files.state('listing', 'reading hosts files and resolv.conf');
  void filesRead.then(() => {
    files.state('watching');
    files.synced();
  });
}
