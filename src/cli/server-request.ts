// Asks a running healthdns over HTTP.
import { CommandError, EXIT } from './exit-code.ts';

const TIMEOUT_MS = 10_000;

/** `path` may have a query. Throws CommandError where the URL is none, or nobody answers. */
export async function requestServer(url: string, path: string, init: RequestInit = {}): Promise<Response> {
  const base = parseUrl(url);
  return fetch(new URL(path, base), { signal: AbortSignal.timeout(TIMEOUT_MS), ...init }).catch((error: Error) => {
    throw new CommandError(
      `no answer from ${base.origin}: ${causeOf(error)}; is healthdns running there (--http URL)?`,
    );
  });
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
