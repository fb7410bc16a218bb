// Problems, the worst first: at the top of the page.
import { type ConfigStatus, describeConfig } from '../../config/in-force.ts';
import { publishedName } from '../../registry/published-name.ts';
import type { Registry } from '../../registry/registry.ts';
import type { Census, ServiceCensus } from '../census.ts';
import type { Overview } from '../overview.ts';
import { describeDegraded } from '../safe.ts';
import type { StatusReport } from '../status.ts';
import type { Cut, Problem, ProblemGroup, Severity } from './model.ts';

export interface ProblemSources {
  readonly status: Pick<StatusReport, 'zones' | 'sources' | 'upstreams'>;
  readonly degraded: Overview['degraded'];
  readonly configuration: ConfigStatus;
  readonly census: Pick<Census, 'zones' | 'zone'>;
  readonly registry: Pick<Registry, 'service'>;
  /** A data thread does not respond. */
  readonly isStuck: boolean;
}

/** Of each group; a list has the others. */
const MAX_ITEMS = 10;

export function problemsOf(sources: ProblemSources): readonly ProblemGroup[] {
  const { status, configuration, isStuck } = sources;
  const { dead, partial } = troubled(sources);
  const stuck = isStuck
    ? [{ subject: 'DNS', text: 'A data thread does not respond, and replacing it has not helped.' }]
    : [];
  const notReady = status.zones.filter(({ state }) => state === 'not ready');
  const silent = notReady.map(({ name }) => ({
    ...{ subject: name, name },
    text: 'Not ready: names that are not known yet are answered with SERVFAIL.',
  }));
  const down = status.upstreams.filter(({ state }) => state !== 'up').map(downUpstream);
  return [
    group('critical', 'Data threads', cutAt(MAX_ITEMS, stuck)),
    group('critical', 'Zones that are not ready', cutAt(MAX_ITEMS, silent)),
    group('critical', 'Dead services', dead, '/services?show=dead'),
    group('critical', 'Upstream servers that are down', cutAt(MAX_ITEMS, down)),
    group('critical', 'Refused configuration', cutAt(MAX_ITEMS, refusedConfig(configuration))),
    group('warning', 'Sources that are behind', cutAt(MAX_ITEMS, behind(sources))),
    group('warning', 'Services answered in part', partial, '/services?show=trouble'),
  ].filter(({ items }) => items.length > 0);
}

const group = (severity: Severity, title: string, cut: Cut<Problem>, href?: string): ProblemGroup => ({
  ...{ severity, title, ...cut },
  ...(href !== undefined && { href }),
});

export const cutAt = <Item>(most: number, all: readonly Item[]): Cut<Item> => ({
  items: all.slice(0, most),
  more: Math.max(0, all.length - most),
});

/** Services with instances that are left out: all of them, or some. */
function troubled({ census, registry }: ProblemSources): { dead: Cut<Problem>; partial: Cut<Problem> } {
  const found = { dead: { items: [] as Problem[], more: 0 }, partial: { items: [] as Problem[], more: 0 } };
  for (const zone of census.zones()) {
    const { troubled: keys, services } = census.zone(zone);
    for (const key of keys) {
      const counts = services.get(key)!;
      const list = counts.answered === 0 ? found.dead : found.partial;
      if (list.items.length >= MAX_ITEMS) list.more++;
      else list.items.push(troubledService(key, counts, registry));
    }
  }
  return found;
}

function troubledService(key: string, { answered, size }: ServiceCensus, registry: Pick<Registry, 'service'>): Problem {
  const state = registry.service(key)!;
  const { service } = state;
  const name = publishedName(service!);
  let why = '';
  for (const { instance, verdict } of state.instances.values()) {
    if (verdict.answered) continue;
    why = `${instance.id}: ${verdict.reason}`;
    break;
  }
  const count = `${answered} of ${size} ${size === 1 ? 'instance' : 'instances'}`;
  const more = size - answered > 1 ? `; and ${size - answered - 1} more` : '';
  return {
    subject: name,
    name,
    text: `${count} may be answered${answered > 0 ? '' : outcomeOf(service!)}. ${why}${more}`,
  };
}

function outcomeOf({
  kind,
  policy,
  ignoreEmpty,
}: NonNullable<ReturnType<Registry['service']>>['service'] & object): string {
  if (kind === 'clusterIp') return ignoreEmpty ? ': NXDOMAIN' : ', but its cluster IP is';
  if (policy.whenAllUnhealthy === 'all') return ', so all of them are (whenAllUnhealthy: all)';
  return `: ${policy.whenAllUnhealthy.toUpperCase()}`;
}

function downUpstream({ upstream, zone, state, detail }: StatusReport['upstreams'][number]): Problem {
  const what = state === 'loop' ? 'A forwarding loop' : 'Down';
  return { subject: upstream, text: `${what}, for ${zone}${detail === '' ? '' : `: ${detail}`}` };
}

function refusedConfig(status: ConfigStatus): Problem[] {
  if (status.refused === undefined) return [];
  const [inForce, refused, ...errors] = describeConfig(status);
  return [{ subject: refused.replace(/:$/, ''), text: `Still in force: ${inForce}`, details: errors }];
}

function behind({ status, degraded }: ProblemSources): Problem[] {
  const late = status.sources
    .filter(({ state }) => state !== 'synced')
    .map(({ name, state, ageSeconds, detail }) => ({
      subject: name,
      text: [
        state === 'stale' ? `Not confirmed for ${ageSeconds ?? '?'} s; last known data are served` : 'Not synced',
        ...(detail === '' ? [] : [detail]),
      ].join('. '),
    }));
  return [...late, ...degraded.map((one) => ({ subject: one.source, text: describeDegraded(one) }))];
}
