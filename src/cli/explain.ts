// `healthdns explain NAME`: asks a running server.
import { CommandError, EXIT } from './exit-code.ts';
import { requestServer, type ServerFlags } from './server-request.ts';

export interface ExplainOptions {
  readonly name: string;
  readonly server: ServerFlags;
  readonly json: boolean;
}

/** Prints the server's explanation; resolves to the exit code. Throws CommandError if the server cannot be reached. */
export async function explain({ name, server, json }: ExplainOptions, print: (text: string) => void): Promise<number> {
  const isDots = /^\.+$/.test(name); // they would be removed from the path of a URL
  const asked = isDots ? `?name=${name}&` : `${encodeURIComponent(name)}?`;
  const response = await requestServer(server, `explain/${asked}format=${json ? 'json' : 'text'}`);
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
