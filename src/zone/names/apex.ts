// What every zone has of itself: SOA and NS at the apex, the addresses of its name servers, and in a cluster's zone the
// names that the Kubernetes DNS specification gives it.
import type { ZoneConfig } from '../../config/config.ts';
import { parseIp } from '../../dns/ip.ts';
import { isSubdomain, parseName, type WireName } from '../../dns/name.ts';
import { soaRdata, txtRdata } from '../../dns/rdata/values.ts';
import { TYPE } from '../../dns/types.ts';
import { always, answersAlways, type NameDraft, rrsetOf } from './draft.ts';
import type { Drafts } from './drafts.ts';

/** Specification 2.2, and the TTL that CoreDNS gives it; of zones of a cluster set, multi-cluster specification 2.2. */
const DNS_VERSION = '1.1.0';
const CLUSTER_SET_DNS_VERSION = '1.0.0';
const DNS_VERSION_TTL_SECONDS = 28_800;

/**
 * Adds what the static records have not said themselves; the SOA has the serial 0 until it is sent. `nameServerAddresses`:
 * where this server is reached.
 */
export function addApex(drafts: Drafts, zone: ZoneConfig, nameServerAddresses: readonly string[]): void {
  const name = parseName(zone.name);
  const apex = drafts.at(name);
  const answering = answersAlways(zone.ttlSeconds);
  if (!hasType(apex, TYPE.SOA)) {
    rrsetOf(apex, TYPE.SOA, answering).records.push(always(soaOf(zone, 0)));
  }
  if (!hasType(apex, TYPE.NS)) {
    for (const server of zone.nameServers) {
      const target = parseName(server);
      rrsetOf(apex, TYPE.NS, answering).records.push(always(target));
      if (isSubdomain(target, name)) addServerAddresses(drafts.at(target), nameServerAddresses, zone.ttlSeconds);
    }
  }
  if (zone.kubernetes.length === 0) return;
  const isClusterSet = zone.kubernetes.every(({ multicluster }) => multicluster);
  addClusterNames(drafts, name, isClusterSet ? CLUSTER_SET_DNS_VERSION : DNS_VERSION);
}

/** Rdata of a zone's SOA record. */
export const soaOf = ({ soa }: ZoneConfig, serial: number): Uint8Array =>
  soaRdata({ ...soa, mname: parseName(soa.mname), rname: parseName(soa.rname), serial });

function addServerAddresses(server: NameDraft, addresses: readonly string[], ttlSeconds: number): void {
  if (server.rrsets.length > 0) return;
  for (const address of addresses) {
    const rdata = parseIp(address);
    if (rdata === undefined) continue;
    const type = rdata.length === 4 ? TYPE.A : TYPE.AAAA;
    rrsetOf(server, type, answersAlways(ttlSeconds)).records.push(always(rdata));
  }
}

/** "svc" and "pod" exist in every cluster, whatever is in it (CoreDNS answers NODATA there as well). */
function addClusterNames(drafts: Drafts, zone: WireName, dnsVersion: string): void {
  drafts.at(parseName('svc', zone));
  drafts.at(parseName('pod', zone));
  const version = rrsetOf(drafts.at(parseName('dns-version', zone)), TYPE.TXT, answersAlways(DNS_VERSION_TTL_SECONDS));
  if (version.records.length === 0) version.records.push(always(txtRdata(dnsVersion)));
}

function hasType(draft: NameDraft, type: number): boolean {
  return draft.rrsets.some((rrset) => rrset.type === type);
}
