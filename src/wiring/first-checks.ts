import type { Clock } from '../clock.ts';
import type { Registry } from '../registry/registry.ts';

const POLL_MS = 100;
const PATIENCE_MS = 5_000;

/**
 * Resolves when no active check is undecided any more (true), or after a few seconds (false): with the intervals of ECS a
 * failing instance is UNKNOWN for a minute and more.
 */
export function firstChecks(registry: Registry, clock: Clock): Promise<boolean> {
  const deadlineMs = clock.monotonicMs() + PATIENCE_MS;
  return new Promise((resolve) => {
    const look = () => {
      if (!hasUndecided(registry)) return resolve(true);
      if (clock.monotonicMs() >= deadlineMs) return resolve(false);
      clock.setTimeout(look, POLL_MS);
    };
    clock.setTimeout(look, POLL_MS);
  });
}

function hasUndecided(registry: Registry): boolean {
  for (const { instances } of registry.services()) {
    for (const state of instances.values()) {
      if (state.facts().some(({ source, status }) => source === 'check' && status === 'UNKNOWN')) return true;
    }
  }
  return false;
}
