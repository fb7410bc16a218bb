// The instances of a service as addresses with names: what A, AAAA, SRV and PTR records are made of.
import { parseIp } from '../../dns/ip.ts';
import type { WireName } from '../../dns/name.ts';
import { TYPE } from '../../dns/types.ts';
import type { ResourceRecord } from '../../plane/records.ts';
import type { Instance, Service, ServicePort } from '../../registry/model.ts';
import type { InstanceState } from '../../registry/registry.ts';
import { addNumber, addText, begin, type Fingerprint, highHalf, lowHalf } from '../publish/fingerprint.ts';
import type { Compilation } from './compile.ts';
import { isOfKubernetes } from './conventions.ts';
import { type KeptInstance, keptInOrder } from './kept-endpoints.ts';
import { dashedAddress, isLabel } from './label.ts';
import type { NamePlan } from './plan.ts';

/** One address of one instance; its fingerprint is of all that is here. */
export interface Endpoint extends Fingerprint {
  readonly instance: Instance;
  readonly address: string;
  readonly type: typeof TYPE.A | typeof TYPE.AAAA;
  /** A or AAAA rdata. */
  readonly rdata: Uint8Array;
  /** The label of its own name below the service's, lower case; in a cluster set "<label>.<cluster>". */
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
  /** Made of the endpoint alone, once: the plans of its own name and of its reverse name, its record, its last SRV record. */
  ownPlans: readonly NamePlan[] | undefined;
  reversePlans: readonly NamePlan[] | undefined;
  record: ResourceRecord | undefined;
  srv: SrvRecord | undefined;
}

/** An SRV record and, but for the endpoint, what it was made of. */
export interface SrvRecord extends ResourceRecord {
  readonly base: WireName;
  readonly port: number;
  readonly srvWeight: number;
}

/** Of all instances that can be said in DNS. Those of `kept` that would be the same are the same objects. */
export function endpointsOf(compilation: Compilation): Endpoint[] {
  const { state, kept } = compilation;
  if (kept === undefined) return [...state.instances.values()].flatMap((one) => madeOf(compilation, one).endpoints);
  const find = keptInOrder(kept, state);
  const instances: KeptInstance[] = [];
  const endpoints: Endpoint[] = [];
  for (const one of state.instances.values()) {
    const made = find(one) ?? madeOf(compilation, one);
    // What is wrong with an instance is said at each compilation.
    if (made.isWhole) instances.push(made);
    for (const endpoint of made.endpoints) endpoints.push(endpoint);
  }
  kept.instances = instances;
  kept.hasSharedAddresses = state.sharedAddresses.size > 0;
  return endpoints;
}

function madeOf({ service, state, context }: Compilation, instanceState: InstanceState): KeptInstance {
  const { instance, slot: instanceSlot, weight, statement } = instanceState;
  // A Kubernetes endpoint has the ports of its slice, be they none; the Service's are those of the cluster IP.
  const ports = instance.ports.length > 0 || isOfKubernetes(service) ? instance.ports : service.ports;
  let isWhole = true;
  const leftOut = (problem: string) => {
    isWhole = false;
    context.leftOut(problem);
  };
  const endpoints: Endpoint[] = [];
  for (const address of instance.addresses) {
    const rdata = parseIp(address);
    if (rdata === undefined) {
      leftOut(`instance ${instance.id}: "${address.slice(0, 60)}" is not an IP address`);
      continue;
    }
    const given = givenLabel(service, instance, leftOut);
    const label = (given ?? dashedAddress(address)) + clusterLabel(instance, leftOut);
    const hasAddressLabel = given === undefined;
    const type = rdata.length === 4 ? TYPE.A : TYPE.AAAA;
    const slot = state.slotFor(instanceState, address);
    takeFingerprint(label, address, slot, instanceSlot, weight, instance, ports);
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
      low: lowHalf(),
      high: highHalf(),
      ownPlans: undefined,
      reversePlans: undefined,
      record: undefined,
      srv: undefined,
    });
  }
  return { state: instanceState, statement, weight, endpoints, isWhole };
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

/** Multi-cluster DNS specification 2.4: ".<cluster id>" for a member of a cluster set, else nothing. */
function clusterLabel({ id, cluster }: Instance, leftOut: (problem: string) => void): string {
  if (cluster === undefined) return '';
  if (isLabel(cluster)) return `.${cluster.toLowerCase()}`;
  leftOut(`instance ${id}: the cluster id "${cluster.slice(0, 80)}" is not a label`);
  return '';
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

/** Which endpoints share a name: one pod has two addresses, or two pods one hostname. */
export interface Sharing {
  readonly keyOf: (endpoint: Endpoint) => string;
  /** None do, as nearly always: then what one alone makes is kept with it, and there is no Map of 10,000. */
  readonly areDistinct: boolean;
  readonly keptAs: 'ownPlans' | 'reversePlans';
}

/** Adds what `make` makes of the endpoints that share a name, name by name. */
export function addPlans(
  plans: NamePlan[],
  endpoints: readonly Endpoint[],
  { keyOf, areDistinct, keptAs }: Sharing,
  make: (members: readonly Endpoint[]) => readonly NamePlan[],
): void {
  if (!areDistinct) {
    for (const members of groupEndpoints(endpoints, keyOf)) plans.push(...make(members));
    return;
  }
  for (const endpoint of endpoints) {
    const made = endpoint[keptAs] ?? make([endpoint]);
    if (made.length > 0) endpoint[keptAs] = made;
    for (const plan of made) plans.push(plan);
  }
}

function groupEndpoints(
  endpoints: readonly Endpoint[],
  keyOf: (endpoint: Endpoint) => string,
): Iterable<readonly Endpoint[]> {
  const groups = new Map<string, Endpoint[]>();
  for (const endpoint of endpoints) {
    const key = keyOf(endpoint);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [endpoint]);
    else group.push(endpoint);
  }
  return groups.values();
}
