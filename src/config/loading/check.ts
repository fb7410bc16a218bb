// `healthdns check zones.yaml`, or `--node node.yaml`: prints every problem, or a summary of what would be served.
import { formatProblem } from '../../reading/problem.ts';
import type { Config, ZoneConfig } from '../config.ts';
import type { NodeConfig } from '../node-config.ts';
import { formatListenAddress } from '../sections/listen.ts';
import { loadConfig } from './load.ts';
import { loadNodeConfig } from './load-node.ts';

export interface CheckOutput {
  /** The summary, line by line. */
  out(line: string): void;
  /** Problems and warnings, line by line. */
  err(line: string): void;
}

/** Exit codes: 0, the file can be served (it may have warnings); 1, it cannot. */
export async function check(file: string, output: CheckOutput): Promise<0 | 1> {
  const result = await loadConfig(file);
  for (const warning of result.warnings)
    output.err(`${formatProblem({ ...warning, message: `warning: ${warning.message}` })}`);
  if (!result.ok) {
    for (const problem of result.problems) output.err(formatProblem(problem));
    output.err(`${file}: ${count(result.problems.length, 'problem')}`);
    if (result.problems.some(({ path }) => path === 'replicas'))
      output.err(`If it is for \`healthdns node\`: healthdns check --node ${file}`);
    return 1;
  }
  output.out(`${file}: valid${andWarnings(result.warnings)}`);
  for (const line of summary(result.config)) output.out(line);
  return 0;
}

/** The same for the file of `healthdns node`. */
export async function checkNode(file: string, output: CheckOutput): Promise<0 | 1> {
  const result = await loadNodeConfig(file);
  if (!result.ok) {
    for (const problem of result.problems) output.err(problem);
    output.err(`${file}: ${count(result.problems.length, 'problem')}`);
    return 1;
  }
  for (const warning of result.warnings) output.err(`warning: ${warning}`);
  output.out(`${file}: valid${andWarnings(result.warnings)}`);
  for (const line of nodeSummary(result.config)) output.out(line);
  return 0;
}

const andWarnings = ({ length }: readonly unknown[]): string =>
  length > 0 ? `, with ${count(length, 'warning')}` : '';

function nodeSummary(config: NodeConfig): string[] {
  const { listen, http, zones, replicas, forward } = config;
  const isForwarding = forward.routes.length + forward.templates.length > 0 || forward.hosts !== undefined;
  const certificate = replicas.tls === undefined ? 'plain TCP' : `TLS${named(replicas.tls.serverName)}`;
  return [
    `DNS   ${listen.map(formatListenAddress).join(', ')} (UDP and TCP)`,
    `HTTP  ${http.map(formatListenAddress).join(', ') || 'off'}`,
    `zones ${listed(zones)} from ${replicas.push.map(formatListenAddress).join(', ')} (${certificate})`,
    `rest  ${otherNames({ forward: isForwarding ? forward : undefined })}`,
  ];
}

const named = (name: string | undefined): string => (name === undefined ? '' : `, certificate for ${name}`);

/** A summary for people: addresses, then a line for each zone. */
export function summary(config: Config): string[] {
  return [
    `DNS   ${config.listen.map(formatListenAddress).join(', ')} (UDP and TCP)`,
    `HTTP  ${config.http.map(formatListenAddress).join(', ') || 'off'}`,
    ...(config.admin === undefined ? [] : [`admin ${formatListenAddress(config.admin)}`]),
    ...config.zones.map((zone) => `zone  ${zone.name}: ${zoneContents(zone)}`),
    `rest  ${otherNames(config)}`,
    ...viewLines(config),
  ];
}

/** "view  pods: 127.0.0.2:53, names corp.test.: forwarded". */
export function viewLines({ views = [] }: Config): string[] {
  return views.map((view) => {
    const fits = [
      ...view.listen.map(formatListenAddress),
      ...(view.networks.length > 0 ? [`clients ${listed(view.networks)}`] : []),
      ...(view.names.length > 0 ? [`names ${listed(view.names)}`] : []),
    ];
    return `view  ${view.name} (${fits.join(', ')}): ${otherNames(view)}`;
  });
}

/** What names outside of the zones get. */
export function otherNames({ forward }: Pick<Config, 'forward'>): string {
  if (forward === undefined) return 'REFUSED (no `forward` in the file)';
  const zones = new Set(forward.routes.map(({ zone }) => zone));
  const templates = [...new Set(forward.templates.map(({ zone }) => zone))];
  const root = forward.routes.find(({ zone }) => zone === '.');
  if (root !== undefined) {
    const except = root.except.filter((zone) => !zones.has(zone));
    return except.length === 0 ? 'forwarded' : `forwarded, except ${listed(except)}`;
  }
  const answered = [
    ...(zones.size === 0 ? [] : [`${listed([...zones])} (forwarded)`]),
    ...(templates.length === 0 ? [] : [`${listed(templates)} (templates)`]),
    ...(forward.hosts === undefined ? [] : ['names of `hosts`']),
  ];
  return `REFUSED, except ${answered.join(', ')}`;
}

/** No more than fits on a line. */
const LISTED = 6;

function listed(names: readonly string[]): string {
  const more = names.length > LISTED ? ` and ${names.length - LISTED} more` : '';
  return names.slice(0, LISTED).join(', ') + more;
}

/** "9 records, 3 services, 7 instances (3 with a health check)". */
export function zoneContents(zone: ZoneConfig): string {
  const instances = zone.services.flatMap((service) => service.instances.map((instance) => ({ service, instance })));
  const checked = instances.filter(({ service, instance }) => instance.healthCheck ?? service.healthCheck).length;
  const parts = [
    zone.records.count > 0 ? count(zone.records.count, 'record') : '',
    zone.services.length > 0 ? count(zone.services.length, 'service') : '',
    instances.length > 0 ? `${count(instances.length, 'instance')} (${checked} with a health check)` : '',
    ...zone.kubernetes.map(({ label }) => `Kubernetes cluster ${label}`),
  ].filter((part) => part !== '');
  return parts.length > 0 ? parts.join(', ') : 'only its SOA and NS records';
}

function count(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? '' : 's'}`;
}
