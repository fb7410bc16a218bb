// Updates the slices of one Cloud Map service: only those that differ, each at most once a second.
import type { Clock } from '../clock.ts';
import type { HeldObject } from '../cloudmap/kubernetes/held-object.ts';
import { endpointsOf, newSlice, shapeOfSlice, withInstances } from '../cloudmap/kubernetes/instance-slices.ts';
import type { ObjectClient } from '../cloudmap/kubernetes/object-client.ts';
import { isMarked } from '../cloudmap/kubernetes/object-client.ts';
import type { Mirror } from '../cloudmap/kubernetes/object-mirror.ts';
import { serviceKey } from '../cloudmap/publish-cloud-map.ts';
import type { Counter } from '../metrics.ts';
import type { InstanceState } from '../registry/model.ts';
import type { Registry } from '../registry/registry.ts';
import { ApiError } from '../sources/kubernetes/api/api-server.ts';
import { changesOf, derivedEndpoints, endpointsIn, readyIds, sameEndpoints } from './desired.ts';
import type { LegacyEndpoints } from './legacy-endpoints.ts';

export interface ServiceWriterSettings {
  readonly mirror: Mirror;
  readonly client: ObjectClient;
  readonly registry: Pick<Registry, 'service'>;
  readonly clock: Clock;
  /** Passes a response to the mirror; undefined: the slice is gone. */
  readonly take: (object: HeldObject | undefined, name: string) => void;
  /** The pod of a task in the same cluster. */
  readonly podOf: (state: InstanceState) => { readonly namespace: string; readonly name: string } | undefined;
  readonly legacy: LegacyEndpoints | undefined;
  readonly writes: Counter;
}

export interface Outcome {
  /** Number of objects written. */
  readonly written: number;
  /** Slices that were written less than a second ago are due then. */
  readonly againInMs: number | undefined;
}

/** `goOn` is asked before each write. Rejects with the server's error; 409 if a slice changed. */
export type ServiceWriter = (serviceId: string, goOn: () => boolean) => Promise<Outcome>;

const MIN_INTERVAL_MS = 1_000;

interface Write {
  /** One write per second is allowed for each key. */
  readonly key: string;
  run(): Promise<void>;
}

export function createServiceWriter(settings: ServiceWriterSettings): ServiceWriter {
  const { mirror, registry, clock, legacy, writes } = settings;
  const writtenMs = new Map<string, number>();

  function due(serviceId: string, service: HeldObject): Write[] {
    const state = registry.service(serviceKey(serviceId));
    if (state?.service === undefined) return []; // no health yet
    const ready = readyIds(state);
    const kept = mirror.slicesOf(serviceId, 'instances').map((slice) => ({ slice, instances: instancesHere(slice) }));
    const registered = new Map(
      kept.flatMap(({ instances }) => [...instances].map(([id, { record }]) => [id, record] as const)),
    );
    const wanted = derivedEndpoints(state, registered, settings.podOf);
    const legacyWrite = legacy?.plan(service.name, [...registered], wanted, ready);
    return [
      ...kept.flatMap(({ slice, instances }) => keptSlice(settings, slice, instances, ready)),
      ...derivedSlices(settings, service, serviceId, wanted),
      ...(legacyWrite ? [{ key: `endpoints/${service.name}`, run: legacyWrite }] : []),
    ];
  }

  /** Without instances whose newer version is in another slice, as after an interrupted move. */
  function instancesHere(slice: HeldObject): NonNullable<HeldObject['instances']> {
    const all = [...(slice.instances ?? [])];
    return new Map(all.filter(([id]) => mirror.locate(slice.serviceId!, id)?.slice.name === slice.name));
  }

  return async (serviceId, goOn) => {
    const service = mirror.serviceObject(serviceId);
    if (service === undefined || isMarked(service, clock)) return { written: 0, againInMs: undefined };
    let written = 0;
    let againInMs: number | undefined;
    for (const { key, run } of due(serviceId, service)) {
      const waitMs = (writtenMs.get(key) ?? Number.NEGATIVE_INFINITY) + MIN_INTERVAL_MS - clock.monotonicMs();
      if (waitMs > 0) {
        againInMs = Math.min(againInMs ?? waitMs, waitMs);
        continue;
      }
      if (!goOn()) break;
      writtenMs.set(key, clock.monotonicMs());
      await run();
      writes.inc();
      written++;
    }
    if (writtenMs.size > MAX_REMEMBERED) forgetOld(writtenMs, clock.monotonicMs());
    return { written, againInMs };
  };
}

const MAX_REMEMBERED = 10_000;

function forgetOld(writtenMs: Map<string, number>, nowMs: number): void {
  for (const [key, atMs] of writtenMs) if (nowMs - atMs >= MIN_INTERVAL_MS) writtenMs.delete(key);
}

function keptSlice(
  { client, take }: ServiceWriterSettings,
  slice: HeldObject,
  instances: NonNullable<HeldObject['instances']>,
  ready: (id: string) => boolean,
): Write[] {
  const isWhole = instances.size === slice.instances?.size;
  if (isWhole && sameEndpoints(endpointsOf(slice.raw, instances, ready), endpointsIn(slice.raw))) return [];
  const object = isWhole
    ? { ...slice.raw, endpoints: endpointsOf(slice.raw, instances, ready) }
    : withInstances(slice.raw, slice.operations, instances, [], ready);
  return [{ key: slice.name, run: () => replaceSlice(client, take, slice, object) }];
}

async function replaceSlice(
  client: ObjectClient,
  take: ServiceWriterSettings['take'],
  slice: HeldObject,
  object: object,
): Promise<void> {
  try {
    take(await client.replace('endpointslices', slice.name, object), slice.name);
  } catch (error) {
    // With the latest version in the mirror, the next attempt can succeed at once.
    if (error instanceof ApiError && (error.status === 409 || error.status === 404))
      take(await client.get('endpointslices', slice.name), slice.name);
    throw error;
  }
}

function derivedSlices(
  { mirror, client, take }: ServiceWriterSettings,
  service: HeldObject,
  serviceId: string,
  wanted: ReturnType<typeof derivedEndpoints>,
): Write[] {
  const present = mirror
    .slicesOf(serviceId, 'derived')
    .map((slice) => ({ slice, shape: shapeOfSlice(slice.raw), endpoints: endpointsIn(slice.raw) }));
  return changesOf(wanted, present).map(({ slice, shape, endpoints }) => {
    if (slice === undefined) {
      const key = `${serviceId} ${shape.family} ${shape.port}`;
      const object = { ...newSlice(service, 'derived', shape), endpoints };
      return {
        key,
        run: async () => {
          const created = await client.create('endpointslices', object);
          take(created, created.name);
        },
      };
    }
    if (endpoints.length > 0)
      return { key: slice.name, run: () => replaceSlice(client, take, slice, { ...slice.raw, endpoints }) };
    return {
      key: slice.name,
      run: async () => {
        await client.delete('endpointslices', slice);
        take(undefined, slice.name);
      },
    };
  });
}
