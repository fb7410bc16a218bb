// Which of the replicas writes: the holder of a coordination.k8s.io Lease, with client-go's timing and rules, so that
// `kubectl get lease` shows what it shows for controllers.
// https://kubernetes.io/docs/concepts/architecture/leases/, k8s.io/client-go/tools/leaderelection
import type { Clock, Random, Timer } from '../clock.ts';
import type { Logger } from '../log.ts';
import { ApiError, type ApiServer } from '../sources/kubernetes/api/api-server.ts';
import { type Fields, fields, optionalFields } from '../sources/kubernetes/api/objects.ts';

export interface LeaseTimings {
  /** A holder that has not renewed for so long, by our own clock, is gone. */
  readonly leaseSeconds: number;
  /** A holder that could not renew for so long stops writing. Less than leaseSeconds. */
  readonly renewDeadlineMs: number;
  readonly retryMs: number;
}

export const CLIENT_GO_TIMINGS: LeaseTimings = { leaseSeconds: 15, renewDeadlineMs: 10_000, retryMs: 2_000 };

export interface LeaseSettings {
  readonly server: ApiServer;
  readonly namespace: string;
  readonly name: string;
  /** Unlike that of any other replica. */
  readonly identity: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly timings?: LeaseTimings;
  readonly onChange: (isHolder: boolean) => void;
}

export interface Lease {
  isHolder(): boolean;
  /** Gives the lease back, so that another one takes it at its next try. */
  stop(): Promise<void>;
}

export function holdLease(settings: LeaseSettings): Lease {
  const { server, identity, clock, random, log, timings = CLIENT_GO_TIMINGS } = settings;
  const collection = `/apis/coordination.k8s.io/v1/namespaces/${encodeURIComponent(settings.namespace)}/leases`;
  const path = `${collection}/${encodeURIComponent(settings.name)}`;
  const stopping = new AbortController();
  let holds = false;
  let renewedMs = 0;
  /** What another holder last said, and since when by our clock: clocks of replicas need not agree. */
  let observed: { readonly version: string; readonly sinceMs: number } | undefined;
  let told = '';
  let timer: Timer | undefined;

  function set(next: boolean): void {
    if (holds === next) return;
    holds = next;
    log.info(next ? 'this replica writes endpoints from now on' : 'this replica writes endpoints no more', {
      identity,
    });
    settings.onChange(next);
  }

  /** Takes or renews it. False: another one has it. */
  async function obtain(): Promise<boolean> {
    const lease = await read();
    if (lease === undefined) {
      await server.exchange('POST', collection, leaseObject(settings, {}, spec({}, 0)), stopping.signal);
      return true;
    }
    const before = optionalFields(lease.spec, 'spec');
    if (before.holderIdentity !== identity && !isFree(lease, before)) return false;
    const transitions = Number(before.leaseTransitions ?? 0) + (before.holderIdentity === identity ? 0 : 1);
    await server.exchange('PUT', path, leaseObject(settings, lease, spec(before, transitions)), stopping.signal);
    return true;
  }

  async function read(): Promise<Fields | undefined> {
    try {
      return await server.exchange('GET', path, undefined, stopping.signal);
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) return undefined;
      throw error;
    }
  }

  function isFree(lease: Fields, { holderIdentity, leaseDurationSeconds }: Fields): boolean {
    const version = String(fields(lease.metadata, 'metadata').resourceVersion);
    const nowMs = clock.monotonicMs();
    if (observed?.version !== version) observed = { version, sinceMs: nowMs };
    if (holderIdentity === undefined || holderIdentity === '') return true;
    const seconds = typeof leaseDurationSeconds === 'number' ? leaseDurationSeconds : timings.leaseSeconds;
    return nowMs - observed.sinceMs > seconds * 1000;
  }

  function spec(before: Fields, leaseTransitions: number): Fields {
    const now = microTime(clock.now());
    const acquireTime = before.holderIdentity === identity ? before.acquireTime : now;
    return {
      ...{ holderIdentity: identity, leaseDurationSeconds: timings.leaseSeconds },
      ...{ acquireTime, renewTime: now, leaseTransitions },
    };
  }

  async function attempt(): Promise<void> {
    const beganMs = clock.monotonicMs();
    try {
      const obtained = await obtain();
      if (stopping.signal.aborted) return;
      if (obtained) renewedMs = beganMs;
      told = '';
      set(obtained);
    } catch (error) {
      if (stopping.signal.aborted) return;
      const { message } = error as Error;
      // 409: another one was faster. Anything else is worth a line, once.
      if (!(error instanceof ApiError && error.status === 409) && told !== message)
        log.warn('the lease for writing endpoints cannot be had', { lease: path, detail: message });
      told = message;
    }
  }

  /** A holder that cannot renew stops in time, also while a request hangs. */
  function watchDeadline(): void {
    if (holds && clock.monotonicMs() - renewedMs >= timings.renewDeadlineMs) set(false);
  }

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      const deadline = clock.setTimeout(
        watchDeadline,
        Math.max(0, renewedMs + timings.renewDeadlineMs - clock.monotonicMs()),
      );
      await attempt();
      deadline.cancel();
      watchDeadline();
      await pause(holds ? timings.retryMs : timings.retryMs * (1 + 1.2 * random()));
    }
  }

  function pause(milliseconds: number): Promise<void> {
    if (stopping.signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const done = () => {
        timer?.cancel();
        stopping.signal.removeEventListener('abort', done);
        resolve();
      };
      timer = clock.setTimeout(done, milliseconds);
      stopping.signal.addEventListener('abort', done);
    });
  }

  async function release(): Promise<void> {
    const signal = new AbortController().signal;
    const lease = await server.exchange('GET', path, undefined, signal);
    const before = optionalFields(lease.spec, 'spec');
    if (before.holderIdentity !== identity) return;
    const now = microTime(clock.now());
    const free = { ...before, holderIdentity: '', leaseDurationSeconds: 1, renewTime: now, acquireTime: now };
    await server.exchange('PUT', path, leaseObject(settings, lease, free), signal);
  }

  const running = run();
  return {
    isHolder: () => holds,
    async stop() {
      stopping.abort();
      await running;
      const held = holds;
      set(false);
      if (!held) return;
      await release().catch((error: Error) => {
        log.warn('the lease was not given back: another replica takes it when it ends', { detail: error.message });
      });
    },
  };
}

const leaseObject = ({ namespace, name }: LeaseSettings, before: Fields, spec: Fields): object => ({
  apiVersion: 'coordination.k8s.io/v1',
  kind: 'Lease',
  metadata: { ...optionalFields(before.metadata, 'metadata'), name, namespace },
  spec,
});

/** Kubernetes' MicroTime insists on six digits. */
const microTime = (milliseconds: number): string => new Date(milliseconds).toISOString().replace('Z', '000Z');
