// The small HTTP server of a node: probes, metrics, and, on loopback, explanations.
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { isIP } from 'node:net';
import type { Clock } from '../clock.ts';
import type { ListenAddress } from '../config/config.ts';
import { NameError, parseName } from '../dns/name.ts';
import type { Logger } from '../log.ts';
import { renderReadings } from '../metrics.ts';
import type { AgentState } from './agent.ts';
import { explainName } from './explain.ts';
import { agentReadings } from './readings.ts';

export interface NodeHttp {
  /** Where it listens; undefined: a process before this one still has the address. */
  bound(): ListenAddress | undefined;
  close(): void;
}

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly headers?: Record<string, string>;
}

const TIMEOUTS = { maxHeaderSize: 8192, headersTimeout: 5_000, requestTimeout: 5_000, keepAliveTimeout: 5_000 };
const MAX_CONNECTIONS = 64;
const AGAIN_MS = 200;
const EXPLAIN = '/explain/';

/** The address of a process that drains is taken once it is free. */
export function serveHttp(listen: ListenAddress, agent: AgentState, clock: Clock, log: Logger): NodeHttp {
  const isLoopback = listen.address === '::1' || listen.address.startsWith('127.');
  const server = createServer(TIMEOUTS, (request, response) => {
    const { status, text, ...more } = answerTo(request, agent, isLoopback);
    const headers = { 'content-type': 'text/plain; charset=utf-8', 'x-content-type-options': 'nosniff' };
    response.writeHead(status, { ...headers, ...more.headers }).end(text);
  });
  server.maxConnections = MAX_CONNECTIONS;
  let isClosed = false;
  let isWaiting = false;
  const open = (): void => {
    if (!isClosed) server.listen({ host: listen.address, port: listen.port, exclusive: true });
  };
  server.on('error', (error: NodeJS.ErrnoException) => {
    if (!isWaiting)
      log.warn('HTTP waits for its address', { address: listen.address, port: listen.port, error: error.code });
    isWaiting = true;
    clock.setTimeout(open, AGAIN_MS);
  });
  open();
  return {
    bound: () => boundOf(server),
    close() {
      isClosed = true;
      server.close();
      server.closeAllConnections();
    },
  };
}

function boundOf(server: Server): ListenAddress | undefined {
  const address = server.address();
  return typeof address === 'object' && address !== null ? { address: address.address, port: address.port } : undefined;
}

function answerTo({ method, url = '', headers }: IncomingMessage, agent: AgentState, isLoopback: boolean): Answer {
  if (method !== 'GET' && method !== 'HEAD') return { status: 405, text: 'GET only\n' };
  if (!URL.canParse(url, 'http://node')) return { status: 400, text: 'the URL cannot be read\n' };
  const { pathname, searchParams } = new URL(url, 'http://node');
  switch (pathname) {
    case '/health':
      return { status: 200, text: 'healthy\n' };
    case '/ready':
      return readiness(agent);
    case '/metrics':
      return { status: 200, text: renderReadings(agentReadings(agent)) };
  }
  if (!pathname.startsWith(EXPLAIN))
    return { status: 404, text: 'one of /health, /ready, /metrics and /explain/NAME\n' };
  // A page that a browser on this machine shows must not read it under a name of its own.
  return isLoopback && isOwnHost(String(headers.host ?? ''))
    ? explain(agent, searchParams.get('name') ?? decoded(pathname.slice(EXPLAIN.length)))
    : { status: 403, text: 'explanations are served on a loopback address only\n' };
}

/** It stays ready when it loses the session: it goes on answering. */
function readiness({ replicas, listening, hasBeenFresh }: AgentState): Answer {
  const session =
    replicas.session() === undefined ? `no session: ${replicas.trouble()}` : `session to ${replicas.address()}`;
  const isReady = hasBeenFresh() && listening().length > 0;
  return { status: isReady ? 200 : 503, text: `${isReady ? 'ready' : 'not ready'}; ${session}\n` };
}

function explain(agent: AgentState, text: string): Answer {
  try {
    // As `healthdns explain` expects it.
    return { status: 200, text: explainName(agent, parseName(text)), headers: { 'x-healthdns-explanation': 'text' } };
  } catch (error) {
    if (error instanceof NameError) return { status: 400, text: `/explain/NAME: ${error.message}\n` };
    throw error;
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function isOwnHost(host: string): boolean {
  const name = host.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1');
  return name === 'localhost' || isIP(name) !== 0;
}
