// `services`: services whose instances are written in the file, in Cloud Map's words.
import * as v from 'valibot';
import { type Path, type Reporter, shown } from '../../reading/problem.ts';
import { choice, integer, list, mapping, ttlSeconds, whichever, words } from '../../reading/shape.ts';
import type { Soundness } from '../../reading/validate.ts';
import type { ServicePolicy, ServicePort } from '../../registry/model.ts';
import type { StaticInstance, StaticService } from '../config.ts';
import {
  buildHealthCheck,
  checkHealthCheck,
  effectiveCheck,
  healthCheckEntry,
  instanceHealthCheckEntry,
} from './health-check.ts';
import { canonical, expandTemplate, ipAddress, label, nameMessage, nameTemplate } from './names.ts';
import { policyEntries, servicePolicy, servicePolicyEntries } from './policy.ts';

const port = integer(1, 65_535, 'A port number.');

const portEntry = whichever(
  (input) => typeof input === 'number',
  port,
  mapping(
    {
      name: v.optional(label('a port name', 'SRV records are named _NAME._PROTOCOL; a port without a name has none.')),
      protocol: v.optional(choice(['tcp', 'udp', 'sctp'], 'The transport protocol.'), 'tcp'),
      port,
    },
    'A port of a service.',
  ),
);

const instanceSchema = mapping(
  {
    id: label('an instance id', 'Identifies the instance within its service; a label of its SRV target.'),
    ipv4: v.optional(ipAddress(4, 'IPv4 address (A record).')),
    ipv6: v.optional(ipAddress(6, 'IPv6 address (AAAA record).')),
    port: v.optional(integer(1, 65_535, 'Port of the instance, for checks and SRV; default: the port of the service.')),
    weight: v.optional(integer(0, 65_535, 'Weight for `routing: weighted`, and SRV weight.'), 1),
    attributes: v.optional(words('Arbitrary attributes; shown by explain and the API.'), {}),
    healthCheck: instanceHealthCheckEntry,
  },
  'An instance of the service.',
);

export const serviceSchema = mapping(
  {
    name: label('a service name', 'Name of the service, {service} in `names`.'),
    namespace: v.optional(label('a namespace', 'Namespace of the service, {namespace} in `names`.'), 'default'),
    names: v.optional(list(nameTemplate('A name relative to the zone.'), "Name templates; default: the zone's.")),
    ttlSeconds: v.optional(ttlSeconds("TTL of its records; default: the zone's.")),
    ...policyEntries,
    ...servicePolicyEntries,
    ports: v.optional(list(portEntry, 'Named ports get SRV records; a plain number is a TCP port without a name.'), []),
    healthCheck: healthCheckEntry,
    instances: v.optional(list(instanceSchema, 'The instances of the service.'), []),
  },
  'A service.',
);

export type ServiceInput = v.InferOutput<typeof serviceSchema>;
type InstanceInput = ServiceInput['instances'][number];

interface Surroundings {
  readonly zone: string;
  readonly names: readonly string[];
  readonly soundness: Soundness;
  readonly reporter: Reporter;
}

/** Cross-checks of one service; parts whose shape is wrong are left out. */
export function checkService(service: ServiceInput, path: Path, around: Surroundings): void {
  const { soundness, reporter } = around;
  const ids = new Map<string, number>();
  const instances = soundness.isContainer([...path, 'instances']) ? service.instances : [];
  const checkable = soundness.isSound(path, 'instances');
  for (const [i, instance] of instances.entries()) {
    const at = [...path, 'instances', i];
    if (soundness.isSound([...at, 'id'])) checkUnique(ids, instance.id, i, at, reporter);
    if (soundness.isSound(at)) checkInstance(instance, at, checkable ? service : undefined, reporter);
  }
  if (!checkable) return;
  checkNames(service, path, around);
  checkPorts(service, path, reporter);
  if (service.healthCheck) checkHealthCheck(service.healthCheck, [...path, 'healthCheck'], reporter);
  if (soundness.isSound(path) && service.instances.length === 0)
    reporter.warning(path, `service \`${service.name}\` has no instances: its name has no records`);
}

function checkUnique(ids: Map<string, number>, id: string, i: number, at: Path, reporter: Reporter): void {
  const first = ids.get(id.toLowerCase());
  if (first !== undefined)
    reporter.problem([...at, 'id'], `duplicate instance id \`${shown(id)}\`: instances[${first}] already has it`);
  else ids.set(id.toLowerCase(), i);
}

function checkInstance(instance: InstanceInput, at: Path, service: ServiceInput | undefined, reporter: Reporter): void {
  if (instance.ipv4 === undefined && instance.ipv6 === undefined)
    reporter.problem(at, `instance \`${instance.id}\` has no address: expected \`ipv4\`, \`ipv6\` or both`);
  if (!service) return;
  const check = effectiveCheck(service.healthCheck, instance.healthCheck);
  if (!check) return;
  if (instance.healthCheck) checkHealthCheck(check, [...at, 'healthCheck'], reporter);
  const port = check.port ?? instance.port ?? (service.ports.length > 0 ? 1 : undefined);
  if (check.type !== undefined && check.type !== 'exec' && port === undefined)
    reporter.problem(
      at,
      `instance \`${instance.id}\` has no port to check: add a \`port\` to it or to its healthCheck`,
    );
}

function checkNames(service: ServiceInput, path: Path, { zone, names, reporter }: Surroundings): void {
  if (service.names?.length === 0) reporter.problem([...path, 'names'], '`names`: expected at least one name template');
  for (const [i, template] of (service.names ?? names).entries()) {
    try {
      expandTemplate(template, service.name, service.namespace, zone);
    } catch (error) {
      reporter.problem(
        service.names ? [...path, 'names', i] : [...path, 'name'],
        `service \`${service.name}\`: ${nameMessage(error)}`,
      );
    }
  }
}

function checkPorts(service: ServiceInput, path: Path, reporter: Reporter): void {
  const seen = new Set<string>();
  for (const [i, port] of service.ports.map(buildPort).entries()) {
    const key = `${port.name}/${port.protocol}`;
    if (port.name !== '' && seen.has(key))
      reporter.problem(
        [...path, 'ports', i],
        `duplicate port name \`${port.name}\` (${port.protocol}): SRV names must differ`,
      );
    seen.add(key);
  }
}

/** A service without problems → the configuration's. `zone` holds the defaults. */
export function buildService(
  service: ServiceInput,
  zone: { readonly names: readonly string[]; readonly ttlSeconds: number; readonly policy: ServicePolicy },
): StaticService {
  const check = service.healthCheck;
  return {
    name: service.name.toLowerCase(),
    namespace: service.namespace.toLowerCase(),
    names: service.names ?? zone.names,
    ttlSeconds: service.ttlSeconds ?? zone.ttlSeconds,
    policy: servicePolicy(zone.policy, service),
    ports: service.ports.map(buildPort),
    healthCheck: check && buildHealthCheck(check),
    instances: service.instances.map((instance) => buildInstance(instance, service)),
  };
}

function buildPort(port: ServiceInput['ports'][number]): ServicePort {
  if (typeof port === 'number') return { name: '', protocol: 'tcp', port };
  return { name: (port.name ?? '').toLowerCase(), protocol: port.protocol, port: port.port };
}

function buildInstance(instance: InstanceInput, service: ServiceInput): StaticInstance {
  const own = instance.healthCheck && effectiveCheck(service.healthCheck, instance.healthCheck);
  return {
    id: instance.id.toLowerCase(),
    ipv4: canonical(instance.ipv4),
    ipv6: canonical(instance.ipv6),
    port: instance.port,
    weight: instance.weight,
    attributes: instance.attributes,
    healthCheck: own && buildHealthCheck(own),
  };
}
