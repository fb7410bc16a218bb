// `zones`: the zones that are served. A zone is filled by records, by services, by Kubernetes clusters, or by all of them.
import * as v from 'valibot';
import { MAX_TTL_SECONDS } from '../../dns/limits.ts';
import { formatName, parentOf } from '../../dns/name.ts';
import { TYPE, typeName } from '../../dns/types.ts';
import { type Path, type Reporter, shown } from '../../reading/problem.ts';
import { integer, list, mapping, text, ttlSeconds } from '../../reading/shape.ts';
import { type Soundness, soundItems } from '../../reading/validate.ts';
import type { SoaConfig, ZoneConfig } from '../config.ts';
import { hasType, type StaticRecords } from '../static-records.ts';
import type { ClusterNames } from './cluster-names.ts';
import { buildKubernetes, checkKubernetes, type KubernetesInput, kubernetesEntry } from './kubernetes.ts';
import {
  absoluteName,
  CLOUD_MAP_NAMES,
  domainName,
  EXTERNAL_NAMES,
  expandTemplate,
  isInZone,
  KUBERNETES_NAMES,
  nameMessage,
  nameTemplate,
  wireName,
  zoneName,
  zoneNameOf,
} from './names.ts';
import { clusterZonePolicy, policyEntries, zonePolicy } from './policy.ts';
import { recordSchema } from './records.ts';
import { buildService, checkService, serviceSchema } from './services.ts';
import { readZoneRecords, type ZoneRecords } from './zone-records.ts';

/** CoreDNS's default for Kubernetes names; health decides answers, so they must not be cached for long. */
const DEFAULT_TTL_SECONDS = 5;

const DEFAULT_SERVER = 'ns.dns';

const timer = (description: string) => integer(0, MAX_TTL_SECONDS, description);

const soaEntry = v.optional(
  mapping(
    {
      mname: v.optional(
        domainName('a primary name server', 'Primary name server, relative to the zone; default: ns.dns.'),
      ),
      rname: v.optional(
        domainName('a mailbox', 'Mailbox in the form of a name, relative to the zone; default: hostmaster.'),
      ),
      refreshSeconds: v.optional(timer('SOA REFRESH; default: 14400, with kubernetes 7200 (as CoreDNS).')),
      retrySeconds: v.optional(timer('SOA RETRY; default: 3600, with kubernetes 1800.')),
      expireSeconds: v.optional(timer('SOA EXPIRE; default: 604800, with kubernetes 86400.')),
      minimumSeconds: v.optional(timer("Negative TTL (RFC 2308); default: the zone's ttlSeconds.")),
    },
    "Fields of the zone's SOA record; healthdns maintains the serial.",
  ),
  {},
);

const zoneSchema = mapping(
  {
    name: zoneName(
      'a zone name such as production.local',
      'The domain name, or a network such as 10.0.0.0/8 for its reverse zone.',
    ),
    ttlSeconds: v.optional(ttlSeconds('Default TTL of the records.'), DEFAULT_TTL_SECONDS),
    soa: soaEntry,
    nameServers: v.optional(
      list(domainName('a name server', 'A name relative to the zone.'), "The zone's NS records; default: [ns.dns]."),
    ),
    names: v.optional(
      list(
        nameTemplate('A name relative to the zone.'),
        'Templates of service names; default: ["{service}"], with kubernetes ["{service}.{namespace}.svc"].',
      ),
    ),
    reverse: v.optional(
      list(
        zoneName('a reverse zone or network', 'A reverse zone.'),
        'Reverse zones that get PTR records for its addresses; default with kubernetes: in-addr.arpa and ip6.arpa.',
      ),
    ),
    ...policyEntries,
    file: v.optional(
      text('the path of a zone file', "A master file (RFC 1035) with the zone's records; relative to this file."),
    ),
    records: v.optional(list(recordSchema, 'Static records.'), []),
    services: v.optional(list(serviceSchema, 'Services with statically configured instances.'), []),
    kubernetes: kubernetesEntry,
  },
  'A zone.',
);

export const zonesEntry = v.optional(list(zoneSchema, 'The zones to serve.'), []);

export type ZoneInput = v.InferOutput<typeof zoneSchema>;

/**
 * Cross-checks of all zones, whose records are read; parts whose shape is wrong (not `soundness`) are left out. Resolves to the
 * records of each zone.
 */
export async function checkZones(
  zones: readonly ZoneInput[],
  folder: string,
  soundness: Soundness,
  reporter: Reporter,
): Promise<ReadonlyMap<ZoneInput, ZoneRecords>> {
  const records = new Map<ZoneInput, ZoneRecords>();
  const seen = new Map<string, number>();
  for (const [i, zone] of zones.entries()) {
    const path = ['zones', i];
    if (!soundness.isSound([...path, 'name']) || !soundness.isContainer(path)) continue;
    const name = zoneNameOf(zone.name);
    const first = seen.get(name);
    if (first !== undefined)
      reporter.problem([...path, 'name'], `duplicate zone ${name}: same as zones[${first}]; merge them`);
    else seen.set(name, i);
    records.set(zone, await readZoneRecords(zone, name, path, { folder, soundness, reporter }));
    await checkZone(zone, name, path, folder, soundness, reporter);
  }
  return records;
}

async function checkZone(
  zone: ZoneInput,
  name: string,
  path: Path,
  folder: string,
  soundness: Soundness,
  reporter: Reporter,
) {
  const sources = soundItems(
    zone.kubernetes === undefined ? [] : [zone.kubernetes].flat(),
    [...path, 'kubernetes'],
    soundness,
  );
  checkApex(zone, name, path, soundness, reporter);
  const names = soundness.isSound([...path, 'names']) ? namesOf(zone) : CLOUD_MAP_NAMES;
  checkTemplates(zone, path, soundness, reporter);
  checkServices(
    zone,
    path,
    soundness,
    (service, at) => checkService(service, at, { zone: name, names, soundness, reporter }),
    reporter,
  );
  const kubernetesPath = (at: Path) => (Array.isArray(zone.kubernetes) ? at : at.slice(0, -1));
  await checkKubernetes(
    sources.map(({ item, path }) => ({ source: item as KubernetesInput, path: kubernetesPath(path) })),
    folder,
    reporter,
  );
}

/** SOA and NS names must fit behind the zone's own. */
function checkApex(zone: ZoneInput, name: string, path: Path, soundness: Soundness, reporter: Reporter): void {
  const candidates: [Path, string | undefined][] = [
    [[...path, 'soa', 'mname'], soundness.isSound([...path, 'soa']) ? zone.soa.mname : undefined],
    [[...path, 'soa', 'rname'], soundness.isSound([...path, 'soa']) ? zone.soa.rname : undefined],
    ...soundItems(zone.nameServers ?? [], [...path, 'nameServers'], soundness).map(({ item, path }): [Path, string] => [
      path,
      item,
    ]),
  ];
  for (const [at, value] of candidates) {
    try {
      if (value !== undefined) absoluteName(value, name);
    } catch (error) {
      reporter.problem(at, nameMessage(error));
    }
  }
  if (zone.nameServers?.length === 0)
    reporter.problem([...path, 'nameServers'], '`nameServers`: expected at least one name');
}

function checkTemplates(zone: ZoneInput, path: Path, soundness: Soundness, reporter: Reporter): void {
  const at = [...path, 'names'];
  if (zone.names === undefined || !soundness.isSound(at)) return;
  if (zone.names.length === 0) reporter.problem(at, '`names`: expected at least one name template');
  for (const [i, template] of zone.names.entries()) {
    if (!template.includes('{service}'))
      reporter.problem(
        [...at, i],
        `"${shown(template)}" gives every service of the zone one name: expected {service} in it`,
      );
    else if (zone.kubernetes !== undefined && !template.includes('{namespace}'))
      reporter.warning(
        [...at, i],
        `"${shown(template)}" gives services of different namespaces one name: the older service keeps it`,
      );
  }
}

function checkServices(
  zone: ZoneInput,
  path: Path,
  soundness: Soundness,
  check: (service: ZoneInput['services'][number], at: Path) => void,
  reporter: Reporter,
): void {
  const seen = new Map<string, number>();
  for (const [i, service] of (soundness.isContainer([...path, 'services']) ? zone.services : []).entries()) {
    const at = [...path, 'services', i];
    if (!soundness.isContainer(at)) continue;
    if (soundness.isSound([...at, 'name']) && soundness.isSound([...at, 'namespace'])) {
      const key = `${service.namespace}/${service.name}`.toLowerCase();
      const first = seen.get(key);
      if (first === undefined) seen.set(key, i);
      else
        reporter.problem(
          [...at, 'name'],
          `duplicate service \`${shown(service.name)}\` in namespace ${shown(service.namespace)}: same as services[${first}]; add its instances there`,
        );
    }
    check(service, at);
  }
}

/** External addresses belong to others, who have their reverse zones. */
function reverseOf(zone: ZoneInput): readonly string[] | undefined {
  const isExternal = zone.kubernetes !== undefined && areExternal(zone.kubernetes);
  return zone.reverse?.map(zoneNameOf) ?? (isExternal ? [] : undefined);
}

const areExternal = (clusters: NonNullable<ZoneInput['kubernetes']>): boolean =>
  [clusters].flat().every((cluster) => cluster?.externalAddresses === true);

function namesOf(zone: ZoneInput): readonly string[] {
  if (zone.names !== undefined) return zone.names;
  if (zone.kubernetes === undefined) return CLOUD_MAP_NAMES;
  return areExternal(zone.kubernetes) ? EXTERNAL_NAMES : KUBERNETES_NAMES;
}

/** Warnings for a zone without problems: names that are not answered as they are written. */
export function warnOfNames(zone: ZoneConfig, path: Path, reporter: Reporter): void {
  warnOfServersWithoutAddress(zone, [...path, 'nameServers'], reporter);
  warnOfSharedNames(zone, path, reporter);
}

function warnOfServersWithoutAddress({ name: zone, nameServers, records }: ZoneConfig, path: Path, reporter: Reporter) {
  if (hasType(records.find(wireName(zone)), TYPE.NS)) return;
  for (const [i, server] of nameServers.entries()) {
    const isAddressed = hasType(records.find(wireName(server)), TYPE.A, TYPE.AAAA);
    if (!isInZone(server, zone) || isAddressed || server === absoluteName(DEFAULT_SERVER, zone)) continue;
    const cut = cutAbove(server, zone, records);
    reporter.warning(
      [...path, i],
      `the name server ${server} has no A or AAAA record${
        cut === undefined
          ? ': it is answered with the addresses that healthdns listens on; add a record with the address that clients reach it at'
          : `, and none is generated, because ${cut} is delegated`
      }`,
    );
  }
}

/** The delegation that a name is in. */
function cutAbove(name: string, zone: string, records: StaticRecords): string | undefined {
  for (let above = wireName(name); above.length > wireName(zone).length; above = parentOf(above)!)
    if (hasType(records.find(above), TYPE.NS)) return formatName(above);
  return undefined;
}

/** Static names that two services of a zone claim, or a service and a record: one of them is not answered. */
function warnOfSharedNames(zone: ZoneConfig, path: Path, reporter: Reporter): void {
  const owners = new Map<string, string>();
  for (const [i, service] of zone.services.entries()) {
    for (const template of service.names) {
      const name = expandTemplate(template, service.name, service.namespace, zone.name);
      const record = zone.records.find(wireName(name))?.rrsets[0];
      const owner = record === undefined ? owners.get(name) : `a ${typeName(record.type)} record`;
      if (owner !== undefined)
        reporter.warning(
          [...path, 'services', i, 'name'],
          `service \`${service.name}\` is not answered at ${name}: ${owner} has that name`,
        );
      else owners.set(name, `service \`${service.name}\` of namespace ${service.namespace}`);
    }
  }
}

/** Zones without problems, all defaults filled in. `folder` is what paths are relative to. */
export function buildZones(
  zones: readonly ZoneInput[],
  records: ReadonlyMap<ZoneInput, ZoneRecords>,
  folder: string,
  clusters: ClusterNames,
): ZoneConfig[] {
  return zones.map((zone) => buildZone(zone, records.get(zone)!, folder, clusters));
}

function buildZone(zone: ZoneInput, { records }: ZoneRecords, folder: string, clusters: ClusterNames): ZoneConfig {
  const name = zoneNameOf(zone.name);
  const policy = zone.kubernetes === undefined ? zonePolicy(zone) : clusterZonePolicy(zone);
  const defaults = { names: namesOf(zone), ttlSeconds: zone.ttlSeconds, policy };
  const nameServers = (zone.nameServers ?? [DEFAULT_SERVER]).map((server) => absoluteName(server, name));
  const kubernetes = zone.kubernetes === undefined ? [] : [zone.kubernetes].flat();
  return {
    name,
    soa: buildSoa(zone, name, nameServers[0]),
    nameServers,
    ...defaults,
    records,
    services: zone.services.map((service) => buildService(service, defaults)),
    kubernetes: kubernetes.map((source, rank) =>
      buildKubernetes(source, folder, { name, ttlSeconds: zone.ttlSeconds, rank }, clusters),
    ),
    reverse: reverseOf(zone),
  };
}

/** The lowest timers that Zonemaster accepts without a warning. */
const TIMERS = { refreshSeconds: 14_400, retrySeconds: 3600, expireSeconds: 604_800 };
const COREDNS_TIMERS = { refreshSeconds: 7200, retrySeconds: 1800, expireSeconds: 86_400 };

/** The negative TTL follows the zone's, so that a new name is not missed for longer. */
function buildSoa({ soa, ttlSeconds, kubernetes }: ZoneInput, zone: string, firstServer: string): SoaConfig {
  const timers = kubernetes === undefined ? TIMERS : COREDNS_TIMERS;
  return {
    mname: soa.mname === undefined ? firstServer : absoluteName(soa.mname, zone),
    rname: absoluteName(soa.rname ?? 'hostmaster', zone),
    refreshSeconds: soa.refreshSeconds ?? timers.refreshSeconds,
    retrySeconds: soa.retrySeconds ?? timers.retrySeconds,
    expireSeconds: soa.expireSeconds ?? timers.expireSeconds,
    minimumSeconds: soa.minimumSeconds ?? ttlSeconds,
  };
}
