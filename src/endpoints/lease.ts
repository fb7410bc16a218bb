// Elects the replica that writes: the holder of a coordination.k8s.io Lease, with client-go's timing and rules, so that
// `kubectl get lease` reads as for any controller.
// https://kubernetes.io/docs/concepts/architecture/leases/, k8s.io/client-go/tools/leaderelection
import type { Clock, Random } from '../clock.ts';
import type { Logger } from '../log.ts';
import { ApiError, type ApiServer } from '../sources/kubernetes/api/api-server.ts';
import { type Fields, fields, optionalFields } from '../sources/kubernetes/api/objects.ts';

export interface LeaseTimings {
  /** A holder that has not renewed for this long, by our own clock, is gone. */
  readonly leaseSeconds: number;
  /** A holder that could not renew for this long stops writing. Less than leaseSeconds. */
  readonly renewDeadlineMs: number;
  readonly retryMs: number;
}

const CLIENT_GO_TIMINGS: LeaseTimings = { leaseSeconds: 15, renewDeadlineMs: 10_000, retryMs: 2_000 };

export interface LeaseSettings {
  readonly server: ApiServer;
  readonly namespace: string;
  readonly name: string;
  /** Unique among replicas. */
  readonly identity: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly timings?: LeaseTimings;
  /** What the lease holder writes, for the log. */
  readonly writes: string;
  readonly onChange: (isHolder: boolean) => void;
}

export interface Lease {
  isHolder(): boolean;
  /** Releases the lease, so that another replica takes it at its next attempt. */
  stop(): Promise<void>;
}

export function holdLease(settings: LeaseSettings): Lease {
  const candidate = new Candidate(settings);
  const running = candidate.run();
  return { isHolder: () => candidate.holds, stop: () => candidate.stop(running) };
}

class Candidate {
  holds = false;
  readonly #settings: LeaseSettings;
  readonly #timings: LeaseTimings;
  readonly #collection: string;
  readonly #path: string;
  readonly #stopping = new AbortController();
  #renewedMs = 0;
  /** The version another holder last wrote, and since when by our clock: clocks of replicas need not agree. */
  #observed: { readonly version: string; readonly sinceMs: number } | undefined;
  #logged = '';

  constructor(settings: LeaseSettings) {
    this.#settings = settings;
    this.#timings = settings.timings ?? CLIENT_GO_TIMINGS;
    this.#collection = `/apis/coordination.k8s.io/v1/namespaces/${encodeURIComponent(settings.namespace)}/leases`;
    this.#path = `${this.#collection}/${encodeURIComponent(settings.name)}`;
  }

  async run(): Promise<void> {
    const { clock, random } = this.#settings;
    const { renewDeadlineMs, retryMs } = this.#timings;
    while (!this.#stopping.signal.aborted) {
      // A holder that cannot renew stops in time, also while a request hangs.
      const leftMs = Math.max(0, this.#renewedMs + renewDeadlineMs - clock.monotonicMs());
      const deadline = clock.setTimeout(() => this.#checkDeadline(), leftMs);
      await this.#attempt();
      deadline.cancel();
      this.#checkDeadline();
      await this.#pause(this.holds ? retryMs : retryMs * (1 + 1.2 * random()));
    }
  }

  async stop(running: Promise<void>): Promise<void> {
    this.#stopping.abort();
    await running;
    const held = this.holds;
    this.#set(false);
    if (!held) return;
    await this.#release().catch((error: Error) => {
      const { log } = this.#settings;
      log.warn('failed to release the lease: another replica takes it when it expires', { detail: error.message });
    });
  }

  #set(next: boolean): void {
    if (this.holds === next) return;
    this.holds = next;
    const { log, identity, writes, onChange } = this.#settings;
    log.info(`this replica ${next ? 'now' : 'no longer'} writes ${writes}`, { identity });
    onChange(next);
  }

  #checkDeadline(): void {
    if (this.holds && this.#settings.clock.monotonicMs() - this.#renewedMs >= this.#timings.renewDeadlineMs)
      this.#set(false);
  }

  async #attempt(): Promise<void> {
    const { clock, log, writes } = this.#settings;
    const beganMs = clock.monotonicMs();
    try {
      const obtained = await this.#obtain();
      if (this.#stopping.signal.aborted) return;
      if (obtained) this.#renewedMs = beganMs;
      this.#logged = '';
      this.#set(obtained);
    } catch (error) {
      if (this.#stopping.signal.aborted) return;
      const { message } = error as Error;
      // 409: another replica was faster. Any other error is logged once.
      if (!(error instanceof ApiError && error.status === 409) && this.#logged !== message)
        log.warn(`failed to obtain the lease for writing ${writes}`, { lease: this.#path, detail: message });
      this.#logged = message;
    }
  }

  /** Takes or renews the lease. False: another replica holds it. */
  async #obtain(): Promise<boolean> {
    const { server, identity } = this.#settings;
    const { signal } = this.#stopping;
    const lease = await this.#read();
    if (lease === undefined) {
      await server.exchange('POST', this.#collection, leaseObject(this.#settings, {}, this.#spec({}, 0)), signal);
      return true;
    }
    const before = optionalFields(lease.spec, 'spec');
    if (before.holderIdentity !== identity && !this.#isFree(lease, before)) return false;
    const transitions = Number(before.leaseTransitions ?? 0) + (before.holderIdentity === identity ? 0 : 1);
    const object = leaseObject(this.#settings, lease, this.#spec(before, transitions));
    await server.exchange('PUT', this.#path, object, signal);
    return true;
  }

  async #read(): Promise<Fields | undefined> {
    try {
      return await this.#settings.server.exchange('GET', this.#path, undefined, this.#stopping.signal);
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) return undefined;
      throw error;
    }
  }

  #isFree(lease: Fields, { holderIdentity, leaseDurationSeconds }: Fields): boolean {
    const version = String(fields(lease.metadata, 'metadata').resourceVersion);
    const nowMs = this.#settings.clock.monotonicMs();
    if (this.#observed?.version !== version) this.#observed = { version, sinceMs: nowMs };
    if (holderIdentity === undefined || holderIdentity === '') return true;
    const seconds = typeof leaseDurationSeconds === 'number' ? leaseDurationSeconds : this.#timings.leaseSeconds;
    return nowMs - this.#observed.sinceMs > seconds * 1000;
  }

  #spec(before: Fields, leaseTransitions: number): Fields {
    const { identity, clock } = this.#settings;
    const now = microTime(clock.now());
    const acquireTime = before.holderIdentity === identity ? before.acquireTime : now;
    return {
      ...{ holderIdentity: identity, leaseDurationSeconds: this.#timings.leaseSeconds },
      ...{ acquireTime, renewTime: now, leaseTransitions },
    };
  }

  #pause(milliseconds: number): Promise<void> {
    const { signal } = this.#stopping;
    if (signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const done = () => {
        timer.cancel();
        signal.removeEventListener('abort', done);
        resolve();
      };
      const timer = this.#settings.clock.setTimeout(done, milliseconds);
      signal.addEventListener('abort', done);
    });
  }

  async #release(): Promise<void> {
    const { server, identity, clock } = this.#settings;
    const { signal } = new AbortController();
    const lease = await server.exchange('GET', this.#path, undefined, signal);
    const before = optionalFields(lease.spec, 'spec');
    if (before.holderIdentity !== identity) return;
    const now = microTime(clock.now());
    const free = { ...before, holderIdentity: '', leaseDurationSeconds: 1, renewTime: now, acquireTime: now };
    await server.exchange('PUT', this.#path, leaseObject(this.#settings, lease, free), signal);
  }
}

const leaseObject = ({ namespace, name }: LeaseSettings, before: Fields, spec: Fields): object => ({
  apiVersion: 'coordination.k8s.io/v1',
  kind: 'Lease',
  metadata: { ...optionalFields(before.metadata, 'metadata'), name, namespace },
  spec,
});

/** Kubernetes' MicroTime insists on six digits. */
const microTime = (milliseconds: number): string => new Date(milliseconds).toISOString().replace('Z', '000Z');
