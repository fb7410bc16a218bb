// ECS container health checks said as Kubernetes probes.
import type { ContainerHealthCheck } from './task-definition.ts';

export interface Probe {
  readonly exec: { readonly command: readonly string[] };
  readonly periodSeconds: number;
  readonly timeoutSeconds: number;
  readonly failureThreshold: number;
  readonly successThreshold: 1;
}

export interface Probes {
  readonly livenessProbe?: Probe;
  readonly readinessProbe?: Probe;
  readonly startupProbe?: Probe;
}

/**
 * The probes that do what ECS does with a container's health check; none for NONE.
 *
 * ECS runs the check from the start, does not count failures during startPeriod, and the first success ends it. A
 * startupProbe is the one probe that behaves so: it runs at once, and its first success hands over to the others.
 * It may fail through startPeriod and then `retries` times more, as in ECS; an initialDelaySeconds would be blind.
 * Sources: ECS API reference, HealthCheck; Kubernetes, "Configure Liveness, Readiness and Startup Probes".
 */
export function probesOf(check: ContainerHealthCheck): Probes {
  const command = probeCommand(check.command);
  if (command === undefined) return {};
  const probe = (failureThreshold: number): Probe => ({
    exec: { command },
    periodSeconds: check.interval,
    timeoutSeconds: check.timeout,
    failureThreshold,
    successThreshold: 1,
  });
  const startingFailures = Math.ceil(check.startPeriod / check.interval) + check.retries;
  return {
    livenessProbe: probe(check.retries),
    readinessProbe: probe(check.retries),
    ...(check.startPeriod > 0 && { startupProbe: probe(startingFailures) }),
  };
}

/** CMD is run as it is, CMD-SHELL by the container's shell; undefined for NONE. */
function probeCommand([kind, ...words]: readonly string[]): readonly string[] | undefined {
  if (kind === 'NONE') return undefined;
  return kind === 'CMD-SHELL' ? ['sh', '-c', ...words] : words;
}
