// A service with cluster IPs: its name answers them whatever the health of what is behind (specification 2.3).
import { parseIp } from '../../dns/ip.ts';
import type { WireName } from '../../dns/name.ts';
import { srvRdata } from '../../dns/rdata/values.ts';
import { TYPE } from '../../dns/types.ts';
import type { ServicePort } from '../../registry/model.ts';
import type { Compilation } from './compile.ts';
import { always, answersAlways, type NameDraft, rrsetOf } from './draft.ts';
import { PLAN, plan } from './plan.ts';
import { portName, srvWeight } from './srv.ts';

export function clusterIpNames(compilation: Compilation): void {
  const { service, bases, plans, context } = compilation;
  const addresses = clusterAddresses(compilation);
  const named = new Map<string, ServicePort[]>();
  for (const port of addresses.length === 0 ? [] : service.ports) {
    const key = `${port.protocol}/${port.name.toLowerCase()}`;
    if (port.name !== '') named.set(key, [...(named.get(key) ?? []), port]);
  }
  bases.forEach((base, i) => {
    plans.push(
      plan(PLAN.BASE, compilation.fingerprint, '', [], {
        base: i,
        isBase: true,
        name: () => base,
        fill(draft) {
          fillAddresses(draft, addresses, service.ttlSeconds);
          // As CoreDNS, SRV at the service's own name lists every port, those without a name too.
          fillPorts(draft, base, service.ports, addresses.length, service.ttlSeconds);
        },
      }),
    );
    for (const [key, ports] of named) {
      const name = portName(ports[0], base, context.leftOut);
      if (name === undefined) continue;
      plans.push(
        plan(PLAN.PORT, compilation.fingerprint, key, [], {
          base: i,
          isBase: false,
          name: () => name,
          fill: (draft) => fillPorts(draft, base, ports, addresses.length, service.ttlSeconds),
        }),
      );
    }
  });
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

function fillAddresses(draft: NameDraft, addresses: readonly Uint8Array[], ttlSeconds: number): void {
  for (const rdata of addresses) {
    const type = rdata.length === 4 ? TYPE.A : TYPE.AAAA;
    rrsetOf(draft, type, answersAlways(ttlSeconds)).records.push(always(rdata));
  }
}

/** CoreDNS shares 100 among ports and addresses alike, so the one port of a dual-stack service weighs 50. */
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
