// `healthdns serve`: starts, prints what it serves, reloads on SIGHUP, stops on SIGTERM and SIGINT.
import { setTimeout as delay } from 'node:timers/promises';
import { systemClock } from '../clock.ts';
import type { Config, ListenAddress } from '../config/config.ts';
import { hashOf } from '../config/in-force.ts';
import type { CheckOutput as Output } from '../config/loading/check.ts';
import { filesMatching } from '../config/loading/include.ts';
import { type LoadResult, loadConfig } from '../config/loading/load.ts';
import { loadConfigAside } from '../config/loading/load-aside.ts';
import { createLogger, type LogLevel, type RootLogger } from '../log.ts';
import { type Dependencies, type Running, startHealthdns } from '../main.ts';
import { createMetrics, type Metrics } from '../metrics.ts';
import { ListenError } from '../native/listen-error.ts';
import type { WaitingThread } from '../plane/waiting-thread.ts';
import { formatProblem } from '../reading/problem.ts';
import { readTextFile } from '../reading/text-file.ts';
import { keepYoungGenerationSmall } from '../wiring/v8-flags.ts';
import { describeHealth, describeServing } from './banner.ts';
import { CommandError, EXIT } from './exit-code.ts';
import { watchFiles } from './file-watch.ts';

export interface ServeOptions {
  readonly file: string;
  /** Options that override the file, also after reloads. */
  readonly listen: readonly ListenAddress[] | undefined;
  readonly http: ListenAddress | undefined;
  readonly admin: ListenAddress | undefined;
  readonly threads: number | 'auto' | undefined;
  readonly logLevel: LogLevel | undefined;
  /** Reload when the file's content changes. */
  readonly watch: boolean;
  /** Loads its code while the file is read. */
  readonly waitingThread?: WaitingThread | undefined;
  /** The compiled config/loading/load-thread.ts. */
  readonly loadThreadUrl: URL;
}

export interface ServeSignals {
  /** Calls back for each SIGTERM or SIGINT, and for each SIGHUP. */
  onStop(callback: () => void): void;
  onReload(callback: () => void): void;
}

/** Resolves to the exit code once stopped. Throws CommandError if it cannot start. */
export async function serve(options: ServeOptions, output: Output, signals: ServeSignals): Promise<number> {
  keepYoungGenerationSmall();
  const files = new ReadFiles(options);
  const config = await readConfig(options, files, output);
  if (config === undefined) return EXIT.FAILED;
  const log = createLogger({ level: config.logLevel });
  const metrics = createMetrics();
  metrics.collect(() => [{ name: 'healthdns_log_lines_dropped_total', labels: ['stderr'], value: log.dropped() }]);
  const stopped = new Promise<void>((resolve) => signals.onStop(resolve));
  // Start-up may wait for a store or a cluster; signals are handled meanwhile.
  const starting = start(config, { log, metrics, waitingThread: options.waitingThread });
  const running = await Promise.race([starting, stopped.then(() => undefined)]);
  if (running === undefined) {
    await abandon(starting);
    return EXIT.OK;
  }

  const reload = serializedReload(options, files, running, log, metrics);
  signals.onReload(() => reload('SIGHUP'));
  const watch = options.watch
    ? watchFiles(
        () => files.paths,
        systemClock,
        log,
        () => reload('file changed'),
        () => files.isOutdated,
      )
    : undefined;

  // It may have changed since it was loaded.
  void watch?.watching.then(async () => {
    // With included files the hash is that of all of them.
    const hash = files.paths.length > 1 ? undefined : await hashOfFile(options.file);
    if (hash !== undefined && hash !== config.hash) reload('file changed');
  });

  for (const line of describeServing(options.file, config, running)) output.out(line);
  void running.firstChecks().then((complete) => {
    for (const line of describeHealth(running, complete)) output.out(line);
  });
  await stopped;
  watch?.stop();
  await running.stop();
  return EXIT.OK;
}

async function hashOfFile(file: string): Promise<string | undefined> {
  const read = await readTextFile(file);
  return 'text' in read ? hashOf(read.text) : undefined;
}

/** Data threads have loaded their native code within this time. */
const LOADING_MS = 2_000;

/**
 * Stops a server that has hardly started. A process that ends while a data thread loads its native calls aborts: the library
 * throws in a terminating thread. So loading is waited for.
 */
async function abandon(starting: Promise<Running>): Promise<void> {
  const patience = new AbortController();
  const tooLong = delay(LOADING_MS, undefined, { signal: patience.signal }).catch(() => undefined);
  const running = await Promise.race([starting.catch(() => undefined), tooLong]);
  patience.abort();
  await running?.stop();
}

/** The configuration file, the files that it includes, and the zone files that it named when it was last read. */
class ReadFiles {
  private readonly file: string;
  private readonly threadUrl: URL;
  private zoneFiles: readonly string[] = [];
  private include: readonly string[] = [];
  private matched: readonly string[] = [];

  constructor({ file, loadThreadUrl }: Pick<ServeOptions, 'file' | 'loadThreadUrl'>) {
    this.file = file;
    this.threadUrl = loadThreadUrl;
  }

  /** New files may match a pattern of `include` at any time. */
  get paths(): readonly string[] {
    return [this.file, ...filesMatching(this.include), ...this.zoneFiles];
  }

  /** Whether `include` matches other files than when they were read. */
  get isOutdated(): boolean {
    return String(filesMatching(this.include)) !== String(this.matched);
  }

  /** `aside`: large files in another thread, because there is something to do meanwhile. */
  async load(aside = false): Promise<LoadResult> {
    this.matched = filesMatching(this.include);
    const result = await (aside
      ? loadConfigAside(this.file, this.paths, this.threadUrl)
      : loadConfig(this.file, false));
    // A file that is not valid YAML lists none; the previous ones may be under repair.
    if (result.ok || result.zoneFiles.length > 0) this.zoneFiles = result.zoneFiles;
    if (String(result.include) !== String(this.include)) this.matched = filesMatching(result.include);
    this.include = result.include;
    return result;
  }
}

async function readConfig(options: ServeOptions, files: ReadFiles, { err }: Output): Promise<Config | undefined> {
  const result = await files.load();
  for (const warning of result.warnings) err(formatProblem({ ...warning, message: `warning: ${warning.message}` }));
  if (result.ok) return withOptions(result.config, options);
  for (const problem of result.problems) err(formatProblem(problem));
  return undefined;
}

function withOptions(config: Config, options: ServeOptions): Config {
  return {
    ...config,
    listen: options.listen ?? config.listen,
    http: options.http === undefined ? config.http : [options.http],
    admin: options.admin === undefined ? config.admin : { ...config.admin, ...options.admin },
    threads: options.threads ?? config.threads,
    logLevel: options.logLevel ?? config.logLevel,
  };
}

type Parts = Pick<Dependencies, 'log' | 'metrics' | 'waitingThread'>;

async function start(config: Config, parts: Parts): Promise<Running> {
  try {
    return await startHealthdns(config, { ...parts, clock: systemClock, random: Math.random });
  } catch (error) {
    if (error instanceof ListenError) throw new CommandError(error.message);
    throw error;
  }
}

/** Runs reloads one after another; requests during a reload are merged into one. */
function serializedReload(
  options: ServeOptions,
  files: ReadFiles,
  running: Running,
  log: RootLogger,
  metrics: Metrics,
) {
  const reloads = metrics.counter('healthdns_reloads_total');
  let busy = false;
  let again: string | undefined;

  return function reload(cause: string): void {
    if (busy) {
      again = cause;
      return;
    }
    busy = true;
    void reloadOnce(cause).finally(() => {
      busy = false;
      const waiting = again;
      again = undefined;
      if (waiting !== undefined) reload(waiting);
    });
  };

  async function reloadOnce(cause: string): Promise<void> {
    const result = await files.load(true);
    if (!result.ok) {
      reloads.inc(1, 'refused');
      for (const problem of result.problems) log.error('configuration refused', { problem: formatProblem(problem) });
      running.refused(result.hash, result.problems.map(formatProblem));
      log.error('the current configuration stays in effect', {
        cause,
        file: options.file,
        problems: result.problems.length,
      });
      return;
    }
    for (const warning of result.warnings) log.warn('configuration', { problem: formatProblem(warning) });
    try {
      const config = withOptions(result.config, options);
      await running.reload(config);
      log.setLevel(config.logLevel);
      reloads.inc(1, 'ok');
      log.info('configuration reloaded', { cause, file: options.file });
    } catch (error) {
      reloads.inc(1, 'failed');
      log.error('reload failed', { cause, error: (error as Error).message });
    }
  }
}
