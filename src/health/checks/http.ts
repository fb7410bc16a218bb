// HTTP and HTTPS checks: one request on a new connection, decided by the status code.
import { type RequestOptions, request as requestHttp, STATUS_CODES } from 'node:http';
import { isIP } from 'node:net';
import type { CheckResult } from '../rules/ecs.ts';
import { type CheckTarget, endpoint, failed, failedBy, passed } from './probe.ts';

/** Maximum size that is read of a body. */
const BODY_BYTES = 64 * 1024;
const HEADER_BYTES = 16 * 1024;
const REDIRECTS = 5;

/** Passes when the status code is in the expected range (200 to 399 by default). */
export async function probeHttp(target: CheckTarget, signal: AbortSignal): Promise<CheckResult> {
  const { check, address, port } = target;
  const [lowest, highest] = check.expectedStatus ?? [200, 399];
  let url: URL;
  try {
    url = new URL(check.path ?? '/', `${check.type}://${check.host ?? endpoint(address, port)}`);
    // The instance's own port applies, regardless of the Host header; redirects may change it.
    url.port = String(port);
  } catch {
    return failed(`not a URL: ${check.type}://${check.host ?? endpoint(address, port)}${check.path ?? '/'}`);
  }
  for (let redirects = 0; ; redirects++) {
    const answer = await get(url, redirects === 0 ? check.host : undefined, target, signal);
    if ('passed' in answer) return answer;
    const text = `${answer.status} ${STATUS_CODES[answer.status] ?? ''}`.trim();
    const next = check.followRedirects ? redirectOf(answer, url) : undefined;
    if (next === undefined) {
      const good = answer.status >= lowest && answer.status <= highest;
      return good ? passed(text) : failed(`${text}, expected ${lowest} to ${highest}`);
    }
    if (redirects === REDIRECTS) return failed(`more than ${REDIRECTS} redirects, the last to ${next.href}`);
    url = next;
  }
}

interface Answer {
  readonly status: number;
  readonly location: string | undefined;
}

/** The head of the response. The connection goes to the instance's address even if the URL has another host. */
function get(
  url: URL,
  host: string | undefined,
  target: CheckTarget,
  signal: AbortSignal,
): Promise<Answer | CheckResult> {
  const secure = url.protocol === 'https:';
  const name = host === undefined ? url.hostname : host.replace(/:\d+$/, '');
  const options: RequestOptions & { servername?: string; rejectUnauthorized?: boolean } = {
    host: target.address,
    port: url.port === '' ? (secure ? 443 : 80) : Number(url.port),
    path: `${url.pathname}${url.search}`,
    method: 'GET',
    headers: { Host: host ?? url.host, 'User-Agent': 'healthdns', Accept: '*/*', Connection: 'close' },
    agent: false,
    maxHeaderSize: HEADER_BYTES,
    rejectUnauthorized: target.check.verifyCertificate ?? false,
    // An address is not a server name (RFC 6066 section 3); '' keeps Node from using the Host header.
    servername: isIP(name.replace(/^\[|\]$/g, '')) === 0 ? name : '',
  };
  return new Promise((resolve) => {
    let outcome: Answer | CheckResult = failed('connection closed before a response');
    const request = (secure ? process.getBuiltinModule('node:https').request : requestHttp)(options);
    const abort = () => request.destroy();
    request.once('response', (response) => {
      outcome = { status: response.statusCode ?? 0, location: response.headers.location };
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > BODY_BYTES) request.destroy();
      });
      response.on('error', () => {}); // the status is known, so the body does not matter
    });
    request.on('error', (error) => {
      if ('passed' in outcome) outcome = failedBy(error);
    });
    request.once('close', () => {
      signal.removeEventListener('abort', abort);
      resolve(outcome);
    });
    signal.addEventListener('abort', abort, { once: true });
    request.end();
    if (signal.aborted) abort();
  });
}

function redirectOf({ status, location }: Answer, from: URL): URL | undefined {
  if (location === undefined || ![301, 302, 303, 307, 308].includes(status)) return undefined;
  if (!URL.canParse(location, from.href)) return undefined;
  const next = new URL(location, from.href);
  return next.protocol === 'http:' || next.protocol === 'https:' ? next : undefined;
}
