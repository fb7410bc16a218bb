// SRV records of instances. Kubernetes (specification 2.4.2): `_port._proto.<service>`, priority 0, and what CoreDNS adds:
// every port at the service's and at each endpoint's own name. Cloud Map: at the service's name, "1 <weight> <port>
// <instance>.<service>.<namespace>".
import type { WireName } from '../dns/name.ts';
import { srvRdata } from '../dns/rdata/values.ts';
import { TYPE } from '../dns/types.ts';
import type { ServicePort } from '../registry/model.ts';
import type { Compilation } from './compile.ts';
import { isOfKubernetes, publishes } from './conventions.ts';
import { type Answering, answersAsService, type NameDraft, rrsetOf } from './draft.ts';
import type { Endpoint } from './endpoint.ts';
import { childName, isLabel } from './label.ts';

const CLOUD_MAP_PRIORITY = 1;

export function srvNames(compilation: Compilation, endpoints: readonly Endpoint[]): void {
  const { service, bases, drafts, context } = compilation;
  if (!publishes(service, 'SRV')) return;
  const answering = answersAsService(service.policy, service.ttlSeconds);
  const totals = countByPort(endpoints);
  for (const base of bases) {
    const portNames = new Map<string, WireName | undefined>();
    for (const endpoint of endpoints) {
      const target = childName(endpoint.label, base);
      if (target === undefined) continue;
      const weightFor = (total: number) => weightOf(endpoint, isOfKubernetes(service), total);
      const priority = isOfKubernetes(service) ? 0 : CLOUD_MAP_PRIORITY;
      const add = (name: WireName, port: number, total: number) => {
        const rdata = srvRdata(priority, weightFor(total), port, target);
        rrsetOf(drafts.at(name), TYPE.SRV, answering).records.push({
          rdata,
          slot: endpoint.instanceSlot,
          weight: endpoint.weight,
        });
      };
      for (const port of endpoint.ports) {
        add(base, port.port, totals.all);
        const key = portKey(port);
        if (!portNames.has(key)) portNames.set(key, portName(port, base, context.leftOut));
        const name = portNames.get(key);
        if (name !== undefined) add(name, port.port, totals.byPort.get(key) ?? 1);
      }
    }
  }
}

/** SRV at the name of one endpoint: its ports, with itself as the target. */
export function instanceSrv(draft: NameDraft, endpoint: Endpoint, answering: Answering): void {
  for (const { port } of endpoint.ports) {
    const rdata = srvRdata(0, srvWeight(endpoint.ports.length), port, draft.name);
    rrsetOf(draft, TYPE.SRV, answering).records.push({ rdata, slot: endpoint.instanceSlot, weight: 1 });
  }
}

/** CoreDNS: 100 shared equally, and never below 1, for 0 means "never, while there is another" (RFC 2782). */
export function srvWeight(records: number): number {
  return Math.max(1, Math.floor(100 / records));
}

/** `_port._proto.<service>`; undefined for a port without a name, which has no SRV name, or with an odd one. */
export function portName(port: ServicePort, base: WireName, leftOut: (problem: string) => void): WireName | undefined {
  if (port.name === '') return undefined;
  const protocol = childName(`_${port.protocol}`, base);
  const name = isLabel(`_${port.name}`) && protocol ? childName(`_${port.name}`, protocol) : undefined;
  if (name === undefined) leftOut(`port "${port.name.slice(0, 80)}": no SRV name can be made of it`);
  return name;
}

const portKey = (port: ServicePort): string => `${port.protocol}/${port.name}`;

function weightOf(endpoint: Endpoint, kubernetes: boolean, total: number): number {
  if (kubernetes) return srvWeight(total);
  return Math.min(0xffff, Math.max(0, Math.round(endpoint.instance.weight)));
}

function countByPort(endpoints: readonly Endpoint[]): { all: number; byPort: ReadonlyMap<string, number> } {
  const byPort = new Map<string, number>();
  let all = 0;
  for (const { ports } of endpoints) {
    for (const port of ports) {
      const key = portKey(port);
      all++;
      byPort.set(key, (byPort.get(key) ?? 0) + 1);
    }
  }
  return { all, byPort };
}
