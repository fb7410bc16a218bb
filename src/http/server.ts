// The HTTP server: sockets, limits and errors. The endpoints decide what is answered.
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import type { Server as HttpsServer } from 'node:https';
import type { Socket } from 'node:net';
import type { Clock } from '../clock.ts';
import type { ListenAddress } from '../config/config.ts';
import type { Logger } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import { limitConnections, oneAtATime } from './connections.ts';
import { type Endpoint, type HttpResponse, type OutgoingStream, text } from './endpoint.ts';
import { route } from './route.ts';
import { readTls, rereadTls, type TlsFiles } from './tls.ts';

export interface HttpServer {
  readonly address: ListenAddress;
  /** Requests that arrive from now on are answered by these, within these limits. Rereads certificates. */
  replace(served: Served): void;
  /** Closes idle connections at once, others when answered, after `graceMs` all. */
  close(graceMs?: number): Promise<void>;
}

export interface Served {
  readonly limits: { readonly httpBodyBytes: number; readonly httpConnections: number };
  readonly endpoints: readonly Endpoint[];
}

export interface HttpServerOptions extends Served {
  readonly listen: ListenAddress;
  /** undefined: plain HTTP. */
  readonly tls?: TlsFiles | undefined;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
}

const HEADER_BYTES = 8 * 1024;
const HEADERS_TIMEOUT_MS = 5_000;
const REQUEST_TIMEOUT_MS = 10_000;
const IDLE_TIMEOUT_MS = 15_000;

/** Listens; rejects with Node's error (EADDRINUSE, EACCES, …) if that fails. */
export async function startHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  const { listen, metrics } = options;
  let served: Served = options;
  const dropped = metrics.counter('healthdns_http_connections_dropped_total');
  const server = openServer(options.tls, oneAtATime(createHandler(options, () => served)));
  const rereading = options.tls && rereadTls(server as HttpsServer, options.tls, options.clock, options.log);
  limitConnections(
    server,
    () => served.limits.httpConnections,
    () => dropped.inc(),
  );
  // Of HTTPS, those in their handshake as well, which `limitConnections` does not know yet.
  if (options.tls !== undefined) server.maxConnections = 2 * options.limits.httpConnections;
  server.on('clientError', refuse);
  await listening(server, listen);
  const bound = server.address();
  const port = typeof bound === 'object' && bound !== null ? bound.port : listen.port;
  return {
    address: { address: listen.address, port },
    replace(next) {
      served = next;
      rereading?.now();
    },
    close(graceMs = 1_000) {
      rereading?.stop();
      return close(server, graceMs);
    },
  };
}

function openServer(tls: TlsFiles | undefined, handler: RequestListener): Server {
  const timeouts = {
    maxHeaderSize: HEADER_BYTES,
    headersTimeout: HEADERS_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: IDLE_TIMEOUT_MS,
    connectionsCheckingInterval: 2_000,
  };
  if (tls === undefined) return createServer(timeouts, handler);
  const client = tls.clientCa === undefined ? {} : { requestCert: true, rejectUnauthorized: true };
  const secure = { ...readTls(tls), ...client, handshakeTimeout: HEADERS_TIMEOUT_MS };
  return process.getBuiltinModule('node:https').createServer({ ...timeouts, ...secure }, handler);
}

function createHandler({ listen, tls, log, metrics }: HttpServerOptions, served: () => Served) {
  const requests = metrics.counter('healthdns_http_requests_total');
  return (request: IncomingMessage, response: ServerResponse) => {
    let endpoint = 'none';
    respond(request)
      .catch((error: Error): HttpResponse => {
        // The client disconnected during its request.
        if (request.destroyed && !request.complete) return text(400, 'the request was cut short');
        log.error('http endpoint failed', { endpoint, error: error.message });
        return text(500, 'internal error; see the log');
      })
      .then((result) => {
        requests.inc(1, endpoint, String(result.status));
        send(request, response, result);
      });

    async function respond(incoming: IncomingMessage): Promise<HttpResponse> {
      const raw = { method: incoming.method ?? '', url: incoming.url ?? '', headers: incoming.headers };
      const { endpoints, limits } = served();
      const routed = route(endpoints, raw);
      if (!('endpoint' in routed)) return routed;
      endpoint = routed.endpoint.path;
      const body = raw.method === 'POST' ? await readBody(incoming, limits.httpBodyBytes) : Buffer.alloc(0);
      if (body === undefined) return (routed.endpoint.tooLarge ?? tooLarge)(limits.httpBodyBytes);
      // Clients without a certificate are rejected earlier.
      const isAuthenticated = tls?.clientCa !== undefined;
      const { rest, query } = routed;
      return routed.endpoint.handle({ ...raw, boundTo: listen.address, isAuthenticated, rest, query, body });
    }
  };
}

const tooLarge = (limitBytes: number) => text(413, `the body may have at most ${limitBytes} bytes`);

/** undefined: longer than `limitBytes`. */
async function readBody(request: IncomingMessage, limitBytes: number): Promise<Buffer | undefined> {
  if (Number(request.headers['content-length']) > limitBytes) return undefined;
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request) {
    length += chunk.length;
    if (length > limitBytes) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function send(request: IncomingMessage, response: ServerResponse, result: HttpResponse): void {
  const { status, type, body, headers, stream } = result;
  if (response.destroyed) return;
  response.writeHead(status, {
    'content-type': type,
    ...(stream === undefined && { 'content-length': Buffer.byteLength(body) }),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    // The rest of an unread body must not be parsed as the next request.
    ...(request.complete ? {} : { connection: 'close' }),
    ...headers,
  });
  if (stream === undefined || request.method === 'HEAD') response.end(body);
  else {
    response.flushHeaders();
    stream(outgoing(response));
  }
}

const outgoing = (response: ServerResponse): OutgoingStream => ({
  send: (text) => void response.write(text),
  unreadBytes: () => response.writableLength,
  end: () => void response.end(),
  abort: () => void response.destroy(),
  onClose: (listener) => void response.once('close', listener),
});

/** A request that is not HTTP, is too large or too slow gets only a status. */
function refuse(error: NodeJS.ErrnoException, socket: Socket): void {
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  const status =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? '431 Request Header Fields Too Large'
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? '408 Request Timeout'
        : '400 Bad Request';
  socket.end(`HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
}

function listening(server: Server, { address, port }: ListenAddress): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host: address, port }, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

function close(server: Server, graceMs: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => server.closeAllConnections(), graceMs);
    server.close(() => {
      clearTimeout(timer);
      resolve();
    });
    server.closeIdleConnections();
  });
}
