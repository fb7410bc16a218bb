// Asks a running healthdns over HTTP.
import { readText } from './arguments.ts';
import { CommandError, EXIT } from './exit-code.ts';
import { fetchWithCertificate, hasClientTls } from './https-request.ts';

const TIMEOUT_MS = 10_000;

/** A running server, from the options of a command. */
export interface ServerFlags {
  readonly http: string;
  readonly tokenFile?: string;
}

/** `path` may have a query. Throws CommandError if the URL is invalid, the server does not reply, or the token is rejected. */
export async function requestServer(
  { http, tokenFile }: ServerFlags,
  path: string,
  { headers, ...init }: RequestInit = {},
): Promise<Response> {
  const base = parseUrl(http);
  const token: Record<string, string> =
    tokenFile === undefined ? {} : { authorization: `Bearer ${(await readText(tokenFile)).trim()}` };
  const request: RequestInit = {
    ...{ signal: AbortSignal.timeout(TIMEOUT_MS), headers: { ...(headers as Record<string, string>), ...token } },
    ...init,
  };
  const send = base.protocol === 'https:' && hasClientTls() ? fetchWithCertificate : fetch;
  const response = await send(new URL(path, base), request).catch((error: Error) => {
    if (error instanceof CommandError) throw error;
    throw new CommandError(`no reply from ${base.origin}: ${causeOf(error)}; is healthdns running there (--http URL)?`);
  });
  if (response.status === 401)
    throw new CommandError(
      tokenFile === undefined
        ? `${base.origin} requires a token: --token-file FILE`
        : `${base.origin} does not accept the token in ${tokenFile}: expected the content of its \`adminToken\` file`,
    );
  // Too many wrong tokens, or the server has none.
  if (response.status === 429 || response.status === 503)
    throw new CommandError(`${base.origin}: ${(await response.text()).trim()} (${response.status})`);
  return response;
}

function parseUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !['http:', 'https:'].includes(url.protocol)) {
    throw new CommandError(`--http: "${text}" is not a URL such as http://127.0.0.1:8053`, EXIT.USAGE);
  }
  return new URL('/', url);
}

/** Codes of OpenSSL for a certificate without a known issuer. */
const UNTRUSTED = ['DEPTH_ZERO_SELF_SIGNED_CERT', 'SELF_SIGNED_CERT_IN_CHAIN', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'];

/** fetch hides the reason in `cause`, and an attempt at several addresses the reasons in `errors`. */
function causeOf(error: Error): string {
  const cause = error.cause;
  if (cause instanceof AggregateError) return cause.errors.map((one: Error) => one.message).join(', ');
  if (!(cause instanceof Error)) return error.message;
  const isUntrusted = UNTRUSTED.includes((cause as NodeJS.ErrnoException).code ?? '');
  return isUntrusted ? `${cause.message} (HEALTHDNS_CA_FILE: the file with its CA, in PEM)` : cause.message;
}
