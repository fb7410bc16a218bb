// Selects the endpoint for a request, and the responses if there is none.
import { type Endpoint, type HttpRequest, type HttpResponse, text } from './endpoint.ts';

export interface RawRequest extends Pick<HttpRequest, 'method' | 'headers'> {
  /** Path and query as sent. */
  readonly url: string;
}

export type Routed = { readonly endpoint: Endpoint; readonly rest: string; readonly query: URLSearchParams };

/** The endpoint for a request, or the error response if there is none: 400, 404 or 405. */
export function route(endpoints: readonly Endpoint[], { method, url: target }: RawRequest): Routed | HttpResponse {
  // Clients that use this server as a proxy send an absolute URL, which servers must accept (RFC 9112 section 3.2.2).
  const url = target.replace(/^http:\/\/[^/?#]*/i, '') || '/';
  const question = url.indexOf('?');
  const path = decodePath(question < 0 ? url : url.slice(0, question));
  if (path === undefined) return text(400, 'the path is not valid percent-encoded UTF-8');
  const atPath = endpoints.filter((candidate) => matches(candidate, path));
  if (atPath.length === 0) return text(404, 'not found');
  const endpoint = atPath.find(({ methods }) => methods.includes(method === 'HEAD' ? 'GET' : (method as 'GET')));
  if (endpoint === undefined) {
    const allowed = atPath.flatMap(({ methods }) =>
      methods.flatMap((name) => (name === 'GET' ? ['GET', 'HEAD'] : name)),
    );
    return { ...text(405, `${allowed.join(', ')} only`), headers: { allow: allowed.join(', ') } };
  }
  const query = new URLSearchParams(question < 0 ? '' : url.slice(question + 1));
  return { endpoint, rest: path.slice(endpoint.path.length), query };
}

const matches = ({ path }: Endpoint, asked: string) =>
  path.endsWith('/') && path !== '/' ? asked.startsWith(path) : asked === path;

function decodePath(path: string): string | undefined {
  try {
    return decodeURIComponent(path);
  } catch {
    return undefined; // An invalid % or malformed UTF-8: the only way decodeURIComponent fails.
  }
}
