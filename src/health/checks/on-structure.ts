import type { ServiceState } from '../../registry/model.ts';
import type { Registry } from '../../registry/registry.ts';

/**
 * Calls `reconcile` in a later turn for each service whose structure changed, and once for existing services.
 * Level-triggered: several changes are one call, with the state at that time. Returns the function that stops it.
 */
export function onStructure(
  registry: Registry,
  schedule: (callback: () => void) => void,
  reconcile: (serviceKey: string, state: ServiceState | undefined) => void,
): () => void {
  const dirty = new Set<string>();
  let scheduled = false;
  let stopped = false;

  function mark(serviceKey: string): void {
    if (stopped) return;
    dirty.add(serviceKey);
    if (scheduled) return;
    scheduled = true;
    schedule(() => {
      scheduled = false;
      if (stopped) return;
      const keys = [...dirty];
      dirty.clear();
      for (const key of keys) reconcile(key, registry.service(key));
    });
  }

  registry.onChange((serviceKey, what) => {
    if (what === 'structure') mark(serviceKey);
  });
  for (const { key } of registry.services()) mark(key);
  return () => {
    stopped = true;
  };
}
