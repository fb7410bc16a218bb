// `healthdns query-log`: switches the query log of a running server on and off.
import type { QueryLogRequest } from '../config/sections/query-log.ts';
import { rcodeName } from '../dns/types.ts';
import type { QueryLogSettings } from '../plane/forward-settings.ts';
import { CommandError, EXIT } from './exit-code.ts';
import { printable } from './printable.ts';
import { requestServer, type ServerFlags } from './server-request.ts';

export interface QueryLogOptions {
  /** undefined: shows what is in force. */
  readonly request: { readonly [Key in keyof QueryLogRequest]: unknown } | undefined;
  readonly server: ServerFlags;
  readonly json: boolean;
}

export async function queryLog(
  { request, server, json }: QueryLogOptions,
  print: (text: string) => void,
): Promise<number> {
  const response = await requestServer(
    server,
    'query-log',
    request && {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(request),
    },
  );
  const body = (await response.text()).trimEnd();
  if (response.status === 400) throw new CommandError(body, EXIT.USAGE);
  if (!response.ok) throw new CommandError(body);
  print(json ? body : printable(lineOf(JSON.parse(body) as InForce)));
  return EXIT.OK;
}

interface InForce {
  readonly state: string;
  readonly until?: string;
  readonly settings?: QueryLogSettings;
}

function lineOf({ state, until, settings }: InForce): string {
  const { names = [], networks = [], rcodes = [], classes = [], every = 1, format } = settings ?? {};
  const filters = Object.entries({ name: names, client: networks, rcode: rcodes.map(rcodeName), class: classes });
  return [
    `query log: ${state}${until === undefined ? '' : ` until ${until}`}`,
    ...filters.filter(([, words]) => words.length > 0).map(([filter, words]) => `${filter} ${words.join(', ')}`),
    ...(every > 1 ? [`one of every ${every}`] : []),
    ...(format === undefined ? [] : [`format ${format}`]),
  ].join('; ');
}
