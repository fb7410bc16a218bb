// A zone's own names: its static records, wildcards included, its apex, and in a cluster's zone the names that the Kubernetes
// DNS specification gives it.
import type { ZoneConfig } from '../../config/config.ts';
import { hasType, type StaticRecords } from '../../config/static-records.ts';
import { parseIp } from '../../dns/ip.ts';
import { isSubdomain, parentOf, parseName, type WireName } from '../../dns/name.ts';
import { soaRdata, srvRdata, txtRdata } from '../../dns/rdata/values.ts';
import { TYPE } from '../../dns/types.ts';
import type { NameRecords } from '../../plane/records.ts';
import { always, answersAlways, draftOf, type NameDraft, rrsetOf } from './published-name.ts';

/** Specification 2.2, and the TTL that CoreDNS gives it; of zones of a cluster set, multi-cluster specification 2.2. */
const DNS_VERSION = '1.1.0';
const CLUSTER_SET_DNS_VERSION = '1.0.0';
const DNS_VERSION_TTL_SECONDS = 28_800;

/** What `zone` has besides its services and where its static records have nothing, without its SOA. */
export function generatedNames(zone: ZoneConfig, nameServerAddresses: readonly string[]): readonly NameRecords[] {
  const drafts = new Drafts();
  const apex = parseName(zone.name);
  addNameServers(drafts, zone, apex, nameServerAddresses);
  addPushServer(drafts, zone, apex);
  if (zone.kubernetes.length > 0) addClusterNames(drafts, zone, apex);
  return drafts.all();
}

/** Drafts by name: the same one for equal names. */
class Drafts {
  private readonly byName = new Map<string, NameDraft>();

  at(name: WireName): NameDraft {
    const key = Buffer.from(name).toString('latin1');
    const draft = this.byName.get(key) ?? draftOf(name);
    this.byName.set(key, draft);
    return draft;
  }

  all(): NameDraft[] {
    return [...this.byName.values()];
  }
}

/** `addresses`: the addresses of this server. */
function addNameServers(drafts: Drafts, zone: ZoneConfig, name: WireName, addresses: readonly string[]): void {
  const apex = drafts.at(name);
  if (hasType(zone.records.find(name), TYPE.NS)) return;
  for (const server of zone.nameServers) {
    const target = parseName(server);
    rrsetOf(apex, TYPE.NS, answersAlways(zone.ttlSeconds)).records.push(always(target));
    if (isOurs(target, name, zone.records)) addServerAddresses(drafts.at(target), addresses, zone.ttlSeconds);
  }
}

/** RFC 8765 section 6.1: where clients subscribe to what the zone has. */
function addPushServer(drafts: Drafts, { push, nameServers, records, ttlSeconds }: ZoneConfig, apex: WireName): void {
  const target = push?.name ?? nameServers[0];
  const name = parseName('_dns-push-tls._tcp', apex);
  if (push === undefined || target === undefined || records.find(name) !== undefined) return;
  const rdata = srvRdata(0, 0, push.port, parseName(target));
  rrsetOf(drafts.at(name), TYPE.SRV, answersAlways(ttlSeconds)).records.push(always(rdata));
}

/** Below a delegation its own zone has the address; and a name with static records has only these. */
function isOurs(server: WireName, zone: WireName, records: StaticRecords): boolean {
  if (!isSubdomain(server, zone) || records.find(server) !== undefined) return false;
  for (let above = server; above.length > zone.length; above = parentOf(above)!)
    if (hasType(records.find(above), TYPE.NS)) return false;
  return true;
}

function addServerAddresses(server: NameDraft, addresses: readonly string[], ttlSeconds: number): void {
  if (server.rrsets.length > 0) return;
  for (const address of addresses) {
    const rdata = parseIp(address);
    if (rdata === undefined) continue;
    const type = rdata.length === 4 ? TYPE.A : TYPE.AAAA;
    rrsetOf(server, type, answersAlways(ttlSeconds)).records.push(always(rdata));
  }
}

/** "svc" and "pod" exist in every cluster, even an empty one (CoreDNS answers NODATA too). */
function addClusterNames(drafts: Drafts, { kubernetes, records }: ZoneConfig, zone: WireName): void {
  if (kubernetes.every(({ externalAddresses }) => externalAddresses)) return;
  drafts.at(parseName('svc', zone));
  drafts.at(parseName('pod', zone));
  const name = parseName('dns-version', zone);
  if (hasType(records.find(name), TYPE.TXT)) return;
  const isClusterSet = kubernetes.every(({ multicluster }) => multicluster);
  const version = rrsetOf(drafts.at(name), TYPE.TXT, answersAlways(DNS_VERSION_TTL_SECONDS));
  version.records.push(always(txtRdata(isClusterSet ? CLUSTER_SET_DNS_VERSION : DNS_VERSION)));
}

/** The apex of a zone: with the SOA record that the zone generates, unless it has one of its own. */
export function withSoa(apex: NameRecords, { soa, ttlSeconds, records }: ZoneConfig, serial: number): NameRecords {
  if (hasType(records.find(apex.name), TYPE.SOA)) return apex;
  const rdata = soaRdata({ ...soa, mname: parseName(soa.mname), rname: parseName(soa.rname), serial });
  const generated = { ...answersAlways(ttlSeconds), type: TYPE.SOA, records: [always(rdata)] };
  return { ...apex, rrsets: [generated, ...apex.rrsets] };
}
