// Requests of one client may reach different replicas: CreateService one, RegisterInstance another, before its watch has brought
// the service. So a lookup that fails here is repeated in the cluster before the client gets an error.
import type { Clock } from '../../clock.ts';
import { type HeldObject, KIND_LABEL } from './held-object.ts';
import type { ObjectClient } from './object-client.ts';
import type { Resource } from './object-mirror.ts';

/** Upper bound on the load on the API server by clients that only request missing objects. */
const SPACING_MS = 1_000;

/**
 * Lists every object anew and takes it in. Requests that come while a list waits or runs share the one after it, so that each
 * sees a list that began after it. Rejects with the error of the API server.
 */
export function createCatchUp(
  client: ObjectClient,
  resources: readonly Resource[],
  take: (object: HeldObject) => void,
  clock: Clock,
): () => Promise<void> {
  let running: Promise<unknown> = Promise.resolve();
  let waiting: Promise<void> | undefined;
  let startedMs = Number.NEGATIVE_INFINITY;

  const list = async (resource: Resource) => {
    for (const object of await client.list(resource, KIND_LABEL)) take(object);
  };
  async function next(): Promise<void> {
    await running;
    const delayMs = startedMs + SPACING_MS - clock.monotonicMs();
    if (delayMs > 0) await new Promise<void>((resolve) => void clock.setTimeout(resolve, delayMs));
    waiting = undefined;
    startedMs = clock.monotonicMs();
    const lists = Promise.all(resources.map(list));
    running = lists.catch(() => {}); // reported to those who wait for it
    await lists;
  }
  return () => (waiting ??= next());
}
