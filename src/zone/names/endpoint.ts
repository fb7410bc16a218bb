// The instances of a service as addresses with names: what A, AAAA, SRV and PTR records are made from.
import { parseIp } from '../../dns/ip.ts';
import { TYPE } from '../../dns/types.ts';
import type { InstanceState, Service, ServicePort } from '../../registry/model.ts';
import { type Compilation, isOfKubernetes } from './compilation.ts';
import { dashedAddress, isLabel } from './label.ts';

/** One address of one instance. */
export interface Endpoint {
  readonly state: InstanceState;
  readonly address: string;
  readonly type: typeof TYPE.A | typeof TYPE.AAAA;
  /** A or AAAA rdata. */
  readonly rdata: Uint8Array;
  /** The label of its own name below the service's, lower case; in a cluster set "<label>.<cluster>". */
  readonly label: string;
  /** The label is the dashed address, and as unique. */
  readonly hasAddressLabel: boolean;
  /** For records of the address at the service's name: shared where several instances have it. */
  readonly slot: number;
  /** For records of the instance: at its own name, and those that point there. */
  readonly instanceSlot: number;
  readonly ports: readonly ServicePort[];
  /** For `routing: weighted`; slow start changes it. */
  readonly weight: number;
}

/** Appends those of an instance. */
export function addEndpoints(
  endpoints: Endpoint[],
  { service, state: serviceState, context }: Compilation,
  state: InstanceState,
): void {
  const { slot: instanceSlot, weight, addresses } = state;
  // A Kubernetes endpoint has the ports of its slice, even none; the Service's are those of the cluster IP.
  const ports = state.ports.length > 0 || isOfKubernetes(service) ? state.ports : service.ports;
  const leftOut = (problem: string) => context.leftOut(`instance ${state.id}: ${problem}`);
  for (const address of addresses.length > 1 ? new Set(addresses) : addresses) {
    const rdata = parseIp(address);
    if (rdata === undefined) {
      leftOut(`"${address.slice(0, 60)}" is not an IP address`);
      continue;
    }
    const given = givenLabel(service, state, leftOut);
    endpoints.push({
      state,
      address,
      type: rdata.length === 4 ? TYPE.A : TYPE.AAAA,
      rdata,
      label: (given ?? dashedAddress(address)) + clusterLabel(state, leftOut),
      hasAddressLabel: given === undefined,
      slot: serviceState.slotFor(state, address),
      instanceSlot,
      ports,
      weight,
    });
  }
}

/**
 * Kubernetes DNS specification 2.1: the endpoint's hostname, else an identifier of the implementation's choice, for which
 * CoreDNS takes the dashed address (undefined here). Cloud Map: the instance id.
 */
function givenLabel(service: Service, state: InstanceState, leftOut: (problem: string) => void): string | undefined {
  const { hostname } = state;
  if (hostname !== undefined) {
    if (isLabel(hostname)) return hostname.toLowerCase();
    leftOut(`the hostname "${hostname.slice(0, 80)}" is not a label`);
  } else if (!isOfKubernetes(service) && isLabel(state.id)) return state.id.toLowerCase();
  return undefined;
}

/** Multi-cluster DNS specification 2.4: ".<cluster id>" for a member of a cluster set, else nothing. */
function clusterLabel({ cluster }: InstanceState, leftOut: (problem: string) => void): string {
  if (cluster === undefined) return '';
  // Without an underscore, or a hostname and a cluster could spell the name of a port.
  if (isLabel(cluster) && !cluster.startsWith('_')) return `.${cluster.toLowerCase()}`;
  leftOut(`the cluster id "${cluster.slice(0, 80)}" is not a label`);
  return '';
}

/** Which endpoints share a name: one pod has two addresses, or two pods one hostname. */
export interface Sharing {
  readonly keyOf: (endpoint: Endpoint) => string;
  /** None do, as nearly always. */
  readonly areDistinct: boolean;
}

/** Calls `add` with the endpoints that share one name, for each name. */
export function forEachName(
  endpoints: readonly Endpoint[],
  { keyOf, areDistinct }: Sharing,
  add: (members: readonly Endpoint[]) => void,
): void {
  if (areDistinct) for (const endpoint of endpoints) add([endpoint]);
  else for (const members of groupsOf(endpoints, keyOf)) add(members);
}

function groupsOf(endpoints: readonly Endpoint[], keyOf: Sharing['keyOf']): Iterable<readonly Endpoint[]> {
  const groups = new Map<string, Endpoint[]>();
  for (const endpoint of endpoints) {
    const key = keyOf(endpoint);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [endpoint]);
    else group.push(endpoint);
  }
  return groups.values();
}
