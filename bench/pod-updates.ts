// A cluster's usual noise, made in a thread of its own: pods whose status changes and whose readiness does not.
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { pod, podStatus } from '../test/support/cluster-objects.ts';
import { createRestClient } from '../test/support/rest-client.ts';

const NAMESPACE = 'noise';
const PODS = `/api/v1/namespaces/${NAMESPACE}/pods`;
const COUNT = 100;

export interface PodUpdates {
  /** Resolves to how many were made a second. */
  stop(): Promise<number>;
}

export function startPodUpdates(url: string, token: string, aSecond: number): PodUpdates {
  const worker = new Worker(new URL(import.meta.url), { workerData: { url, token, aSecond } });
  return {
    stop: () =>
      new Promise((resolve, reject) => {
        worker.once('error', reject);
        worker.once('message', (made: number) => void worker.terminate().then(() => resolve(made)));
        worker.postMessage('stop');
      }),
  };
}

async function makeUpdates(url: string, token: string, aSecond: number): Promise<void> {
  const client = createRestClient(url, token);
  await client.create('/api/v1/namespaces', { metadata: { name: NAMESPACE } });
  for (let i = 0; i < COUNT; i++) await client.create(`${PODS}`, pod(`noise-${i}`, 'noise'));
  const startMs = performance.now();
  let made = 0;
  let sent = 0;
  const timer = setInterval(() => {
    const due = Math.floor(((performance.now() - startMs) / 1000) * aSecond);
    for (; sent < due; sent++) {
      const name = `noise-${sent % COUNT}`;
      const restarts = [{ name: 'app', image: 'app', imageID: '', ready: true, restartCount: sent }];
      const status = podStatus(`10.3.0.${sent % COUNT}`, true, { containerStatuses: restarts });
      client.patch(`${PODS}/${name}/status`, status).then(
        () => made++,
        () => {}, // counted by what was made
      );
    }
  }, 5);
  parentPort!.once('message', () => {
    clearInterval(timer);
    parentPort!.postMessage(made / ((performance.now() - startMs) / 1000));
  });
}

if (!isMainThread) {
  const { url, token, aSecond } = workerData as { url: string; token: string; aSecond: number };
  await makeUpdates(url, token, aSecond);
}
