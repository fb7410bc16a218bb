// `healthdns explain NAME`: asks a running server.
import { CommandError, EXIT } from './exit-code.ts';

export interface ExplainOptions {
  readonly name: string;
  /** The running server's HTTP address. */
  readonly url: string;
  readonly json: boolean;
  readonly timeoutMs?: number;
}

/** Prints the server's explanation; resolves to the exit code. Throws CommandError where the server cannot be asked. */
export async function explain(options: ExplainOptions, print: (text: string) => void): Promise<number> {
  const { name, json, timeoutMs = 10_000 } = options;
  const base = parseUrl(options.url);
  const target = new URL(`explain/${encodeURIComponent(name)}?format=${json ? 'json' : 'text'}`, base);
  const response = await fetch(target, { signal: AbortSignal.timeout(timeoutMs) }).catch((error: Error) => {
    throw new CommandError(
      `no answer from ${base.origin}: ${causeOf(error)}; is healthdns running there (--http URL)?`,
    );
  });
  const body = (await response.text()).trimEnd();
  if (response.status === 400) throw new CommandError(body, EXIT.USAGE);
  const isExplanation = response.headers.has('x-healthdns-explanation');
  if (!isExplanation) throw new CommandError(`${base.origin} is not healthdns: ${response.status} for /explain/`);
  print(body);
  return response.status === 404 ? EXIT.UNKNOWN_NAME : EXIT.OK;
}

function parseUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !['http:', 'https:'].includes(url.protocol)) {
    throw new CommandError(`--http: "${text}" is not a URL such as http://127.0.0.1:8053`, EXIT.USAGE);
  }
  return new URL('/', url);
}

/** fetch hides the reason in `cause`, and an attempt at several addresses the reasons in `errors`. */
function causeOf(error: Error): string {
  const cause = error.cause;
  if (cause instanceof AggregateError) return cause.errors.map((one: Error) => one.message).join(', ');
  return cause instanceof Error ? cause.message : error.message;
}
