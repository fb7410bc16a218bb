// `healthdns query-log`: switches the query log of a running server on and off.
import type { QueryLogRequest } from '../config/sections/query-log.ts';
import { CommandError, EXIT } from './exit-code.ts';
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
  const { state, until } = JSON.parse(body) as { state: string; until?: string };
  print(json ? body : `query log: ${state}${until === undefined ? '' : ` until ${until}`}`);
  return EXIT.OK;
}
