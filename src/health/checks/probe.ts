// One run of one check: what every kind of check is given, and what it gives back.
import type { HealthCheck, Instance, Service } from '../../registry/model.ts';
import type { CheckResult } from '../rules/ecs.ts';

export interface CheckTarget {
  readonly check: HealthCheck;
  readonly service: Pick<Service, 'name' | 'namespace' | 'zone'>;
  readonly instance: Pick<Instance, 'id' | 'addresses' | 'attributes'>;
  /** Where to connect to. */
  readonly address: string;
  /** 0 where nothing states one. */
  readonly port: number;
}

/** Runs a check once. Never rejects; when `signal` aborts, it lets go of everything it holds and then resolves. */
export type Probe = (target: CheckTarget, signal: AbortSignal) => Promise<CheckResult>;

/** The target of a service's check at one of its instances; undefined where there is nothing to check. */
export function targetOf(service: Service, instance: Instance): CheckTarget | undefined {
  const check = instance.healthCheck ?? service.healthCheck;
  if (check === undefined) return undefined;
  const address = check.address ?? instance.addresses[0] ?? '';
  const port = check.port ?? instance.ports[0]?.port ?? service.ports[0]?.port ?? defaultPort(check.type);
  return { check, service, instance, address, port };
}

const defaultPort = (type: HealthCheck['type']): number => (type === 'http' ? 80 : type === 'https' ? 443 : 0);

export const passed = (reason: string): CheckResult => ({ passed: true, reason });
export const failed = (reason: string): CheckResult => ({ passed: false, reason });

/** A failure of the network or the system, as people know it: "connect ECONNREFUSED 127.0.0.1:9". One line: OpenSSL's have more. */
export const failedBy = (error: Error): CheckResult =>
  failed((error.message || error.name).trim().replace(/\s+/g, ' '));

/** Address and port as people write them: "[::1]:53". */
export const endpoint = (address: string, port: number): string =>
  address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
