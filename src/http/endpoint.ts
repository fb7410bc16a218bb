// An endpoint: a function from a request to a response, without sockets, so that tests call it directly.
import type { Clock } from '../clock.ts';

export interface HttpRequest {
  readonly method: string;
  /** Decoded part of the path after the endpoint's own: "api.production.local" of /explain/api.production.local. */
  readonly rest: string;
  readonly query: URLSearchParams;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** The address that the server listens on. */
  readonly boundTo: string;
  /** The request had the admin token or a client certificate. */
  readonly isAuthenticated?: boolean;
  /** Empty unless the endpoint accepts POST. At most `limits.httpBodyBytes` long. */
  readonly body: Buffer;
}

export interface HttpResponse {
  readonly status: number;
  readonly type: string;
  readonly body: string | Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
  /** Called instead of sending `body`: the response stays open. */
  readonly stream?: (out: OutgoingStream) => void;
}

/** A response that is streamed until either side closes it. */
export interface OutgoingStream {
  send(text: string): void;
  /** Bytes sent and not read by the client yet. */
  unreadBytes(): number;
  end(): void;
  /** Closes the connection without sending what is unread. */
  abort(): void;
  onClose(listener: () => void): void;
}

export interface Endpoint {
  /** "/ready"; a path that ends in a slash includes everything below it: "/explain/". */
  readonly path: string;
  /** GET includes HEAD. */
  readonly methods: readonly ('GET' | 'POST')[];
  readonly handle: (request: HttpRequest) => HttpResponse | Promise<HttpResponse>;
  /** The response to a body over the limit, instead of a line of text. */
  readonly tooLarge?: (limitBytes: number) => HttpResponse;
}

const TEXT = 'text/plain; charset=utf-8';

/** A line for people and scripts. */
export const text = (status: number, body: string): HttpResponse => ({ status, type: TEXT, body: `${body}\n` });

export const json = (status: number, value: unknown): HttpResponse => ({
  status,
  type: 'application/json',
  body: `${JSON.stringify(value, null, 2)}\n`,
});

/** `?format=` decides, then Accept: browsers name text/html first. */
export function formatFor({ query, headers }: Pick<HttpRequest, 'query' | 'headers'>): 'html' | 'text' | 'json' {
  const format = query.get('format');
  if (format !== null) return format === 'html' || format === 'text' ? format : 'json';
  const accept = String(headers.accept ?? '');
  if (accept.startsWith('text/html')) return 'html';
  return accept.startsWith('text/') ? 'text' : 'json';
}

/** Calls `make` at most once a second; in between returns its last result. */
export function onceASecond<Result>(clock: Pick<Clock, 'monotonicMs'>, make: () => Result): () => Result {
  let last: { readonly result: Result; readonly madeMs: number } | undefined;
  return () => {
    const nowMs = clock.monotonicMs();
    if (last === undefined || nowMs - last.madeMs >= 1_000) last = { result: make(), madeMs: nowMs };
    return last.result;
  };
}
