// Writes health back into the cluster, so that kube-proxy, ingresses and meshes find in a service's EndpointSlices what
// DNS answers. Level-triggered: events only mark a service; the present state decides what is written.

import type { Clock, Timer } from '../clock.ts';
import type { Mirror } from '../cloudmap/kubernetes/object-mirror.ts';
import type { Logger } from '../log.ts';
import type { Histogram } from '../metrics.ts';
import { CLOUD_MAP_SERVICE } from '../registry/reference.ts';
import type { Registry } from '../registry/registry.ts';
import { ApiError } from '../sources/kubernetes/api/api-server.ts';
import type { ServiceWriter } from './service-writer.ts';

export interface EndpointsWriterSettings {
  readonly mirror: Mirror;
  readonly registry: Pick<Registry, 'onChange'>;
  readonly write: ServiceWriter;
  readonly clock: Clock;
  readonly log: Logger;
  /** Seconds from the first unwritten change to its write. */
  readonly latency: Histogram;
}

export interface EndpointsWriter {
  /** Starts with every service, so that it finishes what another writer left behind; or stops. */
  setActive(isActive: boolean): void;
  /** Something about a Cloud Map service may have changed; undefined: about any. */
  mark(serviceId: string | undefined): void;
  stop(): Promise<void>;
}

/** Changes of a service within this time after a write are written together. */
const COALESCE_MS = 50;
/** Services written concurrently. */
const CONCURRENT = 4;
/** Repairs changes that no event reported. */
const FULL_PASS_MS = 30_000;
const FIRST_RETRY_MS = 500;
const MAX_RETRY_MS = 30_000;

interface Dirty {
  /** Monotonic time of the first unwritten mark. */
  sinceMs: number;
  notBeforeMs: number;
}

export function createEndpointsWriter(settings: EndpointsWriterSettings): EndpointsWriter {
  const writer = new Writer(settings);
  settings.registry.onChange((key, what) => {
    const service = what === 'structure' ? CLOUD_MAP_SERVICE.parse(key) : undefined;
    if (service !== undefined) writer.mark(service.id);
  });
  return {
    mark: (serviceId) => writer.mark(serviceId),
    setActive: (isActive) => writer.setActive(isActive),
    stop: () => writer.stop(),
  };
}

class Writer {
  readonly #settings: EndpointsWriterSettings;
  readonly #dirty = new Map<string, Dirty>();
  readonly #failures = new Map<string, number>();
  /** When a service that was just written, or failed, may be written again. */
  readonly #restUntilMs = new Map<string, number>();
  readonly #running = new Map<string, Promise<void>>();
  #isActive = false;
  #timer: Timer | undefined;
  #fullPass: Timer | undefined;

  constructor(settings: EndpointsWriterSettings) {
    this.#settings = settings;
  }

  mark(serviceId: string | undefined): void {
    if (!this.#isActive) return;
    const { mirror, clock } = this.#settings;
    const ids = serviceId === undefined ? [...mirror.services()].map(({ service }) => service!.id) : [serviceId];
    const nowMs = clock.monotonicMs();
    for (const id of ids) this.#plan(id, nowMs, Math.max(nowMs, this.#restUntilMs.get(id) ?? 0));
    this.#wake();
  }

  setActive(next: boolean): void {
    if (this.#isActive === next) return;
    this.#isActive = next;
    if (next) {
      this.#planFullPass();
      this.mark(undefined);
      return;
    }
    this.#dirty.clear();
    this.#failures.clear();
    this.#restUntilMs.clear();
    this.#timer?.cancel();
    this.#fullPass?.cancel();
  }

  async stop(): Promise<void> {
    this.setActive(false);
    await Promise.all(this.#running.values());
  }

  #plan(id: string, sinceMs: number, notBeforeMs: number): void {
    const known = this.#dirty.get(id);
    this.#dirty.set(id, {
      sinceMs: Math.min(sinceMs, known?.sinceMs ?? sinceMs),
      notBeforeMs: Math.min(notBeforeMs, known?.notBeforeMs ?? notBeforeMs),
    });
  }

  #wake(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    if (!this.#isActive) return;
    const nowMs = this.#settings.clock.monotonicMs();
    let nextMs = Number.POSITIVE_INFINITY;
    for (const [id, { notBeforeMs, sinceMs }] of this.#dirty) {
      if (this.#running.size >= CONCURRENT) return; // the next one to finish calls #wake
      if (this.#running.has(id)) continue;
      if (notBeforeMs > nowMs) nextMs = Math.min(nextMs, notBeforeMs);
      else this.#begin(id, sinceMs);
    }
    if (nextMs < Number.POSITIVE_INFINITY)
      this.#timer = this.#settings.clock.setTimeout(() => this.#wake(), nextMs - nowMs);
  }

  #begin(id: string, sinceMs: number): void {
    this.#dirty.delete(id);
    const writing = this.#write(id, sinceMs).finally(() => {
      this.#running.delete(id);
      this.#wake();
    });
    this.#running.set(id, writing);
  }

  async #write(id: string, sinceMs: number): Promise<void> {
    const { write, clock, latency } = this.#settings;
    let restMs = COALESCE_MS;
    try {
      const { written, againInMs } = await write(id, () => this.#isActive);
      this.#failures.delete(id);
      if (written > 0) latency.observe((clock.monotonicMs() - sinceMs) / 1000);
      if (againInMs !== undefined && this.#isActive) this.#plan(id, sinceMs, clock.monotonicMs() + againInMs);
    } catch (error) {
      if (!this.#isActive) return;
      restMs = this.#pauseAfter(id, error as Error);
      this.#plan(id, sinceMs, clock.monotonicMs() + restMs);
    }
    this.#restUntilMs.set(id, clock.monotonicMs() + restMs);
  }

  /** Milliseconds until the next attempt. */
  #pauseAfter(id: string, error: Error): number {
    // A slice changed under us: it has been read again and is compared again.
    if (error instanceof ApiError && error.status === 409) return COALESCE_MS;
    const count = (this.#failures.get(id) ?? 0) + 1;
    this.#failures.set(id, count);
    if (count === 1)
      this.#settings.log.warn('failed to write endpoints, retrying', { service: id, detail: error.message });
    return Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** (count - 1));
  }

  #planFullPass(): void {
    this.#fullPass = this.#settings.clock.setTimeout(() => {
      this.mark(undefined);
      this.#planFullPass();
    }, FULL_PASS_MS);
  }
}
