// One run of a check: the input and output of every kind of check.
import type { HealthCheck, Instance, Service } from '../../registry/model.ts';
import type { CheckResult } from '../rules/ecs.ts';

export interface CheckTarget {
  readonly check: HealthCheck;
  readonly service: Pick<Service, 'name' | 'namespace' | 'zone'>;
  readonly instance: Pick<Instance, 'id' | 'addresses' | 'attributes'>;
  /** Where to connect to. */
  readonly address: string;
  /** 0 if none is configured. */
  readonly port: number;
}

/** Runs a check once. Never rejects; when `signal` aborts, it releases all resources and then resolves. */
export type Probe = (target: CheckTarget, signal: AbortSignal) => Promise<CheckResult>;

/** The target of a service's check for an instance; undefined: there is nothing to check. */
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

/** An error of the network or the system for people: "connect ECONNREFUSED 127.0.0.1:9". One line; OpenSSL has more. */
export const failedBy = (error: NodeJS.ErrnoException): CheckResult => ({
  ...failed((error.message || error.name).trim().replace(/\s+/g, ' ')),
  ...(EXHAUSTED.has(error.code) && { isInconclusive: true }),
});

/** This process or host is out of descriptors, memory, processes or local ports. */
const EXHAUSTED: ReadonlySet<string | undefined> = new Set(['EMFILE', 'ENFILE', 'ENOMEM', 'ENOBUFS', 'EAGAIN']);

/** Address and port as people write them: "[::1]:53". */
export const endpoint = (address: string, port: number): string =>
  address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
