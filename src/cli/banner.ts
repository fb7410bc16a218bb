// The output of `serve` for the person who starts it.
import { join, relative } from 'node:path';
import type { AdminConfig, Config } from '../config/config.ts';
import { otherNames, viewLines, zoneContents } from '../config/loading/check.ts';
import { formatListenAddress } from '../config/sections/listen.ts';
import { NameError } from '../dns/name.ts';
import type { ServiceOverview } from '../http/overview.ts';
import type { Running } from '../main.ts';
import { VERSION } from '../version.ts';
import { printable } from './printable.ts';

/** At most one screenful; the status page lists everything. */
const SERVICES_SHOWN = 12;

export function describeServing(
  file: string,
  config: Config,
  { listening, http, admin }: Pick<Running, 'listening' | 'http' | 'admin'>,
): string[] {
  const addresses = [...new Set(listening.map(formatListenAddress))];
  const modes = [...new Set(listening.filter(({ transport }) => transport === 'udp').map(({ mode }) => mode))];
  return [
    `healthdns ${VERSION} serves ${file}`,
    `  DNS   ${addresses.join(', ')} (UDP${modes.length === 0 ? '' : ` ${modes.join('/')}`} and TCP)`,
    ...http.map((one) => `  HTTP  http://${formatListenAddress(one)}`),
    ...(admin === undefined || http.includes(admin) ? [] : [`  admin ${urlOf(admin)}`]),
    ...config.zones.map((zone) => `  zone  ${zone.name}: ${zoneContents(zone)}`),
    `  rest  ${otherNames(config)}`,
    ...viewLines(config).map((line) => `  ${line}`),
  ];
}

const urlOf = (admin: AdminConfig): string =>
  `${admin.tls === undefined ? 'http' : 'https'}://${formatListenAddress(admin)}`;

type Described = Pick<Running, 'listening' | 'admin' | 'overview' | 'explain'>;

/** `complete` false: some checks have no verdict yet. */
export function describeHealth(running: Described, complete: boolean): string[] {
  const { zones } = running.overview(SERVICES_SHOWN);
  const services = zones
    .flatMap((zone) => zone.services)
    .filter((service) => service.instanceCount > 0 && hasName(service, running));
  const shown = services.slice(0, SERVICES_SHOWN);
  const sharesName = ({ key, name }: ServiceOverview) =>
    shown.some((other) => other.name === name && other.key !== key);
  const lines = shown.flatMap((service) => serviceLines(service, sharesName(service) ? ` (${service.source})` : ''));
  return [
    ...(lines.length === 0 ? [] : [complete ? 'Health after the first checks:' : 'Health so far:', ...lines]),
    ...tryLine(running, services),
  ].map(printable);
}

/** Whether DNS answers the service's name from this service: another cluster's service or a record may own the name. */
function hasName({ name, key }: ServiceOverview, { explain }: Described): boolean {
  try {
    const own = explain(name).owners.find(({ owner }) => owner === key);
    return own !== undefined && (own.types.length === 0 || own.answered.length > 0);
  } catch (error) {
    // No domain name.
    if (error instanceof NameError) return false;
    throw error;
  }
}

function serviceLines(service: ServiceOverview, source: string): string[] {
  const { name, kind, clusterIps = [], instances, instanceCount, answeredCount } = service;
  const answered = instances.filter((instance) => instance.answered).map(({ id }) => id);
  const more = instanceCount > instances.length ? ` (${answeredCount} of ${instanceCount})` : '';
  const left = instances.filter((instance) => !instance.answered);
  return [
    kind === 'clusterIp'
      ? `  ${name}${source} answers its cluster IP ${clusterIps.join(', ')} (${answeredCount} of ${instanceCount} instances healthy)`
      : `  ${name}${source} answers ${answered.length === 0 ? 'nothing' : answered.join(', ')}${more}`,
    ...left.map(({ id, status, reason }) => `    left out: ${id}, ${status} (${reason})`),
  ];
}

function tryLine({ listening, admin }: Described, services: readonly ServiceOverview[]): string[] {
  // A service with an excluded instance is the best example.
  const service = services.find(({ kind }) => kind === 'instances') ?? services[0];
  const [first] = listening;
  if (service === undefined || first === undefined) return [];
  const asked = first.address === '0.0.0.0' ? '127.0.0.1' : first.address === '::' ? '::1' : first.address;
  const name = service.name.replace(/\.$/, '');
  return [
    `Try:  dig @${asked} -p ${first.port} ${name}`,
    ...(admin === undefined ? [] : [`Why:  ${commandName()} explain ${name} --http ${urlOf(admin)}`]),
  ];
}

/** How to run this command: `bin/healthdns` in a clone, `healthdns` if installed. */
function commandName(): string {
  const path = relative(process.cwd(), process.argv[1] ?? '');
  return path === join('bin', 'healthdns') ? path : 'healthdns';
}
