// Requests of one client may reach different replicas: CreateService one, RegisterInstance another, before its watch has brought
// the service. What is not found here is therefore looked for in the cluster before a client hears of it.
import type { Clock } from '../../clock.ts';
import { type HeldObject, KIND_LABEL } from './held-object.ts';
import type { ObjectClient } from './object-client.ts';
import type { Resource } from './object-mirror.ts';

/** A client that asks for nothing but what does not exist costs the API server no more than this. */
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
    running = lists.catch(() => {}); // those who wait for it hear of it
    await lists;
  }
  return () => (waiting ??= next());
}
