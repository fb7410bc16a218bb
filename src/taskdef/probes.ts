// ECS container health checks as Kubernetes probes.
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
 * The probes that behave like the container's health check in ECS; none for NONE.
 *
 * ECS runs the check from the start, does not count failures during startPeriod, and the first success ends it. A
 * startupProbe behaves the same way: it runs at once, and its first success enables the other probes.
 * It may fail during startPeriod and then `retries` times more, as in ECS; initialDelaySeconds would run no check.
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

/** CMD is run directly, CMD-SHELL by the container's shell; undefined for NONE. */
function probeCommand([kind, ...words]: readonly string[]): readonly string[] | undefined {
  if (kind === 'NONE') return undefined;
  return (kind === 'CMD-SHELL' ? ['sh', '-c', ...words] : words).map(literal);
}

/** Escapes a text that the kubelet would change: it expands $(NAME) and $$ in commands, variables and exec probes. */
export const literal = (text: string): string => (/\$[$(]/.test(text) ? text.replaceAll('$', '$$$$') : text);
