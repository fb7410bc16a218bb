// A zone's own names: the records of the configuration, wildcards included, its apex, and in a cluster's zone the names that
// the Kubernetes DNS specification gives it.
import type { ZoneConfig } from '../../config/config.ts';
import { parseIp } from '../../dns/ip.ts';
import { isSubdomain, NameError, parseName, type WireName } from '../../dns/name.ts';
import { composeRdata, RdataError } from '../../dns/rdata/rdata.ts';
import { soaRdata, txtRdata } from '../../dns/rdata/values.ts';
import { parseType, TYPE } from '../../dns/types.ts';
import type { NameRecords } from '../../plane/records.ts';
import { always, answersAlways, draftOf, type NameDraft, rrsetOf } from './published-name.ts';

/** Specification 2.2, and the TTL that CoreDNS gives it; of zones of a cluster set, multi-cluster specification 2.2. */
const DNS_VERSION = '1.1.0';
const CLUSTER_SET_DNS_VERSION = '1.0.0';
const DNS_VERSION_TTL_SECONDS = 28_800;

/**
 * Everything in `zone` that does not come from services, its SOA aside unless the configuration has one. The configuration
 * has been checked, so what is left out here was put together by a program; it is reported to `leftOut` and never thrown.
 */
export function zoneNames(
  zone: ZoneConfig,
  nameServerAddresses: readonly string[],
  leftOut: (problem: string) => void,
): readonly NameRecords[] {
  const drafts = new Drafts();
  const apex = parseName(zone.name);
  for (const { name: text, type: mnemonic, value, ttlSeconds } of zone.records) {
    try {
      const name = parseName(text);
      const type = parseType(mnemonic);
      if (type === undefined) throw new RdataError(`"${mnemonic}" is not a record type`);
      if (!isSubdomain(name, apex)) throw new NameError(`${text} is not in the zone ${zone.name}`);
      const rrset = rrsetOf(drafts.at(name), type, answersAlways(ttlSeconds));
      rrset.records.push(always(composeRdata(type, value)));
    } catch (error) {
      if (!(error instanceof NameError || error instanceof RdataError)) throw error;
      leftOut(`record ${text} ${mnemonic}: ${error.message}`);
    }
  }
  addNameServers(drafts, zone, apex, nameServerAddresses);
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

/** `addresses`: where this server is reached. */
function addNameServers(drafts: Drafts, zone: ZoneConfig, name: WireName, addresses: readonly string[]): void {
  const apex = drafts.at(name);
  if (apex.rrsets.some(({ type }) => type === TYPE.NS)) return;
  const cuts = drafts.all().filter(({ rrsets }) => rrsets.some(({ type }) => type === TYPE.NS));
  for (const server of zone.nameServers) {
    const target = parseName(server);
    rrsetOf(apex, TYPE.NS, answersAlways(zone.ttlSeconds)).records.push(always(target));
    // Below a delegation its own zone has the address.
    const isOurs = isSubdomain(target, name) && !cuts.some((cut) => isSubdomain(target, cut.name));
    if (isOurs) addServerAddresses(drafts.at(target), addresses, zone.ttlSeconds);
  }
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

/** "svc" and "pod" exist in every cluster, whatever is in it (CoreDNS answers NODATA there as well). */
function addClusterNames(drafts: Drafts, { kubernetes }: ZoneConfig, zone: WireName): void {
  drafts.at(parseName('svc', zone));
  drafts.at(parseName('pod', zone));
  const isClusterSet = kubernetes.every(({ multicluster }) => multicluster);
  const version = rrsetOf(drafts.at(parseName('dns-version', zone)), TYPE.TXT, answersAlways(DNS_VERSION_TTL_SECONDS));
  if (version.records.length > 0) return;
  version.records.push(always(txtRdata(isClusterSet ? CLUSTER_SET_DNS_VERSION : DNS_VERSION)));
}

/** The apex of a zone: with the SOA record that the zone generates, unless it has one of its own. */
export function withSoa(apex: NameRecords, { soa, ttlSeconds }: ZoneConfig, serial: number): NameRecords {
  if (apex.rrsets.some(({ type }) => type === TYPE.SOA)) return apex;
  const rdata = soaRdata({ ...soa, mname: parseName(soa.mname), rname: parseName(soa.rname), serial });
  const generated = { ...answersAlways(ttlSeconds), type: TYPE.SOA, records: [always(rdata)] };
  return { ...apex, rrsets: [generated, ...apex.rrsets] };
}
