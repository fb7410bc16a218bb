// A service with cluster IPs: its name resolves to them regardless of the health of its instances (specification 2.3).
import { parseIp } from '../../dns/ip.ts';
import type { WireName } from '../../dns/name.ts';
import { srvRdata } from '../../dns/rdata/values.ts';
import { TYPE } from '../../dns/types.ts';
import type { ServicePort } from '../../registry/model.ts';
import type { Compilation } from './compilation.ts';
import { always, answersAlways, draftOf, type NameDraft, published, rrsetOf } from './published-name.ts';
import { portKey, portName, srvWeight } from './srv.ts';

export function clusterIpNames(compilation: Compilation): void {
  const { service, bases, names, context } = compilation;
  const { ttlSeconds } = service;
  const addresses = clusterAddresses(compilation);
  const named = addresses.length === 0 ? [] : portsByName(service.ports);
  bases.forEach((base, below) => {
    const draft = draftOf(base);
    for (const rdata of addresses) {
      const type = rdata.length === 4 ? TYPE.A : TYPE.AAAA;
      rrsetOf(draft, type, answersAlways(ttlSeconds)).records.push(always(rdata));
    }
    // As CoreDNS, SRV at the service's own name lists every port, also those without a name.
    fillPorts(draft, base, service.ports, addresses.length, ttlSeconds);
    names.push(published(draft));
    for (const ports of named) {
      const name = portName(ports[0], base, context.leftOut);
      if (name === undefined) continue;
      const portDraft = draftOf(name);
      fillPorts(portDraft, base, ports, addresses.length, ttlSeconds);
      names.push(published(portDraft, below));
    }
  });
}

/** Those that have names, together where they have the same. */
function portsByName(ports: readonly ServicePort[]): Iterable<readonly ServicePort[]> {
  const named = ports.filter(({ name }) => name !== '');
  if (named.length < 2) return named.length === 0 ? [] : [named];
  const byKey = new Map<string, ServicePort[]>();
  for (const port of named) byKey.set(portKey(port), [...(byKey.get(portKey(port)) ?? []), port]);
  return byKey.values();
}

function clusterAddresses({ service, context }: Compilation): Uint8Array[] {
  const addresses: Uint8Array[] = [];
  for (const text of service.clusterIps ?? []) {
    const address = parseIp(text);
    if (address === undefined) context.leftOut(`the cluster IP "${text.slice(0, 60)}" is not an IP address`);
    else addresses.push(address);
  }
  return addresses;
}

/** CoreDNS divides 100 among ports and addresses, so the only port of a dual-stack service has weight 50. */
function fillPorts(
  draft: NameDraft,
  target: WireName,
  ports: readonly ServicePort[],
  addresses: number,
  ttlSeconds: number,
): void {
  if (addresses === 0) return;
  for (const { port } of ports) {
    const rdata = srvRdata(0, srvWeight(ports.length * addresses), port, target);
    rrsetOf(draft, TYPE.SRV, answersAlways(ttlSeconds)).records.push(always(rdata));
  }
}
