// zones.yaml → Config without blocking the caller's thread.
import { once } from 'node:events';
import { stat } from 'node:fs/promises';
import { Worker } from 'node:worker_threads';
import type { Config } from '../config.ts';
import { StaticRecords } from '../static-records.ts';
import { type LoadResult, loadConfig } from './load.ts';

/** Smaller files are loaded in less time than a thread needs to start. */
const LARGE_BYTES = 64 * 1024;

/**
 * As loadConfig, but in another thread, of low priority, if the files are large: `paths`, those that were read the last time.
 * `threadUrl`: the compiled load-thread.ts.
 */
export async function loadConfigAside(path: string, paths: readonly string[], threadUrl: URL): Promise<LoadResult> {
  const sizes = await Promise.all(
    paths.map((one) =>
      stat(one)
        .then(({ size }) => size)
        .catch(() => 0),
    ),
  );
  if (sizes.reduce((sum, size) => sum + size, 0) < LARGE_BYTES) return loadConfig(path, false);
  const worker = new Worker(threadUrl, { workerData: path, name: 'configuration' });
  try {
    const [result] = (await once(worker, 'message')) as [LoadResult];
    return result.ok ? { ...result, config: received(result.config) } : result;
  } finally {
    void worker.terminate();
  }
}

const received = (config: Config): Config => ({
  ...config,
  zones: config.zones.map((zone) => ({ ...zone, records: StaticRecords.received(zone.records) })),
});
