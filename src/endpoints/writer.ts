// Health written back into the cluster: kube-proxy, ingresses and meshes see in a service's EndpointSlices what DNS
// answers. Level-triggered: what happened only marks a service; what is written follows from how things are now.
import type { Clock, Timer } from '../clock.ts';
import type { Mirror } from '../cloudmap/kubernetes/object-mirror.ts';
import { serviceKey } from '../cloudmap/publish-cloud-map.ts';
import type { Logger } from '../log.ts';
import type { Histogram } from '../metrics.ts';
import type { Registry } from '../registry/registry.ts';
import { ApiError } from '../sources/kubernetes/api/api-server.ts';
import type { ServiceWriter } from './service-writer.ts';

export interface EndpointsWriterSettings {
  readonly mirror: Mirror;
  readonly registry: Pick<Registry, 'onChange'>;
  readonly write: ServiceWriter;
  readonly clock: Clock;
  readonly log: Logger;
  /** Seconds from the first change that was not written yet to its being written. */
  readonly latency: Histogram;
}

export interface EndpointsWriter {
  /** Begins with every service, and finishes what another writer left behind; or stops. */
  setActive(isActive: boolean): void;
  /** Something about a Cloud Map service may have changed; undefined: about any. */
  mark(serviceId: string | undefined): void;
  stop(): Promise<void>;
}

/** Changes of one service so close together are judged at once, but for the first. */
const COALESCE_MS = 50;
/** Services written at one time. */
const CONCURRENT = 4;
/** Repairs what no event told of. */
const FULL_PASS_MS = 30_000;
const FIRST_RETRY_MS = 500;
const MAX_RETRY_MS = 30_000;

interface Dirty {
  /** Monotonic, of the first mark that is not written yet. */
  sinceMs: number;
  notBeforeMs: number;
}

export function createEndpointsWriter(settings: EndpointsWriterSettings): EndpointsWriter {
  const { mirror, registry, write, clock, log, latency } = settings;
  const dirty = new Map<string, Dirty>();
  const failures = new Map<string, number>();
  /** A service that was just judged, or failed, is not judged again before. */
  const restUntilMs = new Map<string, number>();
  const running = new Map<string, Promise<void>>();
  let isActive = false;
  let timer: Timer | undefined;
  let fullPass: Timer | undefined;

  function mark(serviceId: string | undefined): void {
    if (!isActive) return;
    const ids = serviceId === undefined ? [...mirror.services()].map(({ service }) => service!.id) : [serviceId];
    const nowMs = clock.monotonicMs();
    for (const id of ids) plan(id, nowMs, Math.max(nowMs, restUntilMs.get(id) ?? 0));
    wake();
  }

  function plan(id: string, sinceMs: number, notBeforeMs: number): void {
    const known = dirty.get(id);
    dirty.set(id, {
      sinceMs: Math.min(sinceMs, known?.sinceMs ?? sinceMs),
      notBeforeMs: Math.min(notBeforeMs, known?.notBeforeMs ?? notBeforeMs),
    });
  }

  function wake(): void {
    timer?.cancel();
    timer = undefined;
    if (!isActive) return;
    const nowMs = clock.monotonicMs();
    let nextMs = Number.POSITIVE_INFINITY;
    for (const [id, { notBeforeMs, sinceMs }] of dirty) {
      if (running.size >= CONCURRENT) return; // the one that ends first wakes us
      if (running.has(id)) continue;
      if (notBeforeMs > nowMs) nextMs = Math.min(nextMs, notBeforeMs);
      else begin(id, sinceMs);
    }
    if (nextMs < Number.POSITIVE_INFINITY) timer = clock.setTimeout(wake, nextMs - nowMs);
  }

  function begin(id: string, sinceMs: number): void {
    dirty.delete(id);
    running.set(
      id,
      one(id, sinceMs).finally(() => {
        running.delete(id);
        wake();
      }),
    );
  }

  async function one(id: string, sinceMs: number): Promise<void> {
    let restMs = COALESCE_MS;
    try {
      const { written, againInMs } = await write(id, () => isActive);
      failures.delete(id);
      if (written > 0) latency.observe((clock.monotonicMs() - sinceMs) / 1000);
      if (againInMs !== undefined && isActive) plan(id, sinceMs, clock.monotonicMs() + againInMs);
    } catch (error) {
      if (!isActive) return;
      restMs = afterFailure(id, error as Error);
      plan(id, sinceMs, clock.monotonicMs() + restMs);
    }
    restUntilMs.set(id, clock.monotonicMs() + restMs);
  }

  /** How long to wait before the next try. */
  function afterFailure(id: string, error: Error): number {
    // A slice changed under us: it has been read anew, and is judged anew.
    if (error instanceof ApiError && error.status === 409) return COALESCE_MS;
    const count = (failures.get(id) ?? 0) + 1;
    failures.set(id, count);
    if (count === 1) log.warn('endpoints were not written, trying again', { service: id, detail: error.message });
    return Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** (count - 1));
  }

  function planFullPass(): void {
    fullPass = clock.setTimeout(() => {
      mark(undefined);
      planFullPass();
    }, FULL_PASS_MS);
  }

  registry.onChange((key, what) => {
    if (what === 'structure' && key.startsWith(PREFIX)) mark(key.slice(PREFIX.length));
  });

  return {
    mark,
    setActive(next) {
      if (isActive === next) return;
      isActive = next;
      if (!next) {
        dirty.clear();
        failures.clear();
        restUntilMs.clear();
        timer?.cancel();
        fullPass?.cancel();
        return;
      }
      planFullPass();
      mark(undefined);
    },
    async stop() {
      this.setActive(false);
      await Promise.all(running.values());
    },
  };
}

const PREFIX = serviceKey('');
