// `healthdns top`: the most frequent names and clients of a running server, again and again on a terminal.
import type { Clock } from '../clock.ts';
import type { TopLine, TopList } from '../http/top.ts';
import { CommandError, EXIT } from './exit-code.ts';
import { requestServer, type ServerFlags } from './server-request.ts';
import { table } from './table.ts';

export interface TopOptions {
  /** undefined: all of them. */
  readonly view: string | undefined;
  readonly over: 'minute' | 'hour';
  readonly limit: number;
  readonly server: ServerFlags;
  readonly json: boolean;
  /** Repeats until it is interrupted. */
  readonly live: boolean;
  readonly inColour: boolean;
}

const EVERY_MS = 2_000;
/** Cursor home, then erase below: unlike clearing the screen, this does not flicker. */
const HOME = '\u001b[H\u001b[J';

export async function top(options: TopOptions, print: (text: string) => void, clock: Clock): Promise<number> {
  for (;;) {
    const body = await readTop(options);
    if (options.json) print(body);
    else print(`${options.live ? HOME : ''}${linesOf(JSON.parse(body), options).join('\n')}`);
    if (!options.live) return EXIT.OK;
    await new Promise<void>((resolve) => void clock.setTimeoutKeepingAlive(resolve, EVERY_MS));
  }
}

async function readTop({ view, over, limit, server }: TopOptions): Promise<string> {
  const query = new URLSearchParams({ ...(view !== undefined && { view }), over, limit: String(limit) });
  const response = await requestServer(server, `top?${query}`);
  const body = (await response.text()).trimEnd();
  if (response.status === 400) throw new CommandError(body, EXIT.USAGE);
  if (!response.ok) throw new CommandError(body);
  return body;
}

const TITLES: Readonly<Record<TopList['view'], string>> = {
  names: 'NAME',
  clients: 'CLIENT',
  nxdomain: 'NAME (NXDOMAIN)',
  servfail: 'NAME (SERVFAIL)',
};

function linesOf(lists: readonly TopList[], { inColour }: TopOptions): string[] {
  return lists.flatMap(({ view, over, seconds, queries, entries }, i) => {
    const pod = ({ namespace, pod: name }: TopLine) => (name === undefined ? '' : `${namespace}/${name}`);
    const share = ({ count }: TopLine) => `${((100 * count) / Math.max(1, queries)).toFixed(1)} %`;
    const perSecond = ({ perSecond: rate }: TopLine) => (rate < 1 ? String(rate) : rate.toFixed(1));
    const isClients = view === 'clients';
    const header = ['QUERIES', 'PER SECOND', 'SHARE', TITLES[view], ...(isClients ? ['POD'] : [])];
    const rows = entries.map((line) => [
      ...[String(line.count), perSecond(line), share(line), line.key],
      ...(isClients ? [pod(line)] : []),
    ]);
    const seen = `about ${queries} queries in ${seconds} s of the last ${over}`;
    const none = entries.length === 0 ? ['none'] : table(header, rows, inColour);
    return [...(i === 0 ? [seen] : []), '', ...(entries.length === 0 ? [`${TITLES[view]}: none`] : none)];
  });
}
