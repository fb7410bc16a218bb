// SRV records of instances. Kubernetes (specification 2.4.2): `_port._proto.<service>`, priority 0, and what CoreDNS adds:
// every port at the service's and at each endpoint's own name. Cloud Map: at the service's name, "1 <weight> <port>
// <instance>.<service>.<namespace>".
import type { WireName } from '../../dns/name.ts';
import { srvRdata } from '../../dns/rdata/values.ts';
import { TYPE } from '../../dns/types.ts';
import type { ResourceRecord } from '../../plane/records.ts';
import type { Service, ServicePort } from '../../registry/model.ts';
import { isOfKubernetes } from './compilation.ts';
import type { Endpoint } from './endpoint.ts';
import { childName, fitsBelow, isLabel } from './label.ts';
import { type Answering, type NameDraft, rrsetOf } from './published-name.ts';

const CLOUD_MAP_PRIORITY = 1;

/** A port of an endpoint: one SRV record. */
export interface SrvMember {
  readonly endpoint: Endpoint;
  readonly port: number;
}

export interface PortGroup {
  readonly port: ServicePort;
  readonly members: readonly SrvMember[];
}

/** Adds the SRV records of all ports of these endpoints. */
export function addSrvOf(
  draft: NameDraft,
  service: Service,
  base: WireName,
  endpoints: readonly Endpoint[],
  answering: Answering,
): void {
  let all = 0;
  for (const { ports } of endpoints) all += ports.length;
  if (all === 0) return;
  const { records } = rrsetOf(draft, TYPE.SRV, answering);
  const isKubernetes = isOfKubernetes(service);
  for (const endpoint of endpoints)
    for (const { port } of endpoint.ports) pushSrv(records, isKubernetes, base, endpoint, port, all);
}

/** One record for each member, except those whose names are too long. `all`: how many the RRset has. */
export function srvRecords(
  service: Service,
  base: WireName,
  members: readonly SrvMember[],
  all = members.length,
): ResourceRecord[] {
  const isKubernetes = isOfKubernetes(service);
  const records: ResourceRecord[] = [];
  for (const { endpoint, port } of members) pushSrv(records, isKubernetes, base, endpoint, port, all);
  return records;
}

function pushSrv(
  records: ResourceRecord[],
  isKubernetes: boolean,
  base: WireName,
  { label, state, instanceSlot: slot, weight }: Endpoint,
  port: number,
  all: number,
): void {
  if (!fitsBelow(label, base)) return;
  const priority = isKubernetes ? 0 : CLOUD_MAP_PRIORITY;
  const share = isKubernetes ? srvWeight(all) : Math.min(0xffff, Math.max(0, Math.round(state.ownWeight)));
  records.push({ rdata: srvRdata(priority, share, port, base, label), slot, weight });
}

/** Ports of one key have one SRV name. */
export const portKey = ({ protocol, name }: ServicePort): string => `${protocol}/${name.toLowerCase()}`;

/** The endpoints of each named port. */
export function portGroups(endpoints: readonly Endpoint[]): PortGroup[] {
  const groups = new Map<string, PortGroup & { members: SrvMember[] }>();
  // Endpoints of one slice share their ports.
  let last: (PortGroup & { members: SrvMember[] }) | undefined;
  for (const endpoint of endpoints) {
    for (const port of endpoint.ports) {
      if (port.name === '') continue;
      if (last?.port !== port) {
        const key = portKey(port);
        last = groups.get(key) ?? { port, members: [] };
        groups.set(key, last);
      }
      last.members.push({ endpoint, port: port.port });
    }
  }
  return [...groups.values()];
}

/** CoreDNS: 100 shared equally, and never below 1, for 0 means "never, while there is another" (RFC 2782). */
export function srvWeight(records: number): number {
  return Math.max(1, Math.floor(100 / records));
}

/** `_port._proto.<service>`; undefined for a port without a name, which has no SRV name, or with an odd one. */
export function portName(port: ServicePort, base: WireName, leftOut: (problem: string) => void): WireName | undefined {
  if (port.name === '') return undefined;
  const [name, protocol] = [`_${port.name}`, `_${port.protocol}`];
  if (isLabel(name) && fitsBelow(`${name}.${protocol}`, base)) return childName(name, childName(protocol, base));
  leftOut(`port "${port.name.slice(0, 80)}": it cannot be part of an SRV name`);
  return undefined;
}
