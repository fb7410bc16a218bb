// `healthdns explain NAME`: asks a running server.
import { CommandError, EXIT } from './exit-code.ts';
import { requestServer } from './server-request.ts';

export interface ExplainOptions {
  readonly name: string;
  /** The running server's HTTP address. */
  readonly url: string;
  readonly json: boolean;
}

/** Prints the server's explanation; resolves to the exit code. Throws CommandError where the server cannot be asked. */
export async function explain({ name, url, json }: ExplainOptions, print: (text: string) => void): Promise<number> {
  const isDots = /^\.+$/.test(name); // as a URL's path they would be taken away
  const asked = isDots ? `?name=${name}&` : `${encodeURIComponent(name)}?`;
  const response = await requestServer(url, `explain/${asked}format=${json ? 'json' : 'text'}`);
  const body = (await response.text()).trimEnd();
  if (response.status === 400) throw new CommandError(body, EXIT.USAGE);
  if (!response.headers.has('x-healthdns-explanation')) {
    throw new CommandError(`${url} is not healthdns: ${response.status} for /explain/`);
  }
  print(body);
  return response.status === 404 ? EXIT.UNKNOWN_NAME : EXIT.OK;
}
