import type { ServicePort } from '../../../registry/model.ts';
import { fields, MalformedObject, optionalText, portNumber } from '../api/objects.ts';

/** Lists of ports seen so far, so that the endpoints of ten thousand slices share a few (bench/RESULTS.md, memory per instance). */
const shared = new Map<string, readonly ServicePort[]>();
const MAX_SHARED = 10_000;

/**
 * The ports of a Service, EndpointSlice or Endpoints subset. A slice's port without a number stands for "all ports" and
 * has nothing to publish; it is skipped. Throws MalformedObject.
 */
export function servicePorts(raw: readonly unknown[], what: string): readonly ServicePort[] {
  const ports = raw.flatMap((value, index) => {
    const port = fields(value, `${what}[${index}]`);
    if (port.port === undefined || port.port === null) return [];
    return {
      name: (optionalText(port.name, `${what}[${index}].name`) ?? '').toLowerCase(),
      protocol: protocol(port.protocol, `${what}[${index}].protocol`),
      port: portNumber(port.port, `${what}[${index}].port`),
    };
  });
  const key = ports.map((port) => `${port.name} ${port.protocol} ${port.port}`).join();
  const known = shared.get(key);
  if (known !== undefined) return known;
  if (shared.size >= MAX_SHARED) shared.clear();
  shared.set(key, ports);
  return ports;
}

function protocol(value: unknown, what: string): ServicePort['protocol'] {
  const name = (optionalText(value, what) ?? 'TCP').toLowerCase();
  if (name === 'tcp' || name === 'udp' || name === 'sctp') return name;
  throw new MalformedObject(`${what} is ${JSON.stringify(value)}, not TCP, UDP or SCTP`);
}
