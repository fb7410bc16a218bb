// `healthdns status`: zones, sources, upstream servers and services in trouble of a running server.
import type { StatusReport } from '../http/status.ts';
import { CommandError, EXIT } from './exit-code.ts';
import { printable } from './printable.ts';
import { requestServer, type ServerFlags } from './server-request.ts';
import { type Cell, type Colour, coloured, table } from './table.ts';

export interface StatusOptions {
  readonly server: ServerFlags;
  readonly json: boolean;
  readonly wide: boolean;
  readonly inColour: boolean;
}

/** Number of services in trouble to list; --wide lists all that the server returns. */
const FEW_TROUBLED = 20;

/** Resolves to 1 if something is not ready. */
export async function status({ server, json, ...look }: StatusOptions, print: (text: string) => void): Promise<number> {
  const response = await requestServer(server, 'status');
  const body = (await response.text()).trimEnd();
  if (!response.ok)
    throw new CommandError(`${server.http} has no status (${response.status}): is it the \`admin\` address?`);
  const report = JSON.parse(body) as StatusReport;
  print(json ? body : linesOf(report, look).join('\n'));
  return report.ready ? EXIT.OK : EXIT.FAILED;
}

const COLOURS: Readonly<Record<string, Colour>> = {
  ready: 'good',
  synced: 'good',
  up: 'good',
  stale: 'doubtful',
  'not ready': 'bad',
  'not synced': 'bad',
  down: 'bad',
  loop: 'bad',
};

const stateCell = (state: string): Cell => [state, COLOURS[state] ?? 'quiet'];

type Look = Pick<StatusOptions, 'wide' | 'inColour'>;

function linesOf(report: StatusReport, { wide, inColour }: Look): string[] {
  const { version, replica, zones, sources, upstreams, trouble } = report;
  const section = (header: readonly string[], rows: readonly (readonly Cell[])[]) =>
    rows.length === 0 ? [] : ['', ...table(header, rows, inColour)];
  const shown = wide ? trouble : trouble.slice(0, FEW_TROUBLED);
  const more = trouble.length - shown.length;
  return [
    `healthdns ${version} on ${replica}: ${headline(report, inColour)}`,
    ...refusedLines(report, inColour),
    ...section(
      ['ZONE', 'STATE', 'SERVICES', 'INSTANCES', 'ANSWERED', 'RECORDS'],
      zones.map((zone) => [
        zone.name,
        stateCell(zone.state),
        ...[zone.services, zone.instances, zone.answered, zone.records].map(String),
      ]),
    ),
    ...section(
      ['SOURCE', 'STATE', 'AGE', ...(wide ? ['ZONES'] : []), 'DETAIL'],
      sources.map(({ name, state: synced, ageSeconds, zones: served, detail }) => [
        ...[name, stateCell(synced), ageSeconds === undefined ? '-' : `${ageSeconds}s`],
        ...(wide ? [served.join(',')] : []),
        detail,
      ]),
    ),
    ...section(
      ['UPSTREAM', 'FOR', 'STATE', ...(wide ? ['QUERIES', 'FAILED', 'AVERAGE'] : []), 'DETAIL'],
      upstreams.map(({ upstream, zone, state: reachable, requests, failures, averageMs, detail }) => [
        ...[upstream, zone, stateCell(reachable)],
        ...(wide ? [String(requests), String(failures), averageMs === undefined ? '-' : `${averageMs}ms`] : []),
        detail,
      ]),
    ),
    ...section(
      ['SERVICE', 'ANSWERED', 'INSTANCE', ...(wide ? ['ADDRESSES'] : []), 'REASON'],
      shown.flatMap(({ name, answeredCount, instanceCount, instances }) =>
        instances
          .slice(0, wide ? undefined : 3)
          .map(({ id, addresses, reason }, i) => [
            ...(i === 0 ? [name, troubleCell(answeredCount, instanceCount)] : ['', '']),
            id,
            ...(wide ? [addresses.join(',')] : []),
            reason,
          ]),
      ),
    ),
    ...(more > 0 ? [`… and ${more} more services (-o wide)`] : []),
  ];
}

/** An upstream server that is down does not make /ready fail, so it is not called that. */
function headline({ ready, zones, sources, upstreams }: StatusReport, inColour: boolean): string {
  if (ready) return coloured('ready', 'good', inColour);
  const isReady = zones.every(({ state }) => state === 'ready') && sources.every(({ state }) => state === 'synced');
  if (!isReady) return coloured('not ready', 'bad', inColour);
  const down = upstreams.filter(({ state }) => state !== 'up').length;
  return coloured(`ready, but ${down} of ${upstreams.length} upstream servers not usable`, 'doubtful', inColour);
}

function refusedLines({ refusedConfig }: StatusReport, inColour: boolean): string[] {
  if (refusedConfig === undefined) return [];
  const { at, errors, more } = refusedConfig;
  const rest = errors.length - 1 + more;
  const line = `configuration refused at ${at}: ${errors[0]}${rest > 0 ? ` (and ${rest} more: healthdns explain --config)` : ''}`;
  return [coloured(printable(line), 'bad', inColour)];
}

const troubleCell = (answered: number, instances: number): Cell => [
  `${answered} of ${instances}`,
  answered === 0 ? 'bad' : 'doubtful',
];
