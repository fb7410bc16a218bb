// A service with cluster IPs: its name answers them whatever the health of what is behind (specification 2.3).
import { parseIp } from '../dns/ip.ts';
import { srvRdata } from '../dns/rdata/values.ts';
import { TYPE } from '../dns/types.ts';
import type { Compilation } from './compile.ts';
import { always, answersAlways, rrsetOf } from './draft.ts';
import { portName, srvWeight } from './srv.ts';

export function clusterIpNames({ service, bases, drafts, context }: Compilation): void {
  const answering = answersAlways(service.ttlSeconds);
  const addresses = [];
  for (const text of service.clusterIps ?? []) {
    const address = parseIp(text);
    if (address === undefined) context.leftOut(`the cluster IP "${text.slice(0, 60)}" is not an IP address`);
    else addresses.push(address);
  }
  for (const base of bases) {
    const draft = drafts.at(base);
    for (const rdata of addresses) {
      rrsetOf(draft, rdata.length === 4 ? TYPE.A : TYPE.AAAA, answering).records.push(always(rdata));
    }
    if (addresses.length === 0) continue;
    // As CoreDNS, SRV at the service's own name lists every port, those without a name too.
    for (const port of service.ports) {
      const atBase = srvRdata(0, srvWeight(service.ports.length * addresses.length), port.port, base);
      rrsetOf(draft, TYPE.SRV, answering).records.push(always(atBase));
      const name = portName(port, base, context.leftOut);
      if (name === undefined) continue;
      // CoreDNS shares 100 among ports and addresses alike, so a dual-stack port weighs 50.
      const rdata = srvRdata(0, srvWeight(addresses.length), port.port, base);
      rrsetOf(drafts.at(name), TYPE.SRV, answering).records.push(always(rdata));
    }
  }
}
