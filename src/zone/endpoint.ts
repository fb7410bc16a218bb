// The instances of a service as addresses with names: what A, AAAA, SRV and PTR records are made of.
import { parseIp } from '../dns/ip.ts';
import { TYPE } from '../dns/types.ts';
import type { Instance, Service, ServicePort } from '../registry/model.ts';
import type { Compilation } from './compile.ts';
import { isOfKubernetes } from './conventions.ts';
import { dashedAddress, isLabel } from './label.ts';

/** One address of one instance. */
export interface Endpoint {
  readonly instance: Instance;
  readonly address: string;
  readonly type: typeof TYPE.A | typeof TYPE.AAAA;
  /** A or AAAA rdata. */
  readonly rdata: Uint8Array;
  /** The label of its own name below the service's. */
  readonly label: string;
  /** For records of the address: shared where several instances state it. */
  readonly slot: number;
  /** For records of the instance: SRV. */
  readonly instanceSlot: number;
  readonly ports: readonly ServicePort[];
  /** For `routing: weighted`; slow start changes it. */
  readonly weight: number;
}

export function endpointsOf({ service, state, context }: Compilation): Endpoint[] {
  const endpoints: Endpoint[] = [];
  for (const instanceState of state.instances.values()) {
    const { instance, slot: instanceSlot } = instanceState;
    const ports = instance.ports.length > 0 ? instance.ports : service.ports;
    for (const address of instance.addresses) {
      const rdata = parseIp(address);
      if (rdata === undefined) {
        context.leftOut(`instance ${instance.id}: "${address.slice(0, 60)}" is not an IP address`);
        continue;
      }
      const label = labelOf(service, instance, address, context.leftOut);
      const type = rdata.length === 4 ? TYPE.A : TYPE.AAAA;
      endpoints.push({
        instance,
        address,
        type,
        rdata,
        label,
        slot: state.slotFor(instanceState, address),
        instanceSlot,
        ports,
        weight: instanceState.weight,
      });
    }
  }
  return endpoints;
}

/**
 * Kubernetes DNS specification 2.1: the endpoint's hostname, else an identifier of the implementation's choice, for which
 * CoreDNS takes the dashed address. Cloud Map: the instance id.
 */
function labelOf(service: Service, instance: Instance, address: string, leftOut: (problem: string) => void): string {
  if (instance.hostname !== undefined) {
    if (isLabel(instance.hostname)) return instance.hostname;
    leftOut(`instance ${instance.id}: the hostname "${instance.hostname.slice(0, 80)}" is not a label`);
  } else if (!isOfKubernetes(service) && isLabel(instance.id)) return instance.id;
  return dashedAddress(address);
}
