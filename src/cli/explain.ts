// `healthdns explain NAME` and `healthdns explain --config`: ask a running server.
import type { ConfigStatus } from '../config/in-force.ts';
import { describeConfig } from '../config/in-force.ts';
import { MOMENT, parseMoment } from '../http/moment.ts';
import { CommandError, EXIT } from './exit-code.ts';
import { requestServer, type ServerFlags } from './server-request.ts';

export interface ExplainOptions {
  readonly name: string;
  readonly server: ServerFlags;
  readonly json: boolean;
  readonly history: boolean;
  /** As typed: see `parseMoment`. */
  readonly since?: string;
  readonly at?: string;
  /** The address of the pod that asks. */
  readonly from?: string;
}

/** Prints the server's explanation; resolves to the exit code. Throws CommandError if the server cannot be reached. */
export async function explain(options: ExplainOptions, print: (text: string) => void): Promise<number> {
  const { name, server } = options;
  const isDots = /^\.+$/.test(name); // they would be removed from the path of a URL
  const query = queryOf(options);
  if (isDots) query.set('name', name);
  const response = await requestServer(server, `explain/${isDots ? '' : encodeURIComponent(name)}?${query}`);
  const body = (await response.text()).trimEnd();
  if (response.status === 400) throw new CommandError(body, EXIT.USAGE);
  if (!response.headers.has('x-healthdns-explanation')) {
    throw new CommandError(
      `${server.http} does not explain names (${response.status}): is it the \`admin\` address of healthdns?`,
    );
  }
  print(body);
  return response.status === 404 ? EXIT.UNKNOWN_NAME : EXIT.OK;
}

/** Times are those of this terminal's time zone. */
function queryOf({ json, history, since, at, from }: ExplainOptions): URLSearchParams {
  const query = new URLSearchParams({ format: json ? 'json' : 'text' });
  if (from !== undefined) query.set('from', from);
  if (history || since !== undefined) query.set('history', '');
  for (const [key, text] of Object.entries({ since, at })) {
    if (text === undefined) continue;
    const ms = parseMoment(text, Date.now(), true);
    if (ms === undefined) throw new CommandError(`--${key}: expected ${MOMENT}`, EXIT.USAGE);
    query.set(key, new Date(ms).toISOString());
  }
  return query;
}

/** `healthdns explain --config`: prints the configuration of a running server; resolves to the exit code: 1 if the file on disk was refused. Throws CommandError if there is no reply. */
export async function explainConfig(
  server: ServerFlags,
  asJson: boolean,
  print: (text: string) => void,
): Promise<number> {
  const response = await requestServer(server, 'config');
  if (response.status !== 200)
    throw new CommandError(
      `${server.http} does not report its configuration (${response.status}): is it the \`admin\` address of healthdns?`,
    );
  const status = (await response.json()) as ConfigStatus;
  for (const line of asJson ? [JSON.stringify(status, null, 2)] : describeConfig(status)) print(line);
  return status.refused === undefined ? EXIT.OK : EXIT.FAILED;
}
