// A page for people: zones, services and the health of their instances. One document, nothing loaded from elsewhere.
import type { Clock } from '../clock.ts';
import { type ConfigStatus, describeConfig } from '../config/in-force.ts';
import { answerTextOf, type HistoryChange } from '../history/history.ts';
import { TOP_VIEWS } from '../plane/tally.ts';
import { type Endpoint, onceASecond } from './endpoint.ts';
import { transitionLine } from './explain-history.ts';
import type { Overview, ServiceOverview, ZoneOverview } from './overview.ts';
import { describeDegraded } from './safe.ts';
import type { TopList, TopReading } from './top.ts';

/** Number of services listed per zone; a cluster has more than a page can show, and those in trouble come first. */
const SERVICES_SHOWN = 200;

/** Changes of answers that are listed, the newest first. */
const CHANGES_SHOWN = 50;

export interface PageSources {
  readonly version: string;
  /** The name of this replica. */
  readonly replica: string;
  readonly overview: (limit: number) => Overview;
  readonly recent: (most: number) => readonly HistoryChange[];
  readonly configuration: () => ConfigStatus;
  /** undefined: queries are not counted. */
  readonly top?: TopReading;
}

/** GET /: the status page. */
export function statusPage(sources: PageSources, clock: Clock): Endpoint {
  const body = onceASecond(clock, () => page(sources));
  return {
    path: '/',
    methods: ['GET'],
    handle: () => ({
      status: 200,
      type: 'text/html; charset=utf-8',
      headers: { 'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'" },
      body: body(),
    }),
  };
}

const page = ({ version, replica, overview, recent, configuration, top }: PageSources) => {
  const { zones, sources, degraded } = overview(SERVICES_SHOWN);
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>healthdns</title>
<style>
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }
body { max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
h1 small, .quiet { font-weight: normal; opacity: .65; }
table { border-collapse: collapse; width: 100%; margin: .5rem 0 2rem; }
th, td { text-align: left; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid #8884; vertical-align: top; }
.in { color: #1a7f37; } .out { color: #cf222e; } .unknown { color: #9a6700; }
</style>
<h1>healthdns <small>${escapeHtml(version)} on ${escapeHtml(replica)}</small></h1>
<p><a href="/ready">ready</a> · <a href="/health">health</a> · <a href="/metrics">metrics</a></p>
${configLines(configuration())}
${sources.map(sourceLine).join('\n')}
${degraded.map((one) => `<p class="unknown">${escapeHtml(describeDegraded(one))}</p>`).join('\n')}
${zones.map(zoneSection).join('\n')}
${timeline(recent(CHANGES_SHOWN))}
${top === undefined ? '' : topSections(top)}
</html>
`;
};

function configLines(status: ConfigStatus): string {
  const [inForce, ...refused] = describeConfig(status).map(escapeHtml);
  return `<p class="quiet">${inForce}</p>${refused.length === 0 ? '' : `\n<pre class="out">${refused.join('\n')}</pre>`}`;
}

function sourceLine({ name, synced, stale, ageMs }: Overview['sources'][number]): string {
  const state = synced
    ? stale
      ? 'synced; not confirmed for too long'
      : 'synced'
    : stale
      ? 'not synced; served from a snapshot'
      : 'not synced';
  const age = ageMs === undefined ? 'never synced' : `last contact ${Math.round(ageMs / 1000)} s ago`;
  const isCurrent = synced && !stale;
  return `<p>Source ${escapeHtml(name)}: <span class="${isCurrent ? 'in' : 'out'}">${state}, ${age}</span></p>`;
}

function zoneSection(zone: ZoneOverview): string {
  const { name, ready, stale, services, serviceCount, instanceCount, answeredCount, records } = zone;
  const state = !ready ? '<span class="out">not ready</span>' : stale ? '<span class="out">stale</span>' : '';
  const more = serviceCount - services.length;
  return `<h2>${escapeHtml(name)} ${state}</h2>
<p class="quiet">${serviceCount} services, ${answeredCount} of ${instanceCount} instances answered, ${records} static records</p>
<table>
<tr><th>Service<th>Answered<th>Instances</tr>
${services.map(serviceRow).join('\n')}
</table>
${more > 0 ? `<p class="quiet">… and ${more} more</p>` : ''}`;
}

function timeline(changes: readonly HistoryChange[]): string {
  if (changes.length === 0) return '';
  return `<h2>Changes of answers</h2>\n<ul>\n${changes.map(timelineEntry).join('\n')}\n</ul>`;
}

function timelineEntry({ atMs, name, transitions, more, after }: HistoryChange): string {
  const what = transitions.map((one) => transitionLine(one).trim()).join('; ');
  const rest = more > 0 ? `; … and ${more} more` : '';
  const link = `<a href="/explain/${encodeURIComponent(name)}?format=text&amp;history">${escapeHtml(name)}</a>`;
  return `<li><span class="quiet">${new Date(atMs).toISOString()}</span> ${link}: ${escapeHtml(what + rest)}; then answered ${escapeHtml(answerTextOf(after))}</li>`;
}

function serviceRow(service: ServiceOverview): string {
  const { name, kind, clusterIps = [], instances, instanceCount, answeredCount } = service;
  const more = instanceCount - instances.length;
  const list = instances.map(
    ({ id, addresses, status, answered, reason }) =>
      `<div><span class="${!answered ? 'out' : status === 'UNKNOWN' ? 'unknown' : 'in'}">${status}</span> ${escapeHtml(id)} <span class="quiet">${escapeHtml(addresses.join(', '))}: ${escapeHtml(reason)}</span></div>`,
  );
  const count = `${answeredCount} of ${instanceCount}`;
  const fixed = kind === 'clusterIp' ? `cluster IP ${clusterIps.join(', ')} (${count} healthy)` : kind;
  const answered = kind === 'instances' ? count : escapeHtml(fixed);
  return `<tr><td><a href="/explain/${encodeURIComponent(name)}?format=text">${escapeHtml(name)}</a><td>${answered}<td>${list.join('')}${more > 0 ? `… and ${more} more` : ''}</tr>`;
}

const TOP_SHOWN = 10;
const TITLES = { names: 'Names', clients: 'Clients', nxdomain: 'NXDOMAIN', servfail: 'SERVFAIL' } as const;

/** Who asked for what in the last minute; nothing without queries. */
function topSections(top: TopReading): string {
  const lists = TOP_VIEWS.map((view) => top(view, 'minute', TOP_SHOWN)).filter(({ entries }) => entries.length > 0);
  if (lists.length === 0) return '';
  return `<h2>Most frequent in the last minute</h2>\n${lists.map(topTable).join('\n')}`;
}

const topTable = ({ view, entries }: TopList) => `<table>
<tr><th>${TITLES[view]}<th>Queries<th>Per second</tr>
${entries
  .map(
    ({ key, count, perSecond, pod, namespace }) =>
      `<tr><td>${escapeHtml(key)}${pod === undefined ? '' : ` <span class="quiet">pod ${escapeHtml(`${namespace}/${pod}`)}</span>`}<td>${count}<td>${perSecond}</tr>`,
  )
  .join('\n')}
</table>`;

const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
const escapeHtml = (value: string) => value.replaceAll(/[&<>"']/g, (character) => entities[character]);
