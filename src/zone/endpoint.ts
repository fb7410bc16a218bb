// The instances of a service as addresses with names: what A, AAAA, SRV and PTR records are made of.
import { parseIp } from '../dns/ip.ts';
import { TYPE } from '../dns/types.ts';
import type { Instance, Service, ServicePort } from '../registry/model.ts';
import type { Compilation } from './compile.ts';
import { isOfKubernetes } from './conventions.ts';
import { addNumber, addText, begin, type Fingerprint, highHalf, lowHalf } from './fingerprint.ts';
import { dashedAddress, isLabel } from './label.ts';

/** One address of one instance; its fingerprint is of all that is here. */
export interface Endpoint extends Fingerprint {
  readonly instance: Instance;
  readonly address: string;
  readonly type: typeof TYPE.A | typeof TYPE.AAAA;
  /** A or AAAA rdata. */
  readonly rdata: Uint8Array;
  /** The label of its own name below the service's, lower case. */
  readonly label: string;
  /** The label is the dashed address: as unique as that. */
  readonly hasAddressLabel: boolean;
  /** For records of the address at the service's name: shared where several instances state it. */
  readonly slot: number;
  /** For records of the instance: at its own name, and those that point there. */
  readonly instanceSlot: number;
  readonly ports: readonly ServicePort[];
  /** For `routing: weighted`; slow start changes it. */
  readonly weight: number;
}

export function endpointsOf({ service, state, context }: Compilation): Endpoint[] {
  const endpoints: Endpoint[] = [];
  for (const instanceState of state.instances.values()) {
    const { instance, slot: instanceSlot, weight } = instanceState;
    // A Kubernetes endpoint has the ports of its slice, be they none; the Service's are those of the cluster IP.
    const ports = instance.ports.length > 0 || isOfKubernetes(service) ? instance.ports : service.ports;
    for (const address of instance.addresses) {
      const rdata = parseIp(address);
      if (rdata === undefined) {
        context.leftOut(`instance ${instance.id}: "${address.slice(0, 60)}" is not an IP address`);
        continue;
      }
      const given = givenLabel(service, instance, context.leftOut);
      const label = given ?? dashedAddress(address);
      const hasAddressLabel = given === undefined;
      const type = rdata.length === 4 ? TYPE.A : TYPE.AAAA;
      const slot = state.slotFor(instanceState, address);
      takeFingerprint(label, address, slot, instanceSlot, weight, instance, ports);
      const [low, high] = [lowHalf(), highHalf()];
      endpoints.push({
        instance,
        address,
        type,
        rdata,
        label,
        hasAddressLabel,
        slot,
        instanceSlot,
        ports,
        weight,
        low,
        high,
      });
    }
  }
  return endpoints;
}

/**
 * Kubernetes DNS specification 2.1: the endpoint's hostname, else an identifier of the implementation's choice, for which
 * CoreDNS takes the dashed address (undefined here). Cloud Map: the instance id.
 */
function givenLabel(service: Service, instance: Instance, leftOut: (problem: string) => void): string | undefined {
  const { hostname, id } = instance;
  if (hostname !== undefined) {
    if (isLabel(hostname)) return hostname.toLowerCase();
    leftOut(`instance ${id}: the hostname "${hostname.slice(0, 80)}" is not a label`);
  } else if (!isOfKubernetes(service) && isLabel(id)) return id.toLowerCase();
  return undefined;
}

function takeFingerprint(
  label: string,
  address: string,
  slot: number,
  instanceSlot: number,
  weight: number,
  instance: Instance,
  ports: readonly ServicePort[],
): void {
  begin(0);
  addText(label);
  addText(address);
  addNumber(slot);
  addNumber(instanceSlot);
  addNumber(weight * 1000);
  addNumber(instance.weight * 1000);
  for (const { name, protocol, port } of ports) {
    addText(name);
    addText(protocol);
    addNumber(port);
  }
}

/**
 * Endpoints by label or by address: several share a name when one pod has two addresses, or two pods one hostname. Nearly
 * always no two do, and a Map of 10,000 is then most of the work: `areDistinct` says so beforehand.
 */
export function groupEndpoints(
  endpoints: readonly Endpoint[],
  keyOf: (endpoint: Endpoint) => string,
  areDistinct: boolean,
): Iterable<readonly Endpoint[]> {
  if (areDistinct) return endpoints.map((endpoint) => [endpoint]);
  const groups = new Map<string, Endpoint[]>();
  for (const endpoint of endpoints) {
    const key = keyOf(endpoint);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [endpoint]);
    else group.push(endpoint);
  }
  return groups.values();
}
